"""Names of folders as sources: one per folder, read back whole, safe as names of files."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from sdlib.datasets.folder_names import (
    file_name,
    folder_name,
    is_folder,
    name_parts,
    short_name,
)
from sdlib.errors import ConfigError

#: Whatever may be in a path on Linux, the characters among them that separate a name's parts.
PIECES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1)
PATHS = st.lists(st.one_of(PIECES, st.sampled_from(["%", "?positive=x", "a&b", "%3F"])), min_size=1)
LABELS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3)


@given(PATHS, LABELS)
def test_a_name_is_read_back_whole(pieces, labels):
    path = os.path.realpath("/" + "/".join(pieces))
    name = folder_name(path, labels)
    assert is_folder(name)
    assert name_parts(name) == (Path(path), tuple(sorted(set(labels))))


@given(PATHS, LABELS)
def test_it_is_safe_as_the_name_of_a_file(pieces, labels):
    name = folder_name("/" + "/".join(pieces), labels)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,49}", file_name(name))


@given(PATHS, PATHS)
def test_two_folders_have_two_names(one, other):
    paths = [os.path.realpath("/" + "/".join(pieces)) for pieces in (one, other)]
    assert (paths[0] == paths[1]) == (
        file_name(folder_name(paths[0])) == file_name(folder_name(paths[1]))
    )


def test_a_folder_has_one_name_from_everywhere(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    names = {folder_name(path) for path in ("mine", "./mine/", "link", tmp_path / "mine")}
    assert len(names) == 1
    assert short_name(names.pop()) == "mine"


def test_labels_in_any_order_are_one_name():
    assert folder_name("/a", ["b", "a", "b"]) == folder_name("/a", ["a", "b"])


@pytest.mark.parametrize("name", ["folder:", "folder:mine", "folder:/a?split=b", "folder:/a?b"])
def test_other_names_are_refused(name):
    with pytest.raises(ConfigError, match="expected folder: and an absolute path"):
        name_parts(name)


@pytest.mark.parametrize("path", ["/a\0b", os.fsdecode(b"/caf\xe9")])
def test_a_path_that_is_no_text_is_refused(path):
    with pytest.raises(ConfigError, match="valid text"):
        folder_name(path)


def test_other_sources_keep_their_names():
    assert (file_name("phantom"), short_name("open"), is_folder("pcam")) == (
        "phantom",
        "open",
        False,
    )
