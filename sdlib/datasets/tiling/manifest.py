"""The manifest beside shards: how each slide was read and cut, or why it was not."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sdlib.datasets.tiling.settings import Tiling
from sdlib.datasets.tiling.slide_files import SlideFile
from sdlib.files import atomic_path

__all__ = ["MANIFEST", "write_manifest"]

MANIFEST = "manifest.csv"
#: Columns of the manifest: from a slide's record, then the rules, which are the same for all.
RECORDED = (
    "slide",
    "group",
    "reader",
    "unscanned",
    "mpp",
    "mpp_source",
    "tile_mpp",
    "level",
    "tiles",
    "cancer",
    "background",
    "unjudged",
    "conflict",
)
COLUMNS = (*RECORDED, "step", "border", "max_background", "labels", "problem")


def write_manifest(
    file: Path,
    slides: Sequence[SlideFile],
    known: Mapping[str, dict[str, Any] | None],
    problems: Mapping[str, str],
    tiling: Tiling,
) -> None:
    """Write a row for every slide.

    Parameters
    ----------
    file : pathlib.Path
        The CSV file.
    slides : sequence of SlideFile
        The slides.
    known : mapping of str to dict
        The record of each slide by name; None where it was not cut.
    problems : mapping of str to str
        Why slides were not cut, by name.
    tiling : Tiling
        How they were to be cut.

    Raises
    ------
    SdlibError
        If the file cannot be written.
    """
    rules = {
        "step": tiling.step_rule,
        "border": tiling.border,
        "max_background": tiling.max_background,
        "labels": tiling.label_rule,
    }
    with atomic_path(file) as temporary, temporary.open("w", newline="", encoding="utf-8") as text:
        rows = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
        rows.writeheader()
        for slide in slides:
            named = {"slide": slide.shown, "group": slide.group}
            record = known[slide.name] or {}
            rows.writerow({**named, **record, **rules, "problem": problems.get(slide.name, "")})
