"""Data sets: one per module, and each is returned as a set of tiles with targets and groups.

The names below are loaded when they are first used: processes that only render phantoms need not
wait for PyTorch.

Examples
--------
>>> from sdlib import datasets
>>> datasets.grouped_split.__module__
'sdlib.datasets.splits'
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# The module that holds each name.
HOMES = {
    "ImageStore": "image_stores",
    "ManifestDataset": "manifest",
    "TileSet": "tiles",
    "add_cutouts": "cutout",
    "grouped_split": "splits",
    "load_bimcv": "bimcv",
    "load_camelyon17": "camelyon17",
    "load_covidx8": "covidx",
    "load_github_films": "github_films",
    "load_lc25000_lung": "open_he",
    "load_open_cxr": "open_cxr",
    "load_open_pcam": "open_he",
    "load_padchest": "padchest",
    "load_panda": "panda",
    "load_pcam": "pcam",
    "load_peso": "peso",
    "load_phantom_films": "phantom_films",
    "load_v7_lungs": "v7_lungs",
    "make_cutout_set": "cutout",
    "open_shards": "shards",
    "read_image": "images",
}

# Spelt out, because linters and editors do not follow list(HOMES).
__all__ = [
    "ImageStore",
    "ManifestDataset",
    "TileSet",
    "add_cutouts",
    "grouped_split",
    "load_bimcv",
    "load_camelyon17",
    "load_covidx8",
    "load_github_films",
    "load_lc25000_lung",
    "load_open_cxr",
    "load_open_pcam",
    "load_padchest",
    "load_panda",
    "load_pcam",
    "load_peso",
    "load_phantom_films",
    "load_v7_lungs",
    "make_cutout_set",
    "open_shards",
    "read_image",
]


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
