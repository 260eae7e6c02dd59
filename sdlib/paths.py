"""Where things live: recorded rows in the repository, working results beside it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["data_folder", "outputs_folder", "recorded_folder"]

ROOT = Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """The repository's ``data``: the paper's numbers, data cards, recorded rows."""
    return ROOT / "data"


def recorded_folder() -> Path:
    """Where recorded rows and predictions are kept: ``data/results`` in git.

    ``SDLIB_RECORDED`` names another folder, for tests and for trying things out.
    """
    return Path(os.environ.get("SDLIB_RECORDED") or data_folder() / "results")


def outputs_folder() -> Path:
    """Where runs write: ``SDLIB_OUTPUTS``, by default ``outputs`` in the repository."""
    return Path(os.environ.get("SDLIB_OUTPUTS") or ROOT / "outputs")
