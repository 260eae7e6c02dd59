"""All checks of a folder, in one pass over its images."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from sdlib.datasets.folder_checks import composition, odd_images
from sdlib.datasets.folder_checks.copies import check_copies
from sdlib.datasets.folder_checks.findings import FolderReport
from sdlib.datasets.folder_checks.predictors import check_predictors
from sdlib.datasets.folder_checks.readings import read_folder
from sdlib.datasets.folder_checks.sharpness import check_sharpness
from sdlib.datasets.manifest import ManifestDataset

__all__ = ["check_dataset", "check_folder"]


def check_folder(
    folder: str | os.PathLike[str],
    positive: str | Sequence[str] | None = None,
    log: Callable[[str], object] = print,
) -> FolderReport:
    """Open a folder as a run would, decode every image once, and tell what is wrong or odd.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder with ``manifest.csv``.
    positive : str or sequence of str, optional
        The labels that are positive, as for
        :class:`~sdlib.datasets.manifest.ManifestDataset`; by default labels are 0 and 1.
    log : callable
        Takes lines of progress.

    Returns
    -------
    FolderReport
        Its ``findings``, and ``print`` it for all of them.

    Raises
    ------
    DataError
        If the manifest breaks a rule, so that there is nothing to check.
    ConfigError
        If ``positive`` names a label that is not there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("a.png", "b.png"):
    ...     Image.new("RGB", (96, 96), "pink").save(folder / name)
    >>> _ = (folder / "manifest.csv").write_text("file,label,group\\na.png,0,Eva\\nb.png,1,Ann\\n")
    >>> report = check_folder(folder)
    >>> print(report.summary)
    2 images, 1 positive, in 2 groups: 2 things must be mended, 3 things to look at, 8 fine.
    >>> report.usable, str(report.findings[2].grade)
    (False, 'must be mended')
    """
    return check_dataset(ManifestDataset(folder, positive=positive), log)


def check_dataset(data: ManifestDataset, log: Callable[[str], object] = print) -> FolderReport:
    """Check a folder that has been opened; see :func:`check_folder`.

    Parameters
    ----------
    data : ManifestDataset
        The folder, with or without splits; its size and transform are left aside.
    log : callable
        Takes lines of progress.

    Returns
    -------
    FolderReport
        As :func:`check_folder` returns it.
    """
    readings = read_folder(data, log)
    findings = [
        *odd_images.check_damage(data, readings),
        *composition.check_classes(data),
        *composition.check_groups(data),
        *composition.check_splits(data),
        *composition.check_fields(data),
        *odd_images.check_odd_images(data, readings),
        *odd_images.check_sizes(data, readings),
        *check_copies(data, readings),
        *check_predictors(data, readings),
        *check_sharpness(data, readings),
    ]
    return FolderReport(tuple(findings), composition.count_images(data.table))
