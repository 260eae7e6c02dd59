"""``python -m sdlib compare FOLDER``: from a folder of labelled images to the page."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from sdlib.checks import known
from sdlib.datasets.folder_names import file_name, folder_name
from sdlib.datasets.folder_source import check_drawn, folder_data, with_parts
from sdlib.experiments import PROFILES, experiment_of
from sdlib.experiments.own_data import AT_PAPER_VALUES, OWN_DATA, PRETRAINED, TUNED
from sdlib.files import atomic_path
from sdlib.models.imagenet import packaged_weights
from sdlib.paths import outputs_folder, outputs_in
from sdlib.report.own_data.findings import find
from sdlib.report.own_data.page import write_html
from sdlib.report.own_data.stained import STAIN, is_stained
from sdlib.report.own_data.verdict import difference_sentence, headline
from sdlib.results import THIS_RUN, Place
from sdlib.training.comparison import make_comparison
from sdlib.training.data import TRAINING, load_tiles
from sdlib.training.lock import only_process

__all__ = ["compare_folder"]


def compare_folder(
    folder: str | os.PathLike[str],
    profile: str = "quick",
    positive: Sequence[str] = (),
    search: bool = True,
    pretrained: bool = False,
    stain: str = "auto",
    out: str | os.PathLike[str] | None = None,
    log: Callable[[str], None] = print,
) -> tuple[Path, str]:
    """Train weight decay and spectral decoupling on a folder, and write the page.

    What an earlier call with the same folder and profile has finished is not made again.

    Parameters
    ----------
    folder : str or os.PathLike
        With a ``manifest.csv``, as :class:`~sdlib.datasets.manifest.ManifestDataset` reads it.
    profile : str
        Of :data:`sdlib.experiments.PROFILES`.
    positive : sequence of str
        The labels that are positive, where they are words.
    search : bool
        Tune both on validation images; else both have the paper's values.
    pretrained : bool
        Begin with ImageNet weights, which are in an installed package.
    stain : str
        Of :data:`~sdlib.report.own_data.stained.STAIN`: whether stains are faded on the page.
    out : str or os.PathLike, optional
        The folder of results; by default what ``SDLIB_OUTPUTS`` names.
    log : callable
        Takes a line on what is running and how long it will take.

    Returns
    -------
    page : pathlib.Path
    sentence : str
        The answer.

    Raises
    ------
    ConfigError
        A name that is not known; a positive label that is not there.
    DataError
        The folder breaks a rule, or has too few images or patients to say anything.
    SdlibError
        Results cannot be written, or another process is at the same comparison.
    """
    known("profile", profile, PROFILES)
    known("choice for stains", stain, STAIN)
    if pretrained:
        packaged_weights()  # says in a sentence how to get them
    name = (PRETRAINED if pretrained else OWN_DATA).name
    source = folder_name(folder, positive)
    data = folder_data(source)
    definition = experiment_of(name)
    divided = with_parts(data, definition.data_seed)
    rival, arm = TUNED if search else AT_PAPER_VALUES
    command = _command(folder, profile, positive, search, pretrained, stain, out)
    with outputs_in(out):
        place = outputs_folder() / file_name(source)
        with only_process(place / ".comparison.lock", f"a comparison on {folder}"):
            log("looking whether images have changed")
            count = definition.settings(profile, source).tiles
            most = definition.source(source).most("test", count)
            check_drawn(divided, definition.data_seed, most)
            runs = make_comparison(name, profile, source, (rival, arm), log)
            log("measuring, and writing the page")
            tiles = load_tiles(runs[0], only=["test"])
            stained = is_stained(tiles[TRAINING], stain)
            results = Place(name, profile, source, THIS_RUN)
            found = find(results, arm, rival, divided, tiles["test"], stained)
            page = place / f"{'-'.join(_page_parts(profile, search, pretrained))}.html"
            content = write_html(found, command, dealt="split" not in data.table)
            with atomic_path(page) as temporary:
                temporary.write_text(content, encoding="utf-8")
    return page, f"{headline(found)} {difference_sentence(found)}"


def _page_parts(profile: str, search: bool, pretrained: bool) -> list[str]:
    parts = ["comparison", profile]
    if pretrained:
        parts.append("pretrained")
    if not search:
        parts.append("paper-values")
    return parts


def _command(
    folder: str | os.PathLike[str],
    profile: str,
    positive: Sequence[str],
    search: bool,
    pretrained: bool,
    stain: str,
    out: str | os.PathLike[str] | None,
) -> str:
    """The command line that makes the page again."""
    words = ["python", "-m", "sdlib", "compare", os.fspath(folder), "--profile", profile]
    for label in positive:
        words += ["--positive", label]
    if not search:
        words.append("--no-search")
    if pretrained:
        words.append("--pretrained")
    if stain != "auto":
        words += ["--stain", stain]
    if out is not None:
        words += ["--out", os.fspath(out)]
    return shlex.join(words)
