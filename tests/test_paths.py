"""Folders that environment variables name: the same from wherever they are asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdlib.datasets.store import data_folder as folder_of_data
from sdlib.errors import SdlibError
from sdlib.files import write_json
from sdlib.paths import ROOT, data_folder, named_folder, outputs_folder, outputs_in, recorded_folder

FOLDERS = {"SDLIB_OUTPUTS": outputs_folder, "SDLIB_RECORDED": recorded_folder}
each_folder = pytest.mark.parametrize(("variable", "folder"), FOLDERS.items(), ids=list(FOLDERS))


@each_folder
def test_a_relative_path_counts_from_the_repository(variable, folder, tmp_path, monkeypatch):
    monkeypatch.setenv(variable, "out/of the way")
    expected = ROOT / "out" / "of the way"
    assert folder() == expected
    monkeypatch.chdir(tmp_path)  # as a chapter's kernel does
    assert folder() == expected
    monkeypatch.setenv(variable, "../beside")
    assert folder() == ROOT.parent / "beside"


@each_folder
def test_the_home_folder_is_known(variable, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable, "~/rows")
    assert folder() == tmp_path / "rows"


@each_folder
def test_absolute_paths_are_as_they_were_given(variable, folder, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.setenv(variable, str(tmp_path / "link"))
    assert folder() == tmp_path / "link"


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variables_the_repositorys_own(value, monkeypatch):
    for variable in FOLDERS:
        if value is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, value)
    assert outputs_folder() == ROOT / "outputs"
    assert recorded_folder() == data_folder() / "results" == ROOT / "data" / "results"
    assert named_folder("SDLIB_OUTPUTS", Path("/other")) == Path("/other")


def test_a_process_in_a_chapters_folder_finds_the_same(monkeypatch):
    chapter = next((ROOT / "book").glob("2_*"))
    script = "from sdlib.paths import outputs_folder; print(outputs_folder())"
    found = {
        subprocess.run(
            [sys.executable, "-B", "-c", script],
            cwd=cwd,
            env={**os.environ, "SDLIB_OUTPUTS": "out", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for cwd in (ROOT, chapter)
    }
    assert found == {str(ROOT / "out")}


def test_data_lie_in_the_home_folder_too(tmp_path, monkeypatch):
    (tmp_path / "tiles" / "pcam").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SDLIB_DATA", "~/tiles")
    assert folder_of_data("pcam") == tmp_path / "tiles" / "pcam"


# -- What stands where the folder should be


def test_a_dangling_link_is_said(tmp_path, monkeypatch):
    (tmp_path / "outputs").symlink_to(tmp_path / "unplugged disk")
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "outputs"))
    sentence = r"outputs is a link to .*unplugged disk, which is not there: make that folder"
    for file in ("row.json", "phantom/quick/row.json"):
        with pytest.raises(SdlibError, match=sentence):
            write_json(outputs_folder() / file, {})


def test_a_file_is_said(tmp_path, monkeypatch):
    (tmp_path / "outputs").write_text("")
    monkeypatch.setenv("SDLIB_OUTPUTS", str(tmp_path / "outputs"))
    sentence = r"outputs is a file, not a folder: remove it, or choose"
    for file in ("row.json", "phantom/quick/row.json"):
        with pytest.raises(SdlibError, match=sentence):
            write_json(outputs_folder() / file, {})


class TestOutputsIn:
    def test_the_folder_holds_for_the_block(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SDLIB_OUTPUTS", "/before")
        with outputs_in(tmp_path / "results") as folder:
            assert folder == outputs_folder() == tmp_path / "results"
            assert not folder.exists()
        assert outputs_folder() == Path("/before")

    def test_it_is_given_back_after_an_error(self, tmp_path, monkeypatch):
        monkeypatch.delenv("SDLIB_OUTPUTS", raising=False)
        before = outputs_folder()
        with pytest.raises(ZeroDivisionError), outputs_in(tmp_path):
            raise ZeroDivisionError
        assert outputs_folder() == before
        assert "SDLIB_OUTPUTS" not in os.environ

    def test_a_relative_path_is_of_the_working_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with outputs_in("results") as folder:
            assert folder == tmp_path / "results"

    def test_without_a_folder_nothing_changes(self):
        before = outputs_folder()
        with outputs_in(None) as folder:
            assert folder == before
