"""BIMCV-COVID19+ and BIMCV-COVID19- as published: radiographs of the Valencian region, 2020.

x: a PA or upright AP film of the chest, made square as in the regimen of DeGrave et al. (2021) and
grey in three channels. y: 1 if the patient has COVID-19 by a test of genes or antibodies. Both
halves come from the same hospitals of the public system, in the same months. The paper counts 3,033
positive and 2,743 negative patients and 9,171 films of the second iteration. Vayá et al. 2020
(https://arxiv.org/abs/2006.01174) and, for the negatives, https://doi.org/10.21227/m4j2-ap59.

Access: read and accept the research use agreement at
https://bimcv.cipf.es/bimcv-projects/bimcv-covid19/, which leads to the archives at EUDAT's B2DROP:
390 GB for the positive half and 469 GB for the negative one, CT included. Unpack them into the
folders ``bimcv-plus`` and ``bimcv-minus`` under the root that ``SDLIB_DATA`` names.

Files of each half: ``participants.tsv``; ``derivatives/EHR/sil_reg_covid*.tsv`` (participant, date,
test, result); ``derivatives/labels/labels*.tsv`` (PatientID, ReportID, which is the session, and
Labels); ``sub-*/ses-*/mod-rx/*_vp-{ap,pa,ll}_{cr,dx}.png``, stored values in 16 bits, each with a
``.json`` of DICOM's tags. Subjects may also be in folders of the parts, and all of it in one folder
such as ``covid19_posi``.

What is done to a film is told in :mod:`sdlib.films.greyscale`; which films are kept, in
:func:`~sdlib.datasets.bimcv_selection.select_films`. Films are decoded once, in half an hour or so
of a core; the squares are kept in a cache, 1.4 GB for 9,171 films at 224 px. A film whose PNG is
damaged is left out, as others are, and counted: the log says how many films are left out, and the
``.json`` beside the squares lists each of them, with the reason.

Limits:

- A film's label is its half's, as in the paper: the tests are of patients, and a film may be from
  before the infection or long after it. Only of patients who are in both halves, films are labelled
  one by one, by the test that is nearest in time.
- AP films at the bedside count as upright unless their description says otherwise, as in DeGrave et
  al.; ``bedside=False`` leaves them out.
- The tags of some films are wrong: DeGrave et al. list, by eye, 30 lateral films with a frontal
  name, 8 that were windowed already and 4 that are upside down. Nothing is done about these here.
- Some programs rescale values when they write PNG. If slope and intercept are in the tags, they are
  applied here; where they had been already, the window does not fit.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sdlib.checks import check_number
from sdlib.datasets.bimcv_files import find_films, half_folder, read_tags, table_files
from sdlib.datasets.bimcv_selection import HALVES, REASONS, BimcvSelection, select_films
from sdlib.datasets.image_stores import ArrayStore, select_rows
from sdlib.datasets.splits import PAPER_FILMS, grouped_split
from sdlib.datasets.store import cache_folder, cached_tiles, data_folder, fingerprint
from sdlib.datasets.tiles import TileSet
from sdlib.errors import ConfigError, DataError
from sdlib.files import cannot_write, check_entries, if_whole, read_json, write_json
from sdlib.films import film_tags, parse_json_tags, read_png_film, square_film

__all__ = ["load_bimcv"]

log = logging.getLogger(__name__)

FOLDERS = {half: f"bimcv-{half}" for half in HALVES}
SOURCE = "bimcv"
#: To be raised whenever other films are selected, or the same ones get other pixels.
RULES = 1
BATCH = 64  # films: enough to keep all cores busy
FETCH_HINT = (
    "BIMCV-COVID19 must be downloaded by hand: accept the agreement at "
    "https://bimcv.cipf.es/bimcv-projects/bimcv-covid19/, download the archives of both halves "
    "(390 GB and 469 GB), and unpack them into bimcv-plus and bimcv-minus"
)


def load_bimcv(
    part: str,
    *,
    size: int = 224,
    root: str | os.PathLike[str] | None = None,
    seed: int = 0,
    test: float = 0.0,
    bedside: bool = True,
    cache: str | os.PathLike[str] | None = None,
) -> TileSet:
    """Load one part of BIMCV-COVID19+ and BIMCV-COVID19-, split by patient.

    The paper sets 5 % aside for validation and tests on other collections, and so does this
    function unless ``test`` names a share.

    Parameters
    ----------
    part : {"train", "validation", "test"}
        The part; "test" only where ``test`` is above 0.
    size : int
        Side of the squares in pixels.
    root : str or os.PathLike, optional
        The folder that holds ``bimcv-plus`` and ``bimcv-minus``; by default the one that
        ``SDLIB_DATA`` names.
    seed : int
        Of the split.
    test : float
        Share of the films that is set aside as a test set from the same hospitals, 0 to .5.
    bedside : bool
        Whether AP films at the bedside are kept.
    cache : str or os.PathLike, optional
        Folder of the cache; by default :func:`~sdlib.datasets.store.cache_folder`.

    Returns
    -------
    TileSet
        Its images are a read-only memory map. Its groups are patients. Its factors are ``source``
        ("bimcv"), ``half`` ("plus" or "minus"), ``view`` ("PA" or "AP"), ``bedside``, ``session``,
        ``modality`` ("cr" or "dx"), ``scanner`` (its manufacturer) and ``findings`` (of the
        radiologist's report, with semicolons between them).

    Raises
    ------
    ConfigError
        An unknown part, or a value out of its range.
    DataError
        A folder or a table is missing or not as published, or no film is left.
    SdlibError
        The cache cannot be written.

    Examples
    --------
    >>> load_bimcv("train").factors["view"][0]  # doctest: +SKIP
    'PA'
    """
    check_number("size", size, 1, whole=True)
    check_number("the share of the test set", test, 0, 0.5)
    fractions = {"train": 1 - PAPER_FILMS - test, "validation": PAPER_FILMS}
    if test:
        fractions["test"] = test
    if part not in fractions:
        advice = ""
        if part == "test":
            advice = ": the paper tests on COVIDx8; give test a share to set films aside"
        raise ConfigError(f"expected a part of {', '.join(fractions)}, got {part!r}{advice}")
    selection, images, rows = _squares(size, root, cache)
    films = selection.films
    if not bedside:
        upright = ~films["bedside"].to_numpy(bool)
        films, rows = films[upright], rows[upright]
    if not len(films):
        raise DataError(
            f"expected films that can be kept in both halves of BIMCV-COVID19, found none: "
            f"{_summary(selection)}"
        )
    targets = films["label"].to_numpy(np.int64)
    patients = films["patient"].to_numpy(str)
    chosen = grouped_split(targets, patients, fractions, seed)[part]
    names = ("half", "view", "session", "modality", "scanner", "findings")
    factors = {name: films[name].to_numpy(str)[chosen] for name in names}
    factors["source"] = np.full(len(chosen), SOURCE)
    factors["bedside"] = films["bedside"].to_numpy(bool)[chosen]
    store = select_rows(ArrayStore(images), rows[chosen])
    return TileSet(store, targets[chosen], patients[chosen], factors)


def _squares(
    size: int, root: str | os.PathLike[str] | None, cache: str | os.PathLike[str] | None
) -> tuple[BimcvSelection, np.ndarray, np.ndarray]:
    """The selection, the squares of all films that were decoded, and each kept film's row."""
    folders = {half: half_folder(data_folder(FOLDERS[half], root, FETCH_HINT)) for half in HALVES}
    key = fingerprint(["bimcv", RULES, size, *_state(folders)])
    place = Path(cache) if cache is not None else cache_folder()
    notes, squares = place / f"bimcv-{key}.json", place / f"bimcv-{key}.npy"
    content = if_whole(read_json, notes, _check_notes)
    images = _mapped(squares, content["decoded"], size) if content is not None else None
    if content is None or images is None:
        # The notes are written last: squares without notes are from a run that was killed.
        _remove(squares)
        content = _decode(select_films(folders), folders, size, squares)
        write_json(notes, content)
        images = _mapped(squares, content["decoded"], size)
    selection = BimcvSelection(pd.DataFrame(content["films"]), pd.DataFrame(content["dropped"]))
    return selection, images, np.array(content["rows"], np.intp)


def _mapped(squares: Path, length: int, size: int) -> np.ndarray | None:
    """The squares of a cache; None where they are not there, or not whole."""
    if not length:
        return np.empty((0, size, size, 3), np.uint8)
    try:
        images = np.load(squares, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return images if images.shape == (length, size, size, 3) else None


def _remove(squares: Path) -> None:
    try:
        squares.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(squares, error) from error


def _state(folders: dict[str, Path]) -> Iterator[object]:
    """What tells whether any file of the data set has changed."""
    for half, folder in folders.items():
        for path in table_files(folder):
            state = path.stat()
            yield half, path.name, state.st_size, state.st_mtime_ns
        for film in find_films(folder):
            yield half, film.file, film.state


def _decode(
    selection: BimcvSelection, folders: dict[str, Path], size: int, squares: Path
) -> dict[str, Any]:
    """Write the squares of the selected films; return the notes that belong to them."""
    films = selection.films
    paths = [folders[half] / file for half, file in zip(films["half"], films["file"], strict=True)]
    damage: dict[int, str] = {}
    if paths:
        log.info("decoding %d films into %s, once", len(paths), squares)
        cached_tiles(squares, (len(paths), size, size, 3), _batches(paths, size, damage))
    whole = np.array([row not in damage for row in range(len(paths))], bool)
    damaged = films.loc[~whole, ["half", "file"]].assign(
        reason="damaged image", why=list(damage.values())
    )
    dropped = pd.concat([selection.dropped, damaged], ignore_index=True)
    kept = BimcvSelection(films[whole], dropped)
    log.warning("%s", _summary(kept))
    return {
        "decoded": len(paths),
        "rows": np.flatnonzero(whole).tolist(),
        "films": kept.films.to_dict("list"),
        "dropped": dropped.to_dict("list"),
    }


def _batches(paths: list[Path], size: int, damage: dict[int, str]) -> Iterator[np.ndarray]:
    """Decode films on all cores; a damaged one is black, and its row and why are noted."""

    def decode(row: int) -> np.ndarray | DataError:
        path = paths[row]
        try:
            tags = film_tags(parse_json_tags(read_tags(path), str(path)), str(path))
            return square_film(read_png_film(path, tags), size)
        except DataError as error:
            return error

    # Pillow and OpenCV release the interpreter's lock while they work.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), BATCH):
            rows = range(start, min(start + BATCH, len(paths)))
            batch = np.zeros((len(rows), size, size, 3), np.uint8)
            for row, square in zip(rows, pool.map(decode, rows), strict=True):
                if isinstance(square, DataError):
                    damage[row] = str(square)
                else:
                    batch[row - start] = square
            yield batch


def _check_notes(content: Any) -> None:
    check_entries(content, {"decoded": int, "rows": list, "films": dict, "dropped": dict})


def _summary(selection: BimcvSelection) -> str:
    """What is kept and what is left out, in a sentence."""
    counts = selection.counts()
    kept = [f"{number} {name}" for name, number in counts.items() if name not in REASONS]
    left = [f"{counts[reason]} {reason}" for reason in REASONS if reason in counts]
    return f"BIMCV-COVID19: {', '.join(kept)}; films left out: {', '.join(left) or 'none'}"
