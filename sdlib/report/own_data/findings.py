"""What a comparison on your own images has found, as numbers: all that its page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from sdlib.datasets.manifest import ManifestDataset
from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError
from sdlib.metrics import balanced_accuracy, best_cutoff, margins, summary
from sdlib.report.own_data.paired import Paired, paired_differences
from sdlib.results import Place
from sdlib.results.sweeps import CLEAN
from sdlib.shifts import LEVELS, STAINS
from sdlib.theory.optima import resting_logits

__all__ = ["METRICS", "Findings", "Penalty", "all_margins", "find"]

#: The measures of :func:`sdlib.metrics.summary`, and what the page calls them.
METRICS = {
    "accuracy": "balanced accuracy",
    "recall": "recall",
    "specificity": "specificity",
    "auroc": "AUROC",
    "brier": "Brier score",
    "calibration_error": "calibration error",
}
ALL_LEVELS = "all levels"
BOTH, ONE, NONE, MOVED = "both tuned", "rival tuned", "both at .5", "at .5 minus tuned"


@dataclass(frozen=True)
class Penalty:
    """Whether the penalty on the logits had anything to hold back.

    Parameters
    ----------
    lam : float
        Lambda of the method's networks.
    cap : float
        Margin at which a network rests that separates its training images; single images may lie
        beyond it.
    beyond : mapping of str to float
        By arm: share of the validation and test images whose margin is beyond the cap.
    medians : mapping of str to float
        By arm: the median margin.
    """

    lam: float
    cap: float
    beyond: Mapping[str, float]
    medians: Mapping[str, float]


@dataclass(frozen=True)
class Findings:
    """A method against its rival on one folder.

    Parameters
    ----------
    place : Place
        Rows, predictions and sweep.
    arm, rival : str
        The method and what it is compared with.
    data : ManifestDataset
        The folder, each row in a part.
    test : TileSet
        The test images in the order of the predictions.
    seeds : tuple of int
        That both arms have.
    metrics : mapping of str to Paired
        On the test images, by the keys of :data:`METRICS`.
    cutoffs : mapping of str to Paired
        Balanced accuracy with both cut-offs tuned on validation, with the rival's alone, and both
        at .5; and how much larger the difference is with both at .5 than with both tuned.
    shifts : mapping of str to Paired
        Balanced accuracy on unshifted images (``clean``), over the levels of each shift, and over
        all levels.
    stained : bool
        Whether fading stains is among the shifts.
    penalty : Penalty
    """

    place: Place
    arm: str
    rival: str
    data: ManifestDataset
    test: TileSet
    seeds: tuple[int, ...]
    metrics: Mapping[str, Paired]
    cutoffs: Mapping[str, Paired]
    shifts: Mapping[str, Paired]
    stained: bool
    penalty: Penalty

    @property
    def main(self) -> Paired:
        """The difference that the first sentence is about: balanced accuracy at .5."""
        return self.metrics["accuracy"]


def find(
    place: Place, arm: str, rival: str, data: ManifestDataset, test: TileSet, stained: bool
) -> Findings:
    """Measure everything that the page shows.

    Parameters
    ----------
    place, arm, rival, data, test, stained
        As in :class:`Findings`.

    Raises
    ------
    DataError
        Rows, predictions or the sweep are not whole, or not of these test images.
    """
    own, other = place.logits(arm, "test"), place.logits(rival, "test")
    seeds = tuple(sorted(own.keys() & other.keys()))
    targets, groups = place.targets("test"), test.groups
    if not seeds or not np.array_equal(targets, test.targets):
        raise DataError(
            f"expected predictions of {arm} and {rival} on the {len(test)} test images, got those "
            f"of {len(seeds)} seeds on {len(targets)}: call the same command again"
        )
    pair = [own[s] for s in seeds], [other[s] for s in seeds]
    found = paired_differences(_summary, targets, groups, *pair)
    metrics = dict(zip(METRICS, found, strict=True))
    return Findings(
        place,
        arm,
        rival,
        data,
        test,
        seeds,
        metrics,
        _cutoffs(place, arm, rival, seeds, groups),
        _shifts(place, arm, rival, seeds, groups, stained),
        stained,
        _penalty(place, arm, rival, seeds),
    )


def _summary(targets: np.ndarray, logits: np.ndarray) -> np.ndarray:
    found = summary(targets, logits, from_logits=True)
    return np.array([found[name] for name in METRICS])


def _accuracy(targets: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Balanced accuracy of decisions, 0 or 1."""
    return np.array([balanced_accuracy(targets, positive)])


def _moved(targets: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Balanced accuracy of the first column of decisions minus that of the second."""
    return _accuracy(targets, positive[:, 0]) - _accuracy(targets, positive[:, 1])


def _mean_recall(targets: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Mean of the classes' shares of right predictions; ``right`` may be a mean over levels."""
    return np.array([np.mean([right[targets == target].mean() for target in (0, 1)])])


def _cutoffs(
    place: Place, arm: str, rival: str, seeds: Sequence[int], groups: np.ndarray
) -> dict[str, Paired]:
    targets = place.targets("test")
    tuned = {name: _decisions(place, name, seeds, tuned=True) for name in (arm, rival)}
    plain = {name: _decisions(place, name, seeds, tuned=False) for name in (arm, rival)}
    pairs = {
        NONE: (plain[arm], plain[rival]),
        BOTH: (tuned[arm], tuned[rival]),
        ONE: (plain[arm], tuned[rival]),
    }
    found = {
        name: paired_differences(_accuracy, targets, groups, *pair)[0]
        for name, pair in pairs.items()
    }
    either = {
        name: [np.stack(one, axis=1) for one in zip(plain[name], tuned[name], strict=True)]
        for name in (arm, rival)
    }
    found[MOVED] = paired_differences(_moved, targets, groups, either[arm], either[rival])[0]
    return found


def _decisions(place: Place, arm: str, seeds: Sequence[int], tuned: bool) -> list[np.ndarray]:
    """Whether each network predicts each test image positive, as 0.0 or 1.0."""
    validation, test = place.logits(arm, "validation"), place.logits(arm, "test")
    found = []
    for seed in seeds:
        cutoff = 0.5
        if tuned:
            seen = expit(validation[seed].astype(np.float64))
            cutoff = best_cutoff(place.targets("validation"), seen)
        scores = expit(test[seed].astype(np.float64))
        found.append((scores >= cutoff).astype(np.float64))
    return found


def _shifts(
    place: Place,
    arm: str,
    rival: str,
    seeds: Sequence[int],
    groups: np.ndarray,
    stained: bool,
) -> dict[str, Paired]:
    sweep = place.sweep
    if any((name, seed) not in sweep.logits for name in (arm, rival) for seed in seeds):
        raise DataError(
            f"expected the shifted images of all networks of {arm} and {rival}, got "
            f"{len(sweep.logits)} networks: call the same command again"
        )
    shift_of = {level.name: level.shift for level in LEVELS} | {CLEAN: CLEAN}
    shifts = np.array([shift_of[name] for name in sweep.levels])
    left_out = () if stained else STAINS
    chosen = {name: shifts == name for name in dict.fromkeys(shifts) if name not in left_out}
    chosen[ALL_LEVELS] = ~np.isin(shifts, (CLEAN, *left_out))
    right = {
        (name, seed): ~np.signbit(sweep.logits[name, seed]) == (sweep.targets == 1)
        for name in (arm, rival)
        for seed in seeds
    }
    return {
        shift: paired_differences(
            _mean_recall,
            sweep.targets,
            groups,
            *([right[name, seed][lines].mean(0) for seed in seeds] for name in (arm, rival)),
        )[0]
        for shift, lines in chosen.items()
    }


def all_margins(place: Place, arm: str, seeds: Sequence[int]) -> np.ndarray:
    """Margins of an arm's networks on validation and test images, all seeds in one line.

    Parameters
    ----------
    place : Place
    arm : str
    seeds : sequence of int

    Returns
    -------
    numpy.ndarray
        float64 (n,).
    """
    found = []
    for cohort in ("validation", "test"):
        targets, logits = place.targets(cohort), place.logits(arm, cohort)
        found += [margins(logits[seed], targets) for seed in seeds]
    return np.concatenate(found)


def _penalty(place: Place, arm: str, rival: str, seeds: Sequence[int]) -> Penalty:
    lam = float(place.setting(arm)["lam"])
    cap = resting_logits(lam)[1]
    found = {name: all_margins(place, name, seeds) for name in (rival, arm)}
    return Penalty(
        lam,
        cap,
        {name: float((values > cap).mean()) for name, values in found.items()},
        {name: float(np.median(values)) for name, values in found.items()},
    )
