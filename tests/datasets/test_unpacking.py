"""Archives: those of a data set, damaged ones, and those that were made to do harm."""

import gzip
import io
import itertools
import os
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sdlib.datasets import unpacking
from sdlib.datasets.unpacking import check_zip, unpack
from sdlib.errors import ConfigError, DataError, SdlibError

NOISE = np.random.default_rng(0).bytes(300_000)
FILES = {"metadata.csv": b"a,b\n", "patches/p1/a.png": NOISE, "patches/p2/b.png": b""}
MOST = 10_000_000
KINDS = ("zip", "tar.gz", "tgz")


def write(folder, kind, members):
    """An archive of (name, content) pairs; a content may be a ready-made TarInfo or ZipInfo."""
    path = folder / f"set.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                if isinstance(content, zipfile.ZipInfo):
                    archive.writestr(content, "/etc/hostname")
                else:
                    archive.writestr(name, content)
        return path
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def found(folder):
    """Every file under a folder, with its content."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "data"
    path.mkdir()
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_as_it_was(folder, tmp_path, kind):
    archive = write(tmp_path, kind, FILES.items())
    assert unpack(archive, folder, MOST) == ["metadata.csv", "patches"]
    assert found(folder) == FILES
    assert archive.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_folders_and_dots_in_paths(folder, tmp_path, kind):
    names = [(f"./{name}", content) for name, content in FILES.items()]
    directory = tarfile.TarInfo("./")
    directory.type = tarfile.DIRTYPE
    first = [("patches/", b"")] if kind == "zip" else [("./", directory)]
    unpack(write(tmp_path, kind, [*first, *names]), folder, MOST)
    assert found(folder) == FILES


def test_the_command_tar_makes_such_archives(folder, tmp_path):
    """As the publishers' programs write them: with owners, times and modes."""
    source = tmp_path / "source"
    for name, content in FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    (source / "metadata.csv").chmod(0o000)
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz", format=tarfile.GNU_FORMAT) as archive:
        archive.add(source, arcname=".")
    unpack(tmp_path / "set.tar.gz", folder, MOST)
    assert found(folder) == FILES
    assert stat.S_IMODE((folder / "metadata.csv").stat().st_mode) & 0o600 == 0o600


NAMES = st.text("ab.é ", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.dictionaries(st.tuples(NAMES, NAMES).map("-/".join), st.binary(max_size=2000), min_size=1),
)
def test_any_files_come_out_as_they_went_in(kind, files):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "data"
        folder.mkdir()
        unpack(write(Path(place), kind, files.items()), folder, MOST)
        assert found(folder) == files


def test_long_names_in_any_alphabet(folder, tmp_path):
    name = "/".join(["näyte" * 10] * 4) + ".png"
    for kind in KINDS:
        place = folder / kind
        place.mkdir()
        unpack(write(tmp_path, kind, [(name, b"x")]), place, MOST)
        assert found(place) == {name: b"x"}


# -- Harm


def link(kind, name, target):
    if kind == "zip":
        member = zipfile.ZipInfo(name)
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        return name, member
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return name, member


def special(kind):
    member = tarfile.TarInfo("x")
    member.type, member.linkname = kind, "metadata.csv"
    return "x", member


def refused(folder, archive, message, most=MOST):
    with pytest.raises(DataError, match=message) as error:
        unpack(archive, folder, most)
    assert "\n" not in str(error.value)
    assert list(folder.iterdir()) == [], "something was left behind"
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/tmp/x", r"..\x", "C:/x", "//server/x", "./../x"]
)
def test_a_path_out_of_the_folder(folder, tmp_path, kind, name):
    archive = write(tmp_path, kind, [("a", b"a"), (name, b"x")])
    refused(folder, archive, "must not be unpacked: its file .* would be written outside")
    assert {path.name for path in tmp_path.iterdir()} == {"data", archive.name}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", ["/etc", "..", "metadata.csv"])
def test_a_link(folder, tmp_path, kind, target):
    members = [*FILES.items(), link(kind, "x", target), ("x/passwd", b"mine")]
    refused(folder, write(tmp_path, kind, members), "'x' is a link or a device, not a file")


@pytest.mark.parametrize(
    "kind", [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_a_hard_link_or_device(folder, tmp_path, kind):
    archive = write(tmp_path, "tar.gz", [*FILES.items(), special(kind)])
    refused(folder, archive, "'x' is a link or a device, not a file")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("again", ["metadata.csv", "./metadata.csv", "patches//../metadata.csv"])
def test_a_file_twice(folder, tmp_path, kind, again):
    archive = write(tmp_path, kind, [*FILES.items(), (again, b"other")])
    refused(folder, archive, f"its file {again!r} is in it twice")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("members", [("a", "a/b"), ("a/b", "a")])
def test_a_file_that_is_a_folder(folder, tmp_path, kind, members):
    archive = write(tmp_path, kind, [(name, b"x") for name in members])
    refused(folder, archive, "must not be unpacked: .*a(/b)? would be a file and something else")


@pytest.mark.parametrize("kind", KINDS)
def test_more_bytes_than_expected(folder, tmp_path, kind):
    archive = write(tmp_path, kind, [(f"{i}", NOISE) for i in range(5)])
    assert len(unpack(archive, folder, 5 * len(NOISE))) == 5
    for path in folder.iterdir():
        path.unlink()
    most = 5 * len(NOISE) - 1
    refused(folder, archive, f"more than the {most} bytes that were expected", most)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb(folder, tmp_path, kind):
    """Zeros, packed a thousand to one: refused by the ratio, whatever is allowed."""
    archive = write(tmp_path, kind, [(f"{i}", bytes(3_000_000)) for i in range(10)])
    assert archive.stat().st_size < 60_000
    most = 100 * archive.stat().st_size
    refused(folder, archive, f"more than the {most} bytes", most=1 << 40)


def test_a_size_that_is_a_lie(folder, tmp_path):
    """A member that says it is a terabyte; and one whose content goes on."""
    member = tarfile.TarInfo("x")
    member.size = 1 << 40
    path = tmp_path / "set.tar.gz"
    path.write_bytes(gzip.compress(member.tobuf() + bytes(1024)))
    refused(folder, path, "its files have more than the")
    member.size = 100_000
    path.write_bytes(gzip.compress(member.tobuf() + NOISE[:50_000]))
    refused(folder, path, "set.tar.gz is damaged .*: fetch it again")


def test_a_header_as_large_as_a_film(folder, tmp_path):
    """Extended headers are read into memory whole."""
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 50_000_000
    path = tmp_path / "set.tar.gz"
    path.write_bytes(gzip.compress(member.tobuf() + bytes(50_000_000), 1))
    refused(folder, path, "it has a header of 5[0-9]+ bytes")


def test_bytes_behind_the_end(folder, tmp_path):
    archive = write(tmp_path, "tar.gz", FILES.items())
    content = gzip.decompress(archive.read_bytes())
    archive.write_bytes(gzip.compress(content + bytes(5_000_000)))
    refused(folder, archive, "goes on behind its end")


def test_more_files_than_any_data_set_has(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "MOST_FILES", 2)
    for kind in KINDS:
        refused(folder, write(tmp_path, kind, FILES.items()), "it has more than 2 files")


def test_a_zip_that_is_encrypted(folder, tmp_path):
    archive = write(tmp_path, "zip", [("a", b"aaaa")])
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    refused(folder, archive, "'a' is encrypted")


def test_a_sparse_file(folder, tmp_path):
    member = tarfile.TarInfo("x")
    member.type = tarfile.GNUTYPE_SPARSE
    refused(folder, write(tmp_path, "tar.gz", [("x", member)]), "is a link or a device|is damaged")


# -- Damage


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999])
def test_an_archive_that_was_cut_off(folder, tmp_path, kind, share):
    archive = write(tmp_path, kind, FILES.items())
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    refused(folder, archive, rf"set.{kind} is damaged .*: fetch it again")


@pytest.mark.parametrize("kind", KINDS)
def test_any_changed_byte_of_the_contents(folder, tmp_path, kind):
    archive = write(tmp_path, kind, [("a.png", NOISE)])
    content = archive.read_bytes()
    for place in range(1000, len(content) - 1000, 30_011):
        damaged = bytearray(content)
        damaged[place] ^= 255
        archive.write_bytes(damaged)
        refused(folder, archive, "is damaged|must not be unpacked")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [b"", b"<html>log in</html>", NOISE])
def test_what_is_no_archive(folder, tmp_path, kind, content):
    path = tmp_path / f"set.{kind}"
    path.write_bytes(content)
    refused(folder, path, "is damaged")


def test_an_archive_of_another_kind(folder, tmp_path):
    with pytest.raises(ConfigError, match=r"a .zip, .tar.gz or .tgz archive, got set.7z"):
        unpack(tmp_path / "set.7z", folder, MOST)


def test_check_zip_finds_what_unpacking_would_find(tmp_path):
    archive = write(tmp_path, "zip", FILES.items())
    check_zip(archive, MOST)
    with pytest.raises(DataError, match="more than the 1000 bytes"):
        check_zip(archive, 1000)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 255
    archive.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        check_zip(archive, MOST)


# -- The folder


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_already_is_not_touched(folder, tmp_path, kind):
    (folder / "patches").mkdir()
    (folder / "patches" / "mine.png").write_bytes(b"mine")
    before = found(folder)
    with pytest.raises(SdlibError, match=r"expected nothing of the name patches in .*: move it"):
        unpack(write(tmp_path, kind, FILES.items()), folder, MOST)
    assert found(folder) == before


def test_a_move_that_fails_is_taken_back(folder, tmp_path, monkeypatch):
    rename, calls = os.rename, itertools.count()

    def failing(source, target):
        if next(calls) == 1:
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(SdlibError, match="the disk is full"):
        unpack(write(tmp_path, "zip", FILES.items()), folder, MOST)
    assert list(folder.iterdir()) == []


def test_what_a_killed_process_has_left_is_removed(folder, tmp_path):
    left = folder / ".set.zip.unpacking" / "patches"
    left.mkdir(parents=True)
    (left / "half.png").write_bytes(b"half")
    unpack(write(tmp_path, "zip", FILES.items()), folder, MOST)
    assert found(folder) == FILES
    assert sorted(path.name for path in folder.iterdir()) == ["metadata.csv", "patches"]


def test_memory_does_not_grow_with_the_number_of_files(folder, tmp_path, monkeypatch):
    """tarfile keeps every member that it has seen, unless it is told not to."""
    kept = []
    extract = tarfile.TarFile.extract

    def watch(archive, *arguments, **options):
        kept.append(len(archive.members))
        return extract(archive, *arguments, **options)

    monkeypatch.setattr(tarfile.TarFile, "extract", watch)
    archive = write(tmp_path, "tar.gz", [(f"{i:03d}", b"") for i in range(100)])
    assert len(unpack(archive, folder, MOST)) == 100
    assert max(kept) <= 2
