"""Rendering a film: one look-up a pixel against pydicom, which computes with every pixel."""

import importlib.metadata

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from sdlib.films import film_tags, render_film

LEAST = 3  # times as fast as pydicom
HEIGHT, WIDTH = 2500, 3000  # px, as films are


@pytest.fixture(scope="module")
def dataset():
    dataset = Dataset()
    dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.PixelRepresentation, dataset.BitsStored = 0, 12
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    return dataset


@pytest.fixture(scope="module")
def stored():
    """A film of 12 bits: waves with noise."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    noise = np.random.default_rng(0).normal(0, 20, (HEIGHT, WIDTH))
    values = 2000 + 1500 * np.sin(columns / 400) * np.cos(rows / 300) + noise
    return values.clip(0, 4095).astype(np.uint16)


def test_rendering(alternate, line, dataset, stored):
    tags = film_tags(dataset, "a film")
    pictures = {}

    def with_pydicom():
        shown = apply_voi_lut(apply_modality_lut(stored, dataset), dataset)
        pictures["pydicom"] = 255 - np.rint(shown / 4095 * 255).astype(np.uint8)

    def with_table():
        pictures["table"] = render_film(stored, tags)

    seconds = alternate({"table": with_table, "pydicom": with_pydicom}, rounds=7)
    np.testing.assert_array_equal(pictures["table"], pictures["pydicom"])
    ratio = seconds["pydicom"] / seconds["table"]
    what = f"a film of {WIDTH} x {HEIGHT} px"
    peer = f"pydicom {importlib.metadata.version('pydicom')}"
    line((what, f"{seconds['table'] * 1e3:.0f} ms", peer, f"{ratio:.1f}", f"at least {LEAST}"))
    assert ratio >= LEAST
