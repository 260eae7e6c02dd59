"""Checks of a folder of the user's own, before a network is trained: ``python -m sdlib check``.

- :mod:`~sdlib.datasets.folder_checks.folder`: all checks, in one pass over the images.
- :mod:`~sdlib.datasets.folder_checks.findings`: sentences in three grades.
- :mod:`~sdlib.datasets.folder_checks.readings`: what each image is like, read once.
- :mod:`~sdlib.datasets.folder_checks.odd_images`: damaged, blank and odd images, and their sizes.
- :mod:`~sdlib.datasets.folder_checks.composition`: classes, groups, splits and fields.
- :mod:`~sdlib.datasets.folder_checks.hashes` and :mod:`~sdlib.datasets.folder_checks.copies`:
  copies that are in two splits or groups, or have two labels.
- :mod:`~sdlib.datasets.folder_checks.columns` and
  :mod:`~sdlib.datasets.folder_checks.predictors`: a scanner, or another column, that predicts the
  label.
- :mod:`~sdlib.datasets.folder_checks.sharpness`: scanners or classes of unequal sharpness.
"""

from sdlib.datasets.folder_checks.findings import Finding, FolderReport, Grade
from sdlib.datasets.folder_checks.folder import check_dataset, check_folder

__all__ = ["Finding", "FolderReport", "Grade", "check_dataset", "check_folder"]
