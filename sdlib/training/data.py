"""From a run to its tiles: training cohort and evaluation cohorts, prepared or as they are."""

from __future__ import annotations

from collections.abc import Collection

from sdlib.checks import known
from sdlib.datasets.tiles import TileSet
from sdlib.experiments import Arm, Run
from sdlib.experiments.cohorts import Cohort, load_cohort

__all__ = ["TRAINING", "load_tiles"]

TRAINING = "train"  # the name of the training cohort beside those of the evaluation cohorts


def load_tiles(
    run: Run, arm: Arm | None = None, prepared: bool = True, only: Collection[str] = ()
) -> dict[str, TileSet]:
    """The images of a run by cohort, as its experiment declares them.

    Parameters
    ----------
    run : Run
        Its source, settings (size and number of tiles) and its experiment's data seed are used.
    arm : Arm, optional
        In the place of the run's own: it may have a training cohort of its own.
    prepared : bool
        Whether tiles are as networks see them, or as they were before any preparation.
    only : collection of str
        The evaluation cohorts that are wanted, beside the training cohort; all by default.

    Returns
    -------
    dict of str to TileSet
        ``train``, then every evaluation cohort by name. No patient or slide is in two
        of the source's parts.

    Raises
    ------
    ConfigError
        ``only`` names a cohort that the experiment does not have.
    DataError
        The source is not at hand; the sentence says where to get it.

    Notes
    -----
    Where parts of real films are hidden, the network that finds lungs is trained first, once.
    """
    definition, settings = run.definition, run.settings
    source = definition.source(run.source)
    arm = arm or definition.arm(run.arm)
    cohorts = {
        TRAINING: arm.training or definition.training,
        **definition.evaluation_at(run.source),
    }
    for name in only:
        known(f"cohort of {definition.name}", name, cohorts)
    if only:
        cohorts = {name: one for name, one in cohorts.items() if name in {TRAINING, *only}}
    hidden = any("visible" in cohort.where for cohort in cohorts.values())
    if hidden and not source.procedural:
        # With it come readers of films: seconds that other runs need not wait.
        from sdlib.training.lungs import ensure_lungs

        ensure_lungs()
    found: dict[str, TileSet] = {}
    loaded: list[tuple[Cohort, TileSet]] = []  # cohorts of the same tiles share them
    for name, cohort in cohorts.items():
        tiles = next((one for other, one in loaded if other.same_tiles(cohort)), None)
        if tiles is None:
            wanted = settings.size, settings.tiles, definition.data_seed, definition.images
            tiles = load_cohort(cohort, source, *wanted)
            loaded.append((cohort, tiles))
        found[name] = tiles
    if prepared:
        training = found[TRAINING]
        for name, cohort in cohorts.items():
            found[name] = cohort.prepare(found[name], definition.data_seed, training)
    return found
