"""One tile of a shard: its name, its image, what is known of it, and the bytes it is stored as."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import simplejpeg

from sdlib.checks import check_rgb, describe_value
from sdlib.datasets.reading import iter_chunks
from sdlib.datasets.tiles import TileSet
from sdlib.errors import DataError

__all__ = [
    "QUALITY",
    "SUBSAMPLING",
    "UNLABELLED",
    "DeferredTile",
    "ShardTile",
    "encode_tile",
    "tiles_of",
]

#: JPEG quality of stored tiles: values of H&E tiles are off by two grey levels in the mean.
QUALITY = 90
#: Colour is kept at full resolution: stains are told apart, and shifted, by colour alone.
SUBSAMPLING = "444"
#: The target, in an index, of a tile without one.
UNLABELLED = -1

# A dot would end WebDataset's key, and tar's plainest header holds names of up to 100 bytes.
KEY = re.compile(r"[A-Za-z0-9_-]{1,90}")
FACTOR = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
START_OF_JPEG = b"\xff\xd8\xff"
LARGEST_INTEGER = 2**63 - 1
CHUNK_TILES = 64  # read at a time from a set


@dataclass(frozen=True, eq=False)
class ShardTile:
    """A tile on its way into a shard.

    Parameters
    ----------
    key : str
        Its name, found once in a set: letters, digits, ``_`` and ``-``, 90 at most.
    image : numpy.ndarray or bytes
        uint8, shape ``(S, S, 3)``, RGB; or the content of a colour JPEG file, which is stored as
        it is.
    target : int or None
        0 benign, 1 cancer, None unknown.
    group : str
        Patient or slide: tiles of one group are never split.
    factors : mapping of str to bool, int, float or str
        What else is known, under the same names for every tile of a set.

    Examples
    --------
    >>> tile = ShardTile("a_x0_y0", np.zeros((8, 8, 3), np.uint8), 1, "a", {"x": 0})
    >>> jpeg, size, note = encode_tile(tile)
    >>> size, note
    (8, b'{"target":1,"group":"a","factors":{"x":0}}')
    """

    key: str
    image: np.ndarray | bytes
    target: int | None
    group: str
    factors: Mapping[str, bool | int | float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.key, str) or not KEY.fullmatch(self.key):
            raise DataError(
                f"expected a tile's key of 1 to 90 letters, digits, _ and -, got "
                f"{describe_value(self.key)}: rename the tile"
            )
        if self.target is not None and self.target not in (0, 1):
            raise DataError(
                f"expected a target of 0, 1 or None, got {describe_value(self.target)} "
                f"for the tile {self.key}"
            )
        if not isinstance(self.group, str) or not self.group or "\0" in self.group:
            raise DataError(
                f"expected the name of a group, got {describe_value(self.group)} for the tile "
                f"{self.key}: give its patient or slide"
            )
        factors = {name: _plain(name, value, self.key) for name, value in self.factors.items()}
        object.__setattr__(self, "factors", factors)


@dataclass(frozen=True, eq=False)
class DeferredTile:
    """A tile that is made only when its shard is written, and not if the shard is there already.

    Parameters
    ----------
    key : str
        The tile's key.
    make : callable
        Without arguments; returns the :class:`ShardTile` of that key.

    Examples
    --------
    >>> tile = ShardTile("a", np.zeros((8, 8, 3), np.uint8), 1, "patient")
    >>> DeferredTile("a", lambda: tile).make() is tile
    True
    """

    key: str
    make: Callable[[], ShardTile]


def _plain(name: str, value: object, key: str) -> bool | int | float | str:
    """A factor's value as a plain Python object that JSON and NumPy can hold."""
    if not isinstance(name, str) or not FACTOR.fullmatch(name):
        raise DataError(
            f"expected a factor's name of letters, digits and _, got {describe_value(name)} "
            f"for the tile {key}"
        )
    plain = value.item() if isinstance(value, np.generic) else value
    fits = isinstance(plain, (bool, str)) or (
        isinstance(plain, int) and abs(plain) <= LARGEST_INTEGER
    )
    if not fits and not (isinstance(plain, float) and math.isfinite(plain)):
        raise DataError(
            f"expected a finite number, a truth value or a text as {name} of the tile {key}, got "
            f"{describe_value(value)}: leave the factor out, or give another value"
        )
    return plain


def encode_tile(tile: ShardTile, quality: int = QUALITY) -> tuple[bytes, int, bytes]:
    """Turn a tile into the content of its two files.

    Parameters
    ----------
    tile : ShardTile
        The tile.
    quality : int
        Quality of the JPEG, 1 to 100; an image that is one already is not encoded again.

    Returns
    -------
    jpeg : bytes
        The image.
    size : int
        Its side in pixels.
    note : bytes
        Target, group and factors as JSON.

    Raises
    ------
    DataError
        If the image is not square, or is of a format other than colour JPEG.
    ConfigError
        If it is an array of another dtype or shape.

    Examples
    --------
    >>> try:
    ...     encode_tile(ShardTile("a", b"GIF89a", 0, "a"))
    ... except DataError as error:
    ...     print(error)
    expected an RGB array or a JPEG file as the tile a, got a file of another format: decode it \
with sdlib.datasets.read_image first
    """
    if isinstance(tile.image, bytes):
        jpeg, shape = tile.image, _shape_of(tile.image, tile.key)
    else:
        check_rgb(tile.image)
        shape = tile.image.shape[:2]
        # The encoder wants rows without gaps, which a cut-out view does not have.
        image = np.ascontiguousarray(tile.image)
        jpeg = simplejpeg.encode_jpeg(image, quality, "RGB", SUBSAMPLING, fastdct=False)
    height, width = shape
    if height != width:
        raise DataError(
            f"expected square tiles, got {height} x {width} px for the tile {tile.key}: crop it"
        )
    known = {"target": tile.target, "group": tile.group, "factors": tile.factors}
    note = json.dumps(known, ensure_ascii=False, separators=(",", ":")).encode()
    return jpeg, width, note


def _shape_of(data: bytes, key: str) -> tuple[int, int]:
    """Height and width of a JPEG file, which is decoded once to see that it is whole."""
    if not data.startswith(START_OF_JPEG):
        raise DataError(
            f"expected an RGB array or a JPEG file as the tile {key}, got a file of another "
            "format: decode it with sdlib.datasets.read_image first"
        )
    try:
        colours = simplejpeg.decode_jpeg_header(data)[2]
        image = simplejpeg.decode_jpeg(data)
    except ValueError as error:
        raise DataError(f"the JPEG file of the tile {key} is damaged ({error})") from error
    if colours != "YCbCr":
        raise DataError(
            f"expected a JPEG in YCbCr colours as the tile {key}, got {colours}: decode it with "
            "sdlib.datasets.read_image first"
        )
    return image.shape[:2]


def tiles_of(tiles: TileSet, prefix: str = "tile") -> Iterator[ShardTile]:
    """Yield the tiles of a set one by one, as shards take them.

    Parameters
    ----------
    tiles : TileSet
        Any set; its factors have one value per tile.
    prefix : str
        Keys are the prefix, ``_`` and the tile's number in the set.

    Yields
    ------
    ShardTile
        In the set's order.

    Raises
    ------
    DataError
        If a factor has several values per tile, or one that shards cannot hold.

    Examples
    --------
    >>> images = np.zeros((2, 8, 8, 3), np.uint8)
    >>> tiles = TileSet(images, np.array([0, 1]), np.array(["a", "b"]))
    >>> [(tile.key, tile.group) for tile in tiles_of(tiles)]
    [('tile_00000000', 'a'), ('tile_00000001', 'b')]
    """
    for name, column in tiles.factors.items():
        if np.ndim(column) != 1:
            raise DataError(
                f"expected one value of {name} per tile, got an array of shape {np.shape(column)}: "
                "leave this factor out"
            )
    for rows, images in iter_chunks(tiles.store, CHUNK_TILES):
        for number, image in enumerate(images, start=rows.start):
            yield ShardTile(
                f"{prefix}_{number:08d}",
                image,
                int(tiles.targets[number]),
                str(tiles.groups[number]),
                {name: column[number] for name, column in tiles.factors.items()},
            )
