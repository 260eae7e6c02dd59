"""Perceptual hashes: copies have them in common, other tissue has not."""

import csv
import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from sdlib.datasets.folder_checks import hashes as module
from sdlib.datasets.folder_checks.hashes import BITS, CLOSE, hash_image, nearest_elsewhere
from sdlib.datasets.images import read_image
from sdlib.errors import ConfigError
from tests.datasets.test_open_he import at_hand, needs_open_he


def jpeg(image, quality):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def resized(image, factor):
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=method)


def levels(image, factor, offset):
    return np.clip(image.astype(float) * factor + offset, 0, 255).astype(np.uint8)


COPIES = {
    "jpeg 90": lambda image: jpeg(image, 90),
    "jpeg 20": lambda image: jpeg(image, 20),
    "half": lambda image: resized(image, 0.5),
    "double": lambda image: resized(image, 2),
    "wider": lambda image: cv2.resize(image, (120, 80)),
    "brighter": lambda image: levels(image, 1, 25),
    "darker": lambda image: levels(image, 0.7, 0),
    "more contrast": lambda image: levels(image, 1.3, -30),
    "grey": lambda image: cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 8),
    "blurred": lambda image: cv2.GaussianBlur(image, (0, 0), 1.5),
    "mirrored": lambda image: image[:, ::-1],
    "upside down": lambda image: image[::-1],
    "turned": lambda image: np.rot90(image),
    "turned, mirrored, small": lambda image: resized(np.rot90(image)[:, ::-1], 0.5),
}


def distances(originals, copies):
    """Bits in which each copy differs from its original, in the nearest of eight positions."""
    codes = np.array([hash_image(np.ascontiguousarray(image)) for image in [*originals, *copies]])
    n = len(originals)
    found = []
    for i in range(n):
        [(distance, _)] = nearest_elsewhere(codes[[i, n + i]], [np.array([0, 1])])
        found.append(distance[0])
    return np.array(found)


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES.keys())
def test_copies_are_found(tiles, copy):
    originals = tiles.images[::10]
    assert distances(originals, [copy(image) for image in originals]).max() <= CLOSE


def test_other_tiles_are_not(tiles):
    """Not one of the 4,950 pairs, in any of eight positions."""
    codes = np.array([hash_image(image) for image in tiles.images])
    [(distance, _)] = nearest_elsewhere(codes, [np.arange(len(codes))])
    assert distance.min() > 1.5 * CLOSE


@needs_open_he
def test_real_tiles():
    root = at_hand("open-he")
    with (root / "manifest.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    images = [read_image(root / row["file"]) for row in rows[::8]]
    codes = np.array([hash_image(image) for image in images])
    groups = np.unique([row["group"] for row in rows[::8]], return_inverse=True)[1]
    [(distance, _)] = nearest_elsewhere(codes, [groups])
    assert distance.min() > 1.5 * CLOSE
    for copy in (COPIES["jpeg 20"], COPIES["half"], COPIES["brighter"], COPIES["turned"]):
        assert distances(images[:20], [copy(image) for image in images[:20]]).max() <= CLOSE


def test_images_that_show_nothing_have_none():
    noise = np.random.default_rng(0).integers(238, 243, (64, 64, 3), np.uint8)
    assert hash_image(noise) is None
    assert hash_image(np.zeros((1, 1, 3), np.uint8)) is None


def test_only_images_are_hashed():
    with pytest.raises(ConfigError, match="expected"):
        hash_image(np.zeros((8, 8), np.uint8))


def positions(image):
    """An image in the eight positions of a square."""
    for turned in (image, image.transpose(1, 0, 2)):
        for up in (1, -1):
            for left in (1, -1):
                yield np.ascontiguousarray(turned[::up, ::left])


def test_nearest_is_what_eight_hashes_say(tiles, monkeypatch):
    """Brute force: each image is turned and mirrored, and hashed anew."""
    monkeypatch.setattr(module, "BLOCK", 7)
    images = tiles.images[:20]
    codes = np.array([hash_image(image) for image in images])
    bits = np.unpackbits(codes, axis=1, count=BITS)
    part = np.arange(20) % 3
    wanted = np.full((20, 20), BITS + 1)
    for i, image in enumerate(images):
        for position in positions(image):
            turned = np.unpackbits(hash_image(position), count=BITS)
            apart = (turned != bits).sum(axis=1)
            wanted[i] = np.where(part != part[i], np.minimum(wanted[i], apart), BITS + 1)
    [(distance, nearest), (none, _)] = nearest_elsewhere(codes, [part, np.zeros(20, int)])
    # Waves of exactly 0 have no sign to change; rounding may decide about one or two.
    assert np.abs(distance - wanted.min(axis=1)).max() <= 2
    assert (part[nearest] != part).all()
    assert (none == BITS + 1).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 4))
def test_nearest_is_mutual(seed, n, parts):
    rng = np.random.default_rng(seed)
    codes = np.packbits(rng.integers(0, 2, (n, BITS), np.uint8), axis=1)
    part = rng.integers(0, parts, n)
    [(distance, nearest)] = nearest_elsewhere(codes, [part])
    for i in np.flatnonzero(distance <= BITS):
        assert part[nearest[i]] != part[i]
        assert distance[nearest[i]] <= distance[i]


def test_no_hashes():
    [(distance, nearest)] = nearest_elsewhere(np.zeros((0, 32), np.uint8), [np.zeros(0, int)])
    assert len(distance) == len(nearest) == 0
