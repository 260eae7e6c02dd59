"""Folders that environment variables name: the same from every working folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["data_folder", "named_folder", "outputs_folder", "outputs_in", "recorded_folder"]

ROOT = Path(__file__).resolve().parent.parent
OUTPUTS = "SDLIB_OUTPUTS"


def named_folder(variable: str, otherwise: Path) -> Path:
    """The folder that an environment variable names, the same from every working folder.

    ``~`` is the home folder. A relative path counts from the repository, not from the working
    folder: notebooks run in folders of their own, and must find what the command line has written.

    Parameters
    ----------
    variable : str
        Such as ``SDLIB_OUTPUTS``.
    otherwise : pathlib.Path
        The folder where the variable is not set, or empty.

    Returns
    -------
    pathlib.Path
        Absolute; it need not exist.

    Examples
    --------
    >>> named_folder("SDLIB_NO_SUCH_VARIABLE", ROOT / "outputs").name
    'outputs'
    """
    given = os.environ.get(variable)
    if not given:
        return otherwise
    # Links stay as they are: snakemake remembers files by these names.
    return Path(os.path.abspath(ROOT / os.path.expanduser(given)))


def data_folder() -> Path:
    """The repository's ``data``: the paper's numbers, data cards, recorded rows."""
    return ROOT / "data"


def recorded_folder() -> Path:
    """Where recorded rows and predictions are kept: ``data/results`` in git.

    ``SDLIB_RECORDED`` names another folder, for tests and for trying things out.
    """
    return named_folder("SDLIB_RECORDED", data_folder() / "results")


def outputs_folder() -> Path:
    """Where runs write: ``SDLIB_OUTPUTS``, by default ``outputs`` in the repository."""
    return named_folder(OUTPUTS, ROOT / "outputs")


@contextmanager
def outputs_in(folder: str | os.PathLike[str] | None) -> Iterator[Path]:
    """Let everything that a block runs write to a folder; None leaves the folder as it is.

    Processes that the block starts write there, too.

    Parameters
    ----------
    folder : str or os.PathLike or None
        Relative to the working folder, or absolute; it need not exist.

    Yields
    ------
    pathlib.Path
        The folder.

    Examples
    --------
    >>> before = outputs_folder()
    >>> with outputs_in("/results") as folder:
    ...     print(outputs_folder() == folder)
    True
    >>> outputs_folder() == before
    True
    """
    if folder is None:
        yield outputs_folder()
        return
    before = os.environ.get(OUTPUTS)
    os.environ[OUTPUTS] = os.path.abspath(os.path.expanduser(os.fspath(folder)))
    try:
        yield outputs_folder()
    finally:
        if before is None:
            del os.environ[OUTPUTS]
        else:
            os.environ[OUTPUTS] = before
