"""Reading what was written: every kind of damage is one sentence, with the file and the line."""

import io
import json
import zipfile

import numpy as np
import pytest

from sdlib.errors import DataError
from sdlib.files import (
    DamagedError,
    check_entries,
    if_whole,
    read_arrays,
    read_json,
    read_json_lines,
)

ROWS = [{"arm": "a", "seed": 0}, {"arm": "a", "seed": 1}, {"arm": "b", "seed": 0}]
LINES = [json.dumps(row) for row in ROWS]
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def npz(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


WHOLE = npz(logits=np.arange(500.0), targets=np.arange(500) % 2)

DAMAGED_LINES = {
    "cut": ("\n".join(LINES)[:-5], 3, "not JSON"),
    "cut to its first byte": ("{", 1, "not JSON"),
    "empty": ("", None, "it is empty"),
    "blank line": ("\n".join([LINES[0], "", LINES[1]]), 2, "the line is blank"),
    "blank last line": ("\n".join([*LINES, "  ", ""]), 4, "the line is blank"),
    "one newline": ("\n", 1, "the line is blank"),
    "merge marker": ("\n".join([LINES[0], "<<<<<<< HEAD", LINES[1]]), 2, "merge has left"),
    "merge divider": ("\n".join([LINES[0], "======="]), 2, "merge has left"),
    "byte-order mark": ("\ufeff" + LINES[0], 1, "byte-order mark"),
    "git-lfs pointer": (POINTER, None, "pointer of git-lfs"),
    "NaN": (LINES[0] + '\n{"value": NaN}', 2, "NaN is not a number of JSON"),
    "two values in a line": (LINES[0] + LINES[1], 1, "not JSON: Extra data"),
    "zeros": ("\0" * 40, 1, "not JSON"),
    "UTF-16": ("\n".join(LINES).encode("utf-16"), 1, "not UTF-8"),
    "Latin-1": (LINES[0].encode() + b'\n{"arm": "\xe9"}', 2, "not UTF-8"),
    "another kind of file": (WHOLE, None, "not UTF-8"),
    "deep": ("[" * 100_000, 1, "not JSON"),
}
DAMAGED_ARRAYS = {
    "cut": WHOLE[:-99],
    "cut to its head": WHOLE[:100],
    "empty": b"",
    "changed": WHOLE[:200] + bytes([WHOLE[200] ^ 255]) + WHOLE[201:],
    "text": b"not a zip file",
    "git-lfs pointer": POINTER.encode(),
    "byte-order mark": b"\xef\xbb\xbf" + b"PK",
    "pickled objects": npz(rows=np.array([{"a": 1}], dtype=object)),
    "an array alone": np.arange(5).tobytes(),
}


def write(path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("name", DAMAGED_LINES)
def test_damaged_lines(tmp_path, name):
    content, line, why = DAMAGED_LINES[name]
    file = write(tmp_path / "rows.jsonl", content)
    with pytest.raises(DamagedError) as caught:
        read_json_lines(file, remedy="restore it")
    told = str(caught.value)
    where = f"{file}, line {line} is damaged (" if line else f"{file}"
    assert told.startswith(where), told
    assert why in told
    assert told.endswith("): restore it")
    assert "\n" not in told
    assert if_whole(read_json_lines, file) is None


@pytest.mark.parametrize("name", [name for name in DAMAGED_LINES if "blank" not in name])
def test_damaged_json(tmp_path, name):
    content, *_ = DAMAGED_LINES[name]
    file = write(tmp_path / "row.json", content)
    with pytest.raises(DamagedError, match=r"row.json.* is damaged \(.*\): remove it, so that"):
        read_json(file)
    assert if_whole(read_json, file) is None


@pytest.mark.parametrize("name", DAMAGED_ARRAYS)
def test_damaged_arrays(tmp_path, name):
    file = write(tmp_path / "arrays.npz", DAMAGED_ARRAYS[name])
    with pytest.raises(DamagedError) as caught:
        read_arrays(file, remedy="restore it")
    assert str(caught.value).startswith(f"{file} is damaged (")
    assert "\n" not in str(caught.value)
    assert if_whole(read_arrays, file) is None


def test_no_cut_and_no_changed_byte_of_arrays_is_a_traceback(tmp_path):
    """Either the arrays are the very ones that were written, or the file is damaged."""
    stream = io.BytesIO()
    array = io.BytesIO()
    np.save(array, np.arange(300))
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as archive:  # as sweeps are kept
        archive.writestr("x.npy", array.getvalue())
    rng = np.random.default_rng(0)
    found = 0
    for whole in (WHOLE, stream.getvalue()):
        expected = read_arrays(write(tmp_path / "x.npz", whole))
        contents = [whole[: rng.integers(len(whole))] for _ in range(60)]
        for place in rng.integers(len(whole), size=300):
            changed = bytearray(whole)
            changed[place] ^= 1 << rng.integers(8)
            contents.append(bytes(changed))
        for content in contents:
            arrays = if_whole(read_arrays, write(tmp_path / "x.npz", content))
            if arrays is None:
                found += 1
            elif arrays.keys() == expected.keys():
                for name, values in expected.items():
                    np.testing.assert_array_equal(arrays[name], values)
    assert found > 500


def test_an_array_that_is_there_twice(tmp_path):
    array = io.BytesIO()
    np.save(array, np.arange(3))
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", array.getvalue())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x.npy", array.getvalue())
    with pytest.raises(DamagedError, match=r"x.npz is damaged \(.*an array is there twice"):
        read_arrays(tmp_path / "x.npz")


def test_whole_files_are_read(tmp_path):
    assert read_json_lines(write(tmp_path / "a", "\n".join(LINES))) == ROWS
    assert read_json_lines(write(tmp_path / "b", "\r\n".join([*LINES, ""]))) == ROWS
    separator = '{"arm": "a\u2028b"}'  # a line's end to Python, not to JSON
    assert read_json_lines(write(tmp_path / "c", separator)) == [{"arm": "a\u2028b"}]
    assert read_json(write(tmp_path / "d", json.dumps(ROWS, indent=2) + "\n")) == ROWS
    arrays = read_arrays(write(tmp_path / "e", WHOLE))
    np.testing.assert_array_equal(arrays["logits"], np.arange(500.0))
    arrays["logits"][0] = 1  # as np.load gives them


def test_a_line_that_is_there_twice(tmp_path):
    file = write(tmp_path / "rows.jsonl", "\n".join([*LINES, LINES[1]]))
    assert len(read_json_lines(file)) == 4
    with pytest.raises(DamagedError, match=r"line 4 is damaged \(.*same arm, seed as line 2"):
        read_json_lines(file, unique=("arm", "seed"))


def test_what_a_check_finds_is_said_with_the_line(tmp_path):
    def check(row):
        check_entries(row, {"arm": str, "seed": int})

    file = write(tmp_path / "rows.jsonl", "\n".join(LINES))
    assert read_json_lines(file, check) == ROWS
    for line, why in (
        ('{"arm": "a"}', "seed is missing"),
        ('{"arm": "a", "seed": "0"}', "expected seed to be of type int, got '0'"),
        ('{"arm": "a", "seed": true}', "expected seed to be of type int, got True"),
        ("[1, 2]", r"expected an object with names, got \[1, 2\]"),
        ("null", "expected an object with names, got None"),
    ):
        write(file, "\n".join([LINES[0], line]))
        with pytest.raises(DamagedError, match=rf"rows.jsonl, line 2 is damaged \({why}\)"):
            read_json_lines(file, check)
        write(file, line)
        assert if_whole(read_json, file, check) is None


def test_absent_is_not_whole_and_unreadable_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    for file in (tmp_path / "absent", tmp_path / "file" / "below"):
        for reader in (read_json, read_json_lines, read_arrays):
            assert if_whole(reader, file) is None
            with pytest.raises(DamagedError, match="is not there"):
                reader(file)
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"cannot read .*folder: a folder of that name is in the"):
        if_whole(read_json, tmp_path / "folder")
    with pytest.raises(DataError, match=r"cannot read .*: a name in the path is too long"):
        if_whole(read_json, tmp_path / ("a" * 300))
