"""The doctor sees what is there and says what is missing."""

import importlib.metadata
import re
from collections import namedtuple
from pathlib import Path

import torch

from sdlib.datasets.sources import FILMS, IMAGES, TILES
from sdlib.paths import ROOT
from sdlib.pipeline import doctor


def lines(heading):
    return [line[12:] for line in doctor.report().splitlines() if line.startswith(heading)]


def state_of(name, images):
    """What the one line of a source says."""
    beginning = f"{name} ({images}): "
    (line,) = (line for line in lines("source") if line.startswith(beginning))
    return line.removeprefix(beginning)


def test_every_line_has_a_heading(outputs):
    report = doctor.report().splitlines()
    headings = [line[:12].strip() for line in report]
    sources = sum(map(len, IMAGES.values()))
    assert headings == ["Python", "packages", "device", "disk", "outputs"] + ["source"] * sources
    assert all(line[12:].strip() for line in report)


def test_pins_that_are_not_met(monkeypatch):
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements.txt").read_text(), re.M))
    assert len(pins) > 20
    monkeypatch.setattr(importlib.metadata, "version", lambda name: pins[name])
    assert lines("packages") == ["as pinned"]

    def version(name):
        if name == "numpy":
            return "0.1"
        if name == "timm":
            raise importlib.metadata.PackageNotFoundError
        return pins[name] + ("+cpu" if name == "torch" else "")  # a local build will do

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert set(lines("packages")[0].split("; ")) == {
        f"numpy: pinned {pins['numpy']}, found 0.1",
        f"timm: pinned {pins['timm']}, found absent",
    }


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert lines("device")[0].startswith("no GPU: training runs on the CPU, ")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"H{index}")
    assert lines("device")[0].startswith("H0, H1, ")


def test_disk_and_outputs(outputs, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(0, 0, 3 * 2**30))
    assert lines("disk") == ["3 GiB free"]
    assert lines("outputs") == [str(outputs)]


def test_the_disk_is_that_of_the_outputs(monkeypatch, tmp_path):
    """Another disk, perhaps, and the folder need not be there yet."""
    usage = namedtuple("usage", "total used free")
    gib = {tmp_path: 5}
    monkeypatch.setattr(
        doctor.shutil, "disk_usage", lambda path: usage(0, 0, gib.get(Path(path), 1) * 2**30)
    )
    for outputs in (tmp_path, tmp_path / "not" / "there"):
        monkeypatch.setenv("SDLIB_OUTPUTS", str(outputs))
        assert lines("disk") == ["5 GiB free"]
    (tmp_path / "link").symlink_to(ROOT)
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "link" / "outputs"))
    assert lines("disk") == ["1 GiB free"]


def test_outputs_that_cannot_be_written_to(monkeypatch, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone" / "folder")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "note").write_text("")
    for name, found in (
        ("link", f"{tmp_path / 'link'} is a link to {tmp_path / 'gone' / 'folder'}, which is not"),
        ("link/below", f"{tmp_path / 'link'} is a link to {tmp_path / 'gone' / 'folder'}, which"),
        ("loop", f"{tmp_path / 'loop'} is a link to loop, which is not there"),
        ("note", f"{tmp_path / 'note'} is a file, not a folder"),
    ):
        outputs = tmp_path / name
        monkeypatch.setenv("SDLIB_OUTPUTS", str(outputs))
        assert lines("outputs")[0].startswith(f"{outputs}: {found}")
        assert lines("disk")[0].endswith(" GiB free")


def test_sources(outputs, monkeypatch, tmp_path):
    for images, sources in IMAGES.items():
        for name, source in sources.items():
            state = state_of(name, images)
            if not source.folder:
                assert state == "ready"
            else:
                hint = f" It can be had by '{source.fetch}'." if source.fetch else ""
                assert "SDLIB_DATA" in state
                assert state.endswith(hint)
    (tmp_path / "open-pcam").mkdir()
    monkeypatch.setenv("SDLIB_DATA", str(tmp_path))
    assert state_of("open", TILES) == f"found in {tmp_path / 'open-pcam'}"
    for name, images in (("open", FILMS), ("pcam", TILES), ("bimcv", FILMS)):
        assert "found no such folder" in state_of(name, images)


def test_tiles_and_films_of_one_name_lie_in_folders_of_their_own(outputs, monkeypatch, tmp_path):
    (tmp_path / "open-cxr").mkdir()
    monkeypatch.setenv("SDLIB_DATA", str(tmp_path))
    assert state_of("open", FILMS) == f"found in {tmp_path / 'open-cxr'}"
    assert "open-pcam" in state_of("open", TILES)
    assert state_of("phantom", TILES) == state_of("phantom", FILMS) == "ready"
