"""What the paper's millions of tiles would take on this machine, from rates measured on it."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import simplejpeg

from sdlib.checks import check_number
from sdlib.datasets.shards import (
    QUALITY,
    ShardTile,
    ShardWriter,
    open_decoded,
    open_shards,
    write_index,
)
from sdlib.datasets.tiles import TileSet
from sdlib.datasets.tiling.one_slide import tile_slide
from sdlib.datasets.tiling.settings import Tiling
from sdlib.datasets.tiling.slide_files import SlideFile
from sdlib.errors import ConfigError
from sdlib.phantoms import draw_tiles, render

__all__ = [
    "PAPER_TILES",
    "TileRates",
    "measure_cutting",
    "measure_rates",
    "rate_table",
    "scale_table",
]

#: Numbers of tiles in the paper: 1.0 and 3.7 million of 30 cases, then those of 60 later cases.
PAPER_TILES = {"30 cases, two scanners": 4_700_000, "60 later cases": 13_100_000}
DRAWN = 24  # different phantom tiles; each is stored several times
BATCH_BYTES = 10 << 20
ROUNDS = 3
MOSAIC = 512  # side in pixels of the pieces that a phantom slide is put together from
PYRAMID = {"Q": 80, "tile_width": 512, "tile_height": 512, "xres": 2000, "yres": 2000}


@dataclass(frozen=True)
class TileRates:
    """Tiles per second of one core, in seconds of its own work: waiting for a disk is not in it.

    Parameters
    ----------
    size : int
        Side of a tile in pixels.
    write : float
        Encoding and writing to shards.
    read : float
        Reading from shards in random order.
    decode : float
        Decoding the same bytes in memory, without shards.
    cached : float
        Reading from the memory map of decoded tiles, all of which are in memory.
    shard_bytes, index_bytes : float
        Bytes per tile in shards and in their index.
    """

    size: int
    write: float
    read: float
    decode: float
    cached: float
    shard_bytes: float
    index_bytes: float


def measure_rates(size: int = 224, n: int = 192, seed: int = 0) -> TileRates:
    """Measure the rates of this machine on phantom tiles; a few seconds at 224 px.

    Parameters
    ----------
    size : int
        Side of a tile in pixels, at least 16.
    n : int
        Tiles that are written and read, at least 1.
    seed : int
        At least 0.

    Returns
    -------
    TileRates
        Medians of three rounds.

    Examples
    --------
    >>> rates = measure_rates(size=32, n=24)
    >>> rates.size, rates.cached > rates.read
    (32, True)
    """
    check_number("n", n, 1, whole=True)
    images = [render(tile, size) for tile in draw_tiles(min(n, DRAWN), seed)]
    tiles = [
        ShardTile(f"t{k}", images[k % len(images)], k % 2, f"patient {k}", {"x": k, "y": k})
        for k in range(n)
    ]
    with TemporaryDirectory() as name:
        folder = Path(name)
        sets = iter(f"set{k}" for k in range(ROUNDS + 1))
        write = _rate(n, lambda: ShardWriter(folder, next(sets)).write(tiles))
        index = write_index(folder, ["set0"])
        shards, cached = open_shards(folder), open_decoded(folder, cache=folder)
        order = np.random.default_rng(seed).permutation(n)
        content = (folder / index.shards[0].name).read_bytes()
        columns = (index.place, index.targets, index.groups, *index.factors.values())
        return TileRates(
            size=size,
            write=write,
            read=_rate(n, lambda: _read(shards, order)),
            decode=_rate(n, lambda: _decode(content, index.place[order], size)),
            cached=_rate(n, lambda: _read(cached, order)),
            shard_bytes=sum(shard.bytes for shard in index.shards) / n,
            index_bytes=sum(column.nbytes for column in columns) / n,
        )


def measure_cutting(size: int = 512, side: int = 4096, seed: int = 0) -> float:
    """Measure how fast slides become shards: reading, tissue, metrics, encoding and writing.

    The slide is a mosaic of phantom tiles in a tiled JPEG pyramid, the form of PESO and PANDA.

    Parameters
    ----------
    size : int
        Side of a tile in pixels.
    side : int
        Side of the slide in pixels, a multiple of 512.
    seed : int
        At least 0.

    Returns
    -------
    float
        Tiles per second of one core, the median of three rounds.

    Examples
    --------
    >>> measure_cutting(size=128, side=512) > 0
    True
    """
    import pyvips

    check_number("side", side, MOSAIC, whole=True)
    images = [render(tile, MOSAIC) for tile in draw_tiles(DRAWN, seed)]
    across = side // MOSAIC
    rows = [
        np.concatenate([images[(across * row + column) % DRAWN] for column in range(across)], 1)
        for row in range(across)
    ]
    with TemporaryDirectory() as name:
        folder = Path(name)
        slide = SlideFile(folder / "slide.tiff", "slide.tiff", "slide", "slide")
        mosaic = pyvips.Image.new_from_array(np.concatenate(rows))
        mosaic.tiffsave(slide.path, tile=True, pyramid=True, compression="jpeg", **PYRAMID)
        rounds = iter(folder / f"round{k}" for k in range(ROUNDS + 1))
        # All tiles are kept: background costs next to nothing, and would flatter the rate.
        tiling = Tiling(size, max_background=1.0)
        n = tile_slide(slide, folder / "first", tiling, {})["tiles"]
        return _rate(n, lambda: tile_slide(slide, next(rounds), tiling, {}))


def _rate(n: int, call: Callable[[], object]) -> float:
    """Tiles per second of this process's own time, the median of a few calls after the first."""
    call()
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return n / max(statistics.median(seconds), 1e-9)


def _batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Rows in batches of about :data:`BATCH_BYTES`."""
    length = max(1, BATCH_BYTES // (3 * size * size))
    return [order[k : k + length] for k in range(0, len(order), length)]


def _read(tiles: TileSet, order: np.ndarray) -> None:
    """Read tiles in an order, and throw them away."""
    for rows in _batches(order, tiles.size):
        tiles.batch(rows)


def _decode(content: bytes, places: np.ndarray, size: int) -> None:
    """Decode tiles from memory into batches."""
    for batch in _batches(places, size):
        images = np.empty((len(batch), size, size, 3), np.uint8)
        for image, (_, length, offset, _) in zip(images, batch.tolist(), strict=True):
            simplejpeg.decode_jpeg(content[offset : offset + length], "RGB", buffer=image)


def rate_table(rates: TileRates) -> pd.DataFrame:
    """Rates as they were measured, one line each, and their ratio to decoding alone.

    Parameters
    ----------
    rates : TileRates
        What :func:`measure_rates` returns.

    Returns
    -------
    pandas.DataFrame
        ``tiles per second of a core`` and ``times decoding alone``.

    Examples
    --------
    >>> rates = TileRates(224, 2000.0, 4000.0, 4100.0, 80_000.0, 17_000.0, 80.0)
    >>> rate_table(rates)["tiles per second of a core"].tolist()
    [2000.0, 4000.0, 4100.0, 80000.0]
    """
    found = {
        f"writing shards, quality {QUALITY}": rates.write,
        "reading shards at random": rates.read,
        "decoding alone": rates.decode,
        "reading decoded tiles at random": rates.cached,
    }
    column = pd.Series(found, name="tiles per second of a core")
    return column.to_frame().assign(**{"times decoding alone": column / rates.decode})


def scale_table(
    rates: TileRates,
    cores: int | None = None,
    cut: float | None = None,
    tiles: Mapping[str, int] = PAPER_TILES,
) -> pd.DataFrame:
    """Hours and gigabytes that sets of millions of tiles would take, from measured rates.

    Hours are those of all cores together, each at the rate of one: an estimate that leaves out
    waiting for disks, and is too low where cores share what limits them. There are none for an
    epoch from decoded tiles: sets of this size do not fit in memory, and are read from a map of
    them as fast as the disk is, which :attr:`TileRates.cached` does not tell.

    Parameters
    ----------
    rates : TileRates
        What :func:`measure_rates` returns.
    cores : int, optional
        Cores that work, by default all of this machine.
    cut : float, optional
        What :func:`measure_cutting` returns: adds the hours of ``python -m sdlib tile``.
    tiles : mapping of str to int
        Numbers of tiles by name, by default the paper's.

    Returns
    -------
    pandas.DataFrame
        One line per set: tiles; GB in shards, in their index and decoded; hours to write shards,
        and for an epoch from them.

    Raises
    ------
    ConfigError
        If ``cores`` is not a whole number of at least 1, or ``cut`` is not above 0.

    Examples
    --------
    >>> rates = TileRates(224, 2000.0, 4000.0, 4100.0, 80_000.0, 17_000.0, 80.0)
    >>> table = scale_table(rates, cores=2, tiles={"ours": 14_400_000})
    >>> table.loc["ours", ["hours to write shards", "GB in shards"]].tolist()
    [1.0, 244.8]
    """
    cores = cores if cores is not None else os.cpu_count() or 1
    check_number("cores", cores, 1, whole=True)
    if cut is not None and not cut > 0:
        raise ConfigError(f"expected a rate of cutting above 0, got {cut}")
    n = pd.Series(tiles, name="tiles")
    hours = n / cores / 3600
    columns = {
        "GB in shards": n * rates.shard_bytes / 1e9,
        "GB of index": n * rates.index_bytes / 1e9,
        "GB decoded": n * (3 * rates.size**2) / 1e9,
        "hours to write shards": hours / rates.write,
        "hours of an epoch from shards": hours / rates.read,
    }
    if cut is not None:
        columns["hours to cut slides and write"] = hours / cut
    return n.to_frame().assign(**columns)
