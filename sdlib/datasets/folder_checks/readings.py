"""Reading every image of a folder once: what each is like is kept, its pixels are not."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from sdlib.datasets.folder_checks.hashes import hash_image
from sdlib.datasets.images import SIXTEEN_BIT, TRANSPARENT, read_image
from sdlib.datasets.manifest import MANIFEST, ManifestDataset
from sdlib.errors import DataError
from sdlib.metrics import laplacian_variance

__all__ = ["Readings", "read_folder"]

CHUNK = 1000  # images between two lines of progress
WHITE, BLACK = 230, 15  # grey levels: from the one pixels are white, up to the other black
GREY = 2.0  # grey levels: below this mean difference of its channels an image is grey
ORIENTATION = 274  # the tag of EXIF
UPRIGHT = 1
HEADER = 25  # bytes of a PNG that tell its bits
PNG_BITS = 24  # the byte that does


@dataclass(frozen=True, eq=False)
class Readings:
    """What the images of a folder are like.

    Parameters
    ----------
    table : pandas.DataFrame
        A line for each image that could be read, indexed by the manifest's row number: ``width``
        and ``height`` (px), ``format`` (such as JPEG), ``mode`` (Pillow's), ``bits`` (per channel),
        ``pages``, ``orientation`` (EXIF's tag, 1 upright), ``see_through`` (whether a pixel is not
        opaque), ``range`` (grey levels of the channel that has most), ``brightest`` (0 to 255),
        ``grey`` (whether it has no colour), ``white`` and ``black`` (shares of pixels, 0 to 1),
        ``sharpness`` (variance of the Laplacian), ``hashed`` (whether there is a hash).
    hashes : numpy.ndarray
        uint8 (m, 32), of the images that are hashed, in the table's order.
    damaged : dict
        Why an image could not be read, by row number.
    """

    table: pd.DataFrame
    hashes: np.ndarray
    damaged: dict[int, str]


def read_folder(data: ManifestDataset, log: Callable[[str], object]) -> Readings:
    """Read every image once, on all cores.

    About 100 bytes of an image are kept for each of its columns, however large it is.

    Parameters
    ----------
    data : ManifestDataset
        The images; its size and transform are left aside.
    log : callable
        Takes a line of progress after every 1,000 images.

    Returns
    -------
    Readings
        An image that cannot be read is no error here, but a line of ``damaged``.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("a.png", "b.png"):
    ...     Image.new("RGB", (96, 64), "pink").save(folder / name)
    >>> _ = (folder / "manifest.csv").write_text("file,label,group\\na.png,0,p1\\nb.png,1,p2\\n")
    >>> read_folder(ManifestDataset(folder), print).table[["width", "height"]].to_numpy().tolist()
    [[96, 64], [96, 64]]
    """
    lines: dict[int, dict[str, Any]] = {}
    hashes: list[np.ndarray] = []
    damaged: dict[int, str] = {}

    def look(item: tuple[int, str]) -> tuple[dict[str, Any] | str, np.ndarray | None]:
        number, file = item
        return _look(data.folder / file, f"row {number} of {MANIFEST}")

    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as threads:
        warnings.simplefilter("ignore")  # Pillow's, of what the findings tell
        for items in _chunks(data.table["file"].items()):
            for (number, _), (found, code) in zip(items, threads.map(look, items), strict=True):
                if isinstance(found, str):
                    damaged[number] = found
                    continue
                lines[number] = found
                if code is not None:
                    hashes.append(code)
            done = len(lines) + len(damaged)
            if done < len(data):
                log(f"{done:,} of {len(data):,} images read")
    table = pd.DataFrame.from_dict(lines, orient="index")
    codes = np.array(hashes, np.uint8).reshape(-1, 32)
    return Readings(table, codes, damaged)


def _chunks(items: Iterable[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Items in lists of at most ``CHUNK``."""
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _look(path: Path, where: str) -> tuple[dict[str, Any] | str, np.ndarray | None]:
    """What one image is like, and its hash; or why it cannot be read, and None."""
    facts: dict[str, Any] = {}
    try:
        image = read_image(path, where, observe=lambda loaded: facts.update(_facts(loaded)))
        facts["bits"] = _bits(path, facts)
    except (DataError, OSError) as error:
        return str(error), None
    facts.update(_measure(image))
    code = hash_image(image)
    facts["hashed"] = code is not None
    return facts, code


def _facts(image: Image.Image) -> dict[str, Any]:
    """What the file tells: of Pillow's image, before it is converted to RGB."""
    alpha = image.mode in TRANSPARENT or "transparency" in image.info
    see_through = alpha and image.convert("RGBA").getextrema()[3][0] < 255
    return {
        "format": image.format,
        "mode": image.mode,
        "pages": getattr(image, "n_frames", 1),
        "orientation": image.getexif().get(ORIENTATION, UPRIGHT),
        "see_through": see_through,
    }


def _bits(path: Path, facts: dict[str, Any]) -> int:
    """Bits per channel in the file; Pillow's modes of colour do not tell those of a PNG."""
    if facts["mode"] in SIXTEEN_BIT:
        return 16
    if facts["format"] != "PNG":
        return 8
    with path.open("rb") as stream:
        return 16 if stream.read(HEADER)[PNG_BITS] == 16 else 8


def _measure(image: np.ndarray) -> dict[str, Any]:
    """What the pixels tell."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    channels = cv2.split(image)
    highest = cv2.max(cv2.max(channels[0], channels[1]), channels[2])
    lowest = cv2.min(cv2.min(channels[0], channels[1]), channels[2])
    return {
        "width": image.shape[1],
        "height": image.shape[0],
        "range": max(int(channel.max()) - int(channel.min()) for channel in channels),
        "brightest": int(highest.max()),
        "grey": bool(cv2.subtract(highest, lowest).mean() < GREY),
        "white": float((lowest >= WHITE).mean()),
        "black": float((highest <= BLACK).mean()),
        "sharpness": laplacian_variance(grey),
    }
