"""Damage in JPEGs: libjpeg's warnings, as OpenCV prints them, are the oracle of the reader."""

import io
import os
import re
import tempfile

import cv2
import numpy as np
import pytest
from PIL import Image

from sdlib.datasets.images import read_image
from sdlib.errors import DataError

KINDS = [
    {"subsampling": subsampling, "progressive": progressive, **restart}
    for subsampling in (0, 1, 2)
    for progressive in (False, True)
    for restart in ({}, {"restart_marker_blocks": 3}, {"restart_marker_rows": 1})
]


def encoded(mode="RGB", shape=(37, 51), quality=80, seed=0, **options):
    noise = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = Image.fromarray(cv2.GaussianBlur(noise, (0, 0), 1.5)).convert(mode)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality, **options)
    return stream.getvalue()


def libjpeg_warns(data):
    """Whether libjpeg prints a warning, which goes past Python's standard error."""
    with tempfile.TemporaryFile() as caught:
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        caught.seek(0)
        printed = caught.read()
    return b"Corrupt JPEG data" in printed or b"Premature end of JPEG" in printed


def damage(data, path):
    """What the reader says is damaged in a JPEG; empty where it reads it."""
    path.write_bytes(data)
    try:
        read_image(path)
    except DataError as error:
        return re.search(r"is damaged inside \((.*)\)", str(error))[1]
    return ""


def pillow_reads(data):
    try:
        Image.open(io.BytesIO(data), formats=["JPEG"]).load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("shape", [(1, 1), (37, 51), (96, 96)])
def test_whole_files_have_no_damage(mode, shape, tmp_path):
    path = tmp_path / "tile.jpg"
    for kind in KINDS:
        for quality in (20, 100):
            assert damage(encoded(mode, shape, quality, optimize=True, **kind), path) == ""
            assert damage(encoded(mode, shape, quality, **kind), path) == ""


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_damage_that_libjpeg_warns_of_is_found(kind, tmp_path):
    rng, path = np.random.default_rng(1), tmp_path / "tile.jpg"
    warned = 0
    for seed in range(4):
        whole = encoded(seed=seed, **kind)
        begin = whole.index(b"\xff\xda") + 14
        for _ in range(20):
            damaged = bytearray(whole)
            for position in rng.integers(begin, len(whole) - 2, rng.choice([1, 2, 8])):
                damaged[position] = rng.integers(256)
            if not pillow_reads(bytes(damaged)):
                continue
            warns = libjpeg_warns(bytes(damaged))
            warned += warns
            assert bool(damage(damaged, path)) == warns
    assert warned > 5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: data[:-60] + data[-2:], "Corrupt JPEG data: premature end of data segment"),
        (lambda data: data[:-2] + bytes(50) + data[-2:], "extraneous bytes before marker 0xd9"),
        (lambda data: data + b"a comment of a scanner", ""),
    ],
)
def test_what_is_wrong_is_told(change, sentence, tmp_path):
    told = damage(change(encoded()), tmp_path / "tile.jpg")
    assert told.endswith(sentence)
    assert bool(told) == bool(sentence)


def test_a_restart_marker_out_of_turn(tmp_path):
    data = encoded(restart_marker_blocks=1).replace(b"\xff\xd1", b"\xff\xd4", 1)
    assert "found marker 0xd4 instead of RST1" in damage(data, tmp_path / "tile.jpg")
