"""Camelyon17-WILDS as published: lymph node patches of 50 slides from five hospitals.

x: the patch, RGB, 96 x 96 px at 10x, haematoxylin and eosin. y: 1 if there is tumour in its
central 32 x 32 px; half of the patches of each hospital. 455,954 patches, ten slides a hospital:
train 302,436 (centres 0, 3 and 4), in-distribution validation 33,560 (the same centres),
validation 34,904 (centre 1), test 85,054 (centre 2). No patient is in two centres. 10.7 GB. CC0.
Bandi et al. 2018 (slides), Koh et al. 2021 (patches, https://wilds.stanford.edu).

Limits: the in-distribution validation is a tenth of the patches of the training centres, drawn
patch by patch: it shares slides and patients with the training part, so accuracy on it flatters.
The published column ``split`` is 0 or 1 in every centre, and says nothing in centres 1 and 2.

Files: ``metadata.csv`` (a first column without a name, then patient, node, x_coord, y_coord,
tumor, slide, center, split) and
``patches/patient_{ppp}_node_{n}/patch_patient_{ppp}_node_{n}_x_{x}_y_{y}.png``, the patient with
three digits; in the folder ``camelyon17``, or in ``camelyon17_v1.0`` inside it, which is what the
package wilds makes.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np
import pandas as pd

from sdlib.datasets.file_store import FileStore
from sdlib.datasets.group_names import canonical
from sdlib.datasets.store import data_folder
from sdlib.datasets.table import read_table
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError

__all__ = ["CENTRES", "load_camelyon17"]

#: Every centre, with the part that its patches belong to.
CENTRES = {"0": "train", "1": "validation", "2": "test", "3": "train", "4": "train"}
#: The parts, and what the published column ``split`` says of them, where that counts.
PUBLISHED = {"train": "0", "id_validation": "1", "validation": None, "test": None}
#: How many patches each has.
PATCHES = {"train": 302_436, "id_validation": 33_560, "validation": 34_904, "test": 85_054}
SIDE = 96  # px
METADATA = "metadata.csv"
RELEASE = "camelyon17_v1.0"  # the folder that the package wilds makes
COLUMNS = ("patient", "node", "x_coord", "y_coord", "tumor", "slide", "center", "split")
WHOLE_NUMBERS = ("patient", "node", "x_coord", "y_coord")
FETCH_HINT = "Download it by 'python -m sdlib fetch camelyon17' (10.7 GB)."


def load_camelyon17(
    split: str,
    folder: str | os.PathLike[str] | None = None,
    size: int = SIDE,
) -> TileSet:
    """Load one official split of Camelyon17-WILDS; patches are decoded when they are read.

    Parameters
    ----------
    split : {"train", "id_validation", "validation", "test"}
        By centre: 0, 3 and 4 for the first two, 1 for validation, 2 for test.
    folder : str or os.PathLike, optional
        The folder of the files; by default ``camelyon17`` under the root that ``SDLIB_DATA``
        names.
    size : int
        Side of the tiles in pixels; 96 leaves them as they are, other sizes are averaged over
        area.

    Returns
    -------
    TileSet
        Its images are read from their files, batch by batch. Its groups are patients, with three
        digits. Its factors are ``centre``, ``slide`` and ``node``, as text.

    Raises
    ------
    ConfigError
        If the split is unknown.
    DataError
        If the folder, its table or a patch is missing, or the table is not as published: a field
        that is no number, an unknown centre, a patch twice, a patient in two centres, another
        number of patches. A patch that is damaged or of another size is named when it is read.

    Examples
    --------
    >>> tiles = load_camelyon17("test")  # doctest: +SKIP
    >>> tiles  # doctest: +SKIP
    <TileSet: 85054 tiles, 96 x 96 px, 42527 benign, 42527 cancer>
    """
    if split not in PUBLISHED:
        raise ConfigError(f"expected a split of {', '.join(PUBLISHED)}, got {split!r}")
    folder = Path(folder) if folder is not None else data_folder("camelyon17", None, FETCH_HINT)
    if not (folder / METADATA).is_file() and (folder / RELEASE / METADATA).is_file():
        folder = folder / RELEASE
    path = folder / METADATA
    if not path.is_file():
        raise DataError(f"expected {METADATA} in {folder}, found none. {FETCH_HINT}")
    state = path.stat()
    table = _table(path, state.st_size, state.st_mtime_ns)
    part = "train" if split == "id_validation" else split
    chosen = table["center"].map(CENTRES) == part
    if PUBLISHED[split] is not None:
        chosen &= table["split"] == PUBLISHED[split]
    table = table[chosen]
    # A table that was cut off, or a part of the set, would be another test.
    if len(table) != PATCHES[split]:
        raise DataError(
            f"expected {PATCHES[split]} patches of the split {split} in {path}, got {len(table)}. "
            f"{FETCH_HINT}"
        )
    _check_patches(table, folder)
    store = FileStore(folder, table["file"].to_numpy(), size, SIDE)
    factors = {
        "centre": table["center"].to_numpy(str),
        "slide": table["slide"].to_numpy(str),
        "node": table["node"].to_numpy(str),
    }
    targets = table["tumor"].to_numpy(np.int64)
    return TileSet(store, targets, table["patient"].to_numpy(str), factors)


@functools.lru_cache(maxsize=1)
def _table(path: Path, size: int, changed: int) -> pd.DataFrame:
    """The checked table; size and time of change tell one file from another of its name."""
    table = read_table(path, COLUMNS)
    for name in COLUMNS:
        # A table that a spreadsheet has saved again has 4.0 for 4; most fields repeat.
        spelt = {value: canonical(value) for value in table[name].unique()}
        table[name] = table[name].map(spelt)
    for name in WHOLE_NUMBERS:
        numbers = [value for value in table[name].unique() if value.isascii() and value.isdigit()]
        _check_known(table, name, numbers, "a whole number", path)
    for name in ("tumor", "split"):
        _check_known(table, name, ["0", "1"], "0 or 1", path)
    _check_known(table, "center", list(CENTRES), f"one of {', '.join(CENTRES)}", path)
    table["patient"] = table["patient"].str.zfill(3)
    table["file"] = _files(table)
    _check_once(table, path)
    _check_patients(table, path)
    return table


def _files(table: pd.DataFrame) -> pd.Series:
    """The path of every patch, relative to the folder."""
    node = "patient_" + table["patient"] + "_node_" + table["node"]
    place = "_x_" + table["x_coord"] + "_y_" + table["y_coord"]
    return "patches/" + node + "/patch_" + node + place + ".png"


def _check_known(
    table: pd.DataFrame, name: str, values: list[str], expected: str, path: Path
) -> None:
    """Check that the fields of a column have one of the values that they may have."""
    known = table[name].isin(values)
    if not known.all():
        row = known.idxmin()
        raise DataError(
            f"expected {name} to be {expected}, got {table.at[row, name]} in row {row} of {path}. "
            f"{FETCH_HINT}"
        )


def _check_once(table: pd.DataFrame, path: Path) -> None:
    """Check that every patch is there once."""
    again = table["file"].duplicated()
    if again.any():
        row = again.idxmax()
        file = table.at[row, "file"]
        first = (table["file"] == file).idxmax()
        raise DataError(
            f"expected each patch once, got {file} in row {first} and again in row {row} of "
            f"{path}. {FETCH_HINT}"
        )


def _check_patients(table: pd.DataFrame, path: Path) -> None:
    """Check that every patient is in one centre, and so never in two of the official splits."""
    pairs = table[["patient", "center"]].drop_duplicates()
    again = pairs["patient"].duplicated()
    if again.any():
        row = again.idxmax()
        patient, centre = pairs.loc[row]
        first = (pairs["patient"] == patient).idxmax()
        raise DataError(
            f"expected each patient in one centre, got patient {patient} in centre "
            f"{pairs.at[first, 'center']} (row {first}) and in centre {centre} (row {row}) of "
            f"{path}: no patient may be in two splits. {FETCH_HINT}"
        )


def _check_patches(table: pd.DataFrame, folder: Path) -> None:
    """Check that there is a file of every patch, one folder of patches after another."""
    missing = []
    for parent, rows in table.groupby(table["file"].str.rpartition("/")[0], sort=False):
        try:
            # One listing, where a question for each file would take minutes on a network disk.
            there = set(os.listdir(folder / str(parent)))
        except OSError:
            there = set()
        names = rows["file"].str.rpartition("/")[2]
        missing += rows.index[~names.isin(there)].tolist()
    if missing:
        row = missing[0]
        raise DataError(
            f"expected {len(table)} patches under {folder}, found {len(table) - len(missing)}: the "
            f"first without a file is {table.at[row, 'file']} (row {row} of {METADATA}). "
            f"{FETCH_HINT}"
        )
