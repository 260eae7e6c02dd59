"""Data sets in archives, without published hashes, or behind a registration."""

import collections
import hashlib
import io
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from sdlib.datasets import camelyon17, download_folder
from sdlib.datasets.fetch import fetch, steps_by_hand
from sdlib.datasets.published_files import published_files
from sdlib.datasets.sources import SOURCES
from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.paths import data_folder
from tests.datasets.file_server import file_server

NOISE = np.random.default_rng(0).bytes(200_000)
FILES = {"metadata.csv": b"a,b\n", "patches/p1/a.png": NOISE}
HEADER = "dataset,file,bytes,about,unpacked,md5,url,licence,by_hand"


def packed(files, kind="tar.gz"):
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return stream.getvalue()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with file_server() as server:
        yield server


@pytest.fixture
def toy(server, tmp_path):
    """`toy(file, content, ...)`: serve a file, and fetch the data set that consists of it."""
    log = []

    def get(file, content, md5="", about="", unpacked="", licence="CC0"):
        server.files[f"/{file}"] = content
        row = f"toy,{file},,{about},{unpacked},{md5},{server.url}/{file},{licence},"
        (tmp_path / "registry.csv").write_text(f"{HEADER}\n{row}\n")
        log.clear()
        return fetch("toy", tmp_path / "toy", tmp_path / "registry.csv", log.append)

    get.log, get.folder = log, tmp_path / "toy"
    return get


def found(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# -- Archives


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
@pytest.mark.parametrize("hashed", [True, False])
def test_an_archive_is_unpacked_once(server, toy, kind, hashed):
    content = packed(FILES, kind)
    md5 = hashlib.md5(content).hexdigest() if hashed else ""
    folder = toy(f"set.{kind}", content, md5, unpacked=300_000)
    assert names(folder) == ["metadata.csv", "patches", f"set.{kind}.unpacked"]
    assert FILES.items() <= found(folder).items()
    toy(f"set.{kind}", content, md5, unpacked=300_000)
    assert server.requests == [f"/set.{kind}"]
    assert toy.log == []


def test_an_archive_that_waits_for_being_unpacked_is_not_asked_for_again(server, toy):
    content = packed(FILES)
    toy.folder.mkdir()
    (toy.folder / "set.tar.gz").write_bytes(content)
    toy("set.tar.gz", content, hashlib.md5(content).hexdigest(), unpacked=300_000)
    assert server.requests == []
    assert names(toy.folder) == ["metadata.csv", "patches", "set.tar.gz.unpacked"]


def test_what_was_unpacked_and_removed_is_got_again(server, toy):
    folder = toy("set.tar.gz", packed(FILES), unpacked=300_000)
    for path in ("metadata.csv", "patches/p1/a.png"):
        (folder / path).unlink()
    (folder / "patches" / "p1").rmdir()
    (folder / "patches").rmdir()
    toy("set.tar.gz", packed(FILES), unpacked=300_000)
    assert len(server.requests) == 2
    assert FILES.items() <= found(folder).items()


def test_what_is_in_the_way_is_named_before_anything_is_asked_for(server, toy):
    toy.folder.mkdir()
    (toy.folder / "metadata.csv").write_bytes(b"mine")
    with pytest.raises(
        SdlibError,
        match=r"nothing else in .*toy, where set.tar.gz is to be unpacked, got metadata.csv: if",
    ):
        toy("set.tar.gz", packed(FILES), unpacked=300_000)
    assert found(toy.folder) == {"metadata.csv": b"mine"}
    assert server.requests == []
    (toy.folder / "metadata.csv").unlink()
    (toy.folder / ".DS_Store").write_bytes(b"")  # no window shows it
    toy("set.tar.gz", packed(FILES), unpacked=300_000)
    assert FILES.items() <= found(toy.folder).items()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (packed(FILES)[:-5000], "set.tar.gz is damaged .*: fetch it again"),
        (b"<html>log in</html>", "set.tar.gz is damaged .*: fetch it again"),
        (packed({"../x": b"x"}), "must not be unpacked: its file '../x' would be written outside"),
        (packed({"x": bytes(1_000_000)}), "must not be unpacked: its files have more than"),
    ],
    ids=["cut", "a page", "a path outside", "a bomb"],  # an archive's bytes hold the time
)
def test_of_a_bad_archive_nothing_stays(server, toy, content, message):
    with pytest.raises(DataError, match=message):
        toy("set.tar.gz", content, unpacked=300_000)
    assert names(toy.folder) == []
    toy("set.tar.gz", packed(FILES), unpacked=300_000)
    assert FILES.items() <= found(toy.folder).items()


def test_a_record_that_is_damaged_counts_as_none(server, toy):
    folder = toy("set.tar.gz", packed(FILES), unpacked=300_000)
    for content in ("", "[]", '{"unpacked": 1}'):
        (folder / "set.tar.gz.unpacked").write_text(content)
        with pytest.raises(SdlibError, match=r"nothing else in .*, got metadata.csv: if that is"):
            toy("set.tar.gz", packed(FILES), unpacked=300_000)


def test_an_archive_that_is_read_as_it_is(server, toy):
    """PESO's, without a published hash: its own checksums are all there is."""
    content = packed(FILES, "zip")
    folder = toy("set.zip", content)
    assert found(folder) == {"set.zip": content}
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 255
    (folder / "set.zip").unlink()
    with pytest.raises(DataError, match="is damaged"):
        toy("set.zip", bytes(damaged))
    assert names(folder) == []


def test_an_archive_without_a_hash_is_continued(server, toy):
    content = packed(FILES)
    server.breaks_after = 50_000
    with pytest.raises(DataError, match="the connection was cut"):
        toy("set.tar.gz", content, unpacked=300_000)
    assert names(toy.folder) == ["set.tar.gz.part"]
    server.breaks_after = None
    toy("set.tar.gz", content, unpacked=300_000)
    assert FILES.items() <= found(toy.folder).items()


@pytest.mark.parametrize(("file", "unpacked"), [("set.zip", ""), ("set.tar.gz", 300_000)])
@pytest.mark.parametrize(
    ("claimed", "message"),
    [(100_000, "is damaged"), (300_000, "the connection was cut: try again, which continues")],
)
def test_a_length_that_is_a_lie(server, toy, file, unpacked, claimed, message):
    server.claimed = claimed
    with pytest.raises(DataError, match=message):
        toy(file, packed(FILES, file.partition(".")[2]), unpacked=unpacked)
    assert names(toy.folder) in ([], [f"{file}.part"])
    server.claimed = None
    toy(file, packed(FILES, file.partition(".")[2]), unpacked=unpacked)
    assert f"{file}.part" not in names(toy.folder)


def test_two_halves_of_two_archives_are_found_out(server, toy):
    toy.folder.mkdir()
    (toy.folder / "set.tar.gz.part").write_bytes(packed({"x": NOISE[::-1]})[:100_000])
    with pytest.raises(DataError, match=r"is damaged|must not be unpacked"):
        toy("set.tar.gz", packed(FILES), unpacked=300_000)
    assert names(toy.folder) == []


def test_camelyon17_from_its_archive_to_its_tiles(server, toy, monkeypatch):
    monkeypatch.setitem(camelyon17.PATCHES, "test", 1)
    stream = io.BytesIO()
    Image.new("RGB", (96, 96), "pink").save(stream, "PNG")
    patch = "patches/patient_040_node_2/patch_patient_040_node_2_x_32_y_64.png"
    table = ",patient,node,x_coord,y_coord,tumor,slide,center,split\n0,040,2,32,64,1,20,2,0\n"
    files = {"metadata.csv": table.encode(), patch: stream.getvalue(), "RELEASE_v1.0.txt": b""}
    folder = toy("camelyon17_v1.0.tar.gz", packed(files), unpacked=30_000)
    tiles = camelyon17.load_camelyon17("test", folder)
    assert (tiles.groups.tolist(), tiles.targets.tolist()) == (["040"], [1])
    assert tiles.batch([0])[0, 0, 0].tolist() == [255, 192, 203]


# -- Without a published hash


def test_a_file_without_a_published_hash_tells_its_own(server, toy):
    sha256 = hashlib.sha256(b"a,b\n").hexdigest()
    sentence = (
        f"map.csv could not be checked: no hash of it is known here; its SHA-256 is {sha256} "
        "(4 bytes)"
    )
    toy("map.csv", b"a,b\n")
    assert toy.log == ["licence of toy: CC0", sentence]
    # It is there, and nobody can say that it is not the right one.
    toy("map.csv", b"another")
    assert toy.log == [sentence]
    assert server.requests == ["/map.csv"]


def test_a_file_with_a_published_hash_says_nothing(server, toy):
    toy("map.csv", b"a,b\n", hashlib.md5(b"a,b\n").hexdigest(), licence="")
    assert toy.log == []


def test_a_part_that_nothing_can_check_is_begun_anew(server, toy):
    toy.folder.mkdir()
    (toy.folder / "map.csv.part").write_bytes(b"old,columns\n")
    toy("map.csv", b"a,b\n" * 10)
    assert found(toy.folder) == {"map.csv": b"a,b\n" * 10}


def test_an_offer_far_above_the_approximate_size(server, toy):
    with pytest.raises(DataError, match=r"expected at most 150000 bytes of set.zip, got the offer"):
        toy("set.zip", packed(FILES, "zip"), about=100_000)
    assert names(toy.folder) == []
    toy("set.zip", packed(FILES, "zip"), about=180_000)


# -- Room on the disk


Usage = collections.namedtuple("Usage", "total used free")


def test_all_files_and_all_that_is_unpacked_must_fit_before_any_is_asked_for(
    server, tmp_path, monkeypatch
):
    gib = 2**30
    rows = [
        f"toy,a.h5,{3 * gib},,,{'0' * 32},{server.url}/a.h5,,",
        f"toy,b.tar.gz,,{2 * gib},{4 * gib},,{server.url}/b.tar.gz,,",
    ]
    (tmp_path / "registry.csv").write_text("\n".join([HEADER, *rows]))
    monkeypatch.setattr(download_folder.shutil, "disk_usage", lambda path: Usage(0, 0, 9 * gib - 1))
    with pytest.raises(
        SdlibError,
        match=r"toy needs 9.0 GiB in .*toy \(5.0 to download, 4.0 to unpack\), which has 9.0 GiB",
    ):
        fetch("toy", tmp_path / "toy", tmp_path / "registry.csv")
    assert server.requests == []
    # What has been received already needs no more room.
    with (tmp_path / "toy" / "b.tar.gz.part").open("wb") as part:
        part.truncate(gib)
    with pytest.raises(DataError, match="404"):
        fetch("toy", tmp_path / "toy", tmp_path / "registry.csv")


# -- By hand


def test_steps_of_a_data_set_behind_a_registration(tmp_path, monkeypatch):
    steps = steps_by_hand("panda", tmp_path)
    assert steps[0].startswith("panda is behind a registration (CC BY-NC-SA), and must be got by")
    assert [line[:2] for line in steps[1:]] == [f"{n}." for n in range(1, len(steps))]
    assert "prostate-cancer-grade-assessment/rules" in steps[2]
    assert steps[-1].endswith(f"put the files into {tmp_path}")
    with pytest.raises(DataError, match="behind a registration: 'python -m sdlib fetch panda' te"):
        fetch("panda", tmp_path)
    monkeypatch.delenv("SDLIB_DATA", raising=False)
    assert steps_by_hand("panda")[-1].endswith("set SDLIB_DATA to the folder that holds it")


def test_no_steps_are_left_where_the_files_are(tmp_path):
    (tmp_path / "train.csv").write_text("image_id\n")
    assert steps_by_hand("panda", tmp_path) == []
    assert fetch("panda", tmp_path) == tmp_path


# -- The registry


def test_the_registry_knows_every_source_that_can_be_fetched():
    registry = data_folder() / "registry.csv"
    for source in SOURCES.values():
        if source.fetch:
            name = source.fetch.rpartition(" ")[2]
            files = published_files(name, registry)
            assert name == source.folder
            assert all(one.licence for one in files)
            assert all(one.url.startswith("https://") for one in files)
    assert all(one.md5 and one.licence == "CC0" for one in published_files("pcam", registry))


def test_what_the_registry_says_of_peso_and_camelyon17():
    registry = data_folder() / "registry.csv"
    mapping, images = published_files("peso", registry)
    assert (mapping.md5, mapping.size, images.md5, images.size) == ("", None, "", None)
    assert images.about == 160 * 2500 * 2500 * 3  # without any compression
    assert not images.unpacked
    (archive,) = published_files("camelyon17", registry)
    # A patch of 96 x 96 px without any compression fills seven blocks of a disk.
    assert archive.unpacked == 455_954 * 7 * 4096 >= 455_954 * 96 * 96 * 3
    assert (archive.about, archive.size, archive.md5) == (10_658_709_504, None, "")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("toy,x,,,,abc,http://a/x,,", "expected md5 to be 32 hexadecimal digits, got abc in row 2"),
        ("toy,x.h5,,,5,,http://a/x,,", r"a .zip, .tar.gz or .tgz archive to unpack, got x.h5 in r"),
        ("toy,x.zip,,,-5,,http://a/x,,", "expected unpacked to be a whole number above 0, got -5"),
        ("toy,x.zip,,many,,,http://a/x,,", "expected about to be a whole number above 0, got many"),
        ("toy,../x.zip,,,,,http://a/x,,", r"inside the data set's folder, got ../x.zip in row 2"),
        ("toy,x.zip,,,,,,,", "expected a url in row 2 of registry.csv, got an empty field"),
    ],
)
def test_a_row_of_the_registry_that_is_wrong(tmp_path, row, message):
    path = tmp_path / "registry.csv"
    path.write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(DataError, match=message):
        published_files("toy", path)


def test_an_unknown_data_set_lists_those_there_are():
    known = "actualmed, camelyon17, .*, panda, pcam, peso"
    with pytest.raises(ConfigError, match=f"data set of {known}, got 'pesos'"):
        published_files("pesos", data_folder() / "registry.csv")
