"""Downloads from a server on this machine: whole, resumed, refused, or explained."""

import contextlib
import gzip
import hashlib
import http.server
import shutil
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest

from sdlib.datasets import downloading
from sdlib.datasets.fetch import fetch
from sdlib.datasets.table import read_table
from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.paths import data_folder

CONTENT = np.random.default_rng(0).bytes(3_000_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
FILE = "tiles.h5.gz"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; the server's attributes say what goes wrong."""

    def do_GET(self):
        server = self.server
        wanted = self.headers["Range"]
        server.requests.append(wanted)
        if server.status:
            self.send_error(server.status)
            return
        if server.silent:
            threading.Event().wait(1)
            return
        if server.endless:
            self.send_endless(server.endless)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if server.ranges else 0
        if start and start >= len(CONTENT):
            self.send_error(416)
            return
        rest = CONTENT[start:]
        if server.packed:
            rest = gzip.compress(rest, 1)
        self.send_response(206 if server.ranges else 200)
        if server.packed:
            self.send_header("Content-Encoding", "gzip")
        if server.ranges:
            end = len(CONTENT)
            self.send_header("Content-Range", f"bytes {start + server.shifted}-{end - 1}/{end}")
        if server.claimed != "none":
            self.send_header("Content-Length", str(server.claimed or len(rest)))
        self.end_headers()
        self.wfile.write(rest[: server.breaks_after])

    def send_endless(self, how):
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        if how == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        packer = zlib.compressobj(9, wbits=31)
        with contextlib.suppress(OSError):
            for _ in range(1000):
                piece = bytes(1_000_000)
                if how == "gzip":
                    piece = packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.server.sent += len(piece)
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.ranges, server.status = [], True, None
    server.claimed, server.breaks_after = None, None
    server.endless, server.packed, server.silent, server.shifted = "", False, False, 0
    server.sent = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def registry(server, tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return write_registry(tmp_path, server.server_port, MD5)


def write_registry(folder, port, md5, size=""):
    path = folder / "registry.csv"
    path.write_text(
        f"dataset,file,bytes,md5,url\ntoy,{FILE},{size},{md5},http://127.0.0.1:{port}/{FILE}\n"
        f"other,x,,{md5},http://127.0.0.1:1/x\n"
    )
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_fetch_writes_the_file_and_nothing_else(server, registry, tmp_path):
    folder = fetch("toy", tmp_path / "new" / "toy", registry)
    assert (folder / FILE).read_bytes() == CONTENT
    assert names(folder) == [FILE]


def test_a_file_that_is_there_is_not_requested(server, registry, tmp_path):
    (tmp_path / FILE).write_bytes(CONTENT)
    fetch("toy", tmp_path, registry)
    assert server.requests == []


def test_a_file_with_another_hash_is_replaced(server, registry, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / FILE).write_bytes(b"old")
    fetch("toy", tmp_path / "toy", registry)
    assert (tmp_path / "toy" / FILE).read_bytes() == CONTENT


def test_default_folder_lies_under_the_data_root(server, registry, tmp_path, monkeypatch):
    monkeypatch.setenv("SDLIB_DATA", str(tmp_path / "data"))
    assert fetch("toy", registry=registry) == tmp_path / "data" / "toy"
    assert names(tmp_path / "data" / "toy") == [FILE]
    monkeypatch.delenv("SDLIB_DATA")
    with pytest.raises(DataError, match="set SDLIB_DATA to the folder"):
        fetch("toy", registry=registry)


def test_an_interrupted_download_is_continued(server, registry, tmp_path):
    folder = tmp_path / "toy"
    server.breaks_after = 1_200_000
    with pytest.raises(DataError, match=r"could not download tiles.h5.gz .*where it stopped"):
        fetch("toy", folder, registry)
    assert names(folder) == [f"{FILE}.part"]
    had = (folder / f"{FILE}.part").stat().st_size
    assert 0 < had <= 1_200_000
    server.breaks_after = None
    fetch("toy", folder, registry)
    assert server.requests == ["bytes=0-", f"bytes={had}-"]
    assert names(folder) == [FILE]
    assert (folder / FILE).read_bytes() == CONTENT


def test_a_server_without_ranges_sends_all_again(server, registry, tmp_path):
    server.ranges = False
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / f"{FILE}.part").write_bytes(CONTENT[:1000])
    fetch("toy", tmp_path / "toy", registry)
    assert (tmp_path / "toy" / FILE).read_bytes() == CONTENT


def test_a_whole_part_only_needs_its_name(server, registry, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / f"{FILE}.part").write_bytes(CONTENT)
    fetch("toy", tmp_path / "toy", registry)
    assert names(tmp_path / "toy") == [FILE]
    assert (tmp_path / "toy" / FILE).read_bytes() == CONTENT


def test_a_wrong_hash_leaves_nothing(server, registry, tmp_path):
    wrong = write_registry(tmp_path, server.server_port, "0" * 32)
    with pytest.raises(
        DataError, match=r"expected the MD5 hash 0{32} of .*, got another: the file was deleted"
    ):
        fetch("toy", tmp_path / "toy", wrong)
    assert names(tmp_path / "toy") == []


def test_a_wrong_part_is_deleted_and_then_fetched_whole(server, registry, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / f"{FILE}.part").write_bytes(b"something else")
    with pytest.raises(DataError, match="the file was deleted"):
        fetch("toy", tmp_path / "toy", registry)
    fetch("toy", tmp_path / "toy", registry)
    assert (tmp_path / "toy" / FILE).read_bytes() == CONTENT


def test_offline_is_one_sentence_with_the_address(server, tmp_path, registry):
    port = server.server_port
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match=rf"connect to the internet.*:{port}/{FILE} into .*toy"):
        fetch("toy", tmp_path / "toy", registry)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "answers 401 Unauthorized: the server wants you to log in"),
        (403, "answers 403 Forbidden: the server does not let you have it"),
        (404, "answers 404 Not Found: the server has no such file"),
        (410, "answers 410 Gone: the server has removed the file"),
        (418, "answers 418 I'm a Teapot: the server does not send it"),
        (429, "answers 429 Too Many Requests: the server has had too many requests"),
        (500, "answers 500 Internal Server Error: the server has a fault .* try again later"),
        (503, "answers 503 Service Unavailable: the server has a fault .* try again later"),
    ],
)
def test_a_refusing_server_is_one_sentence(server, registry, tmp_path, status, sentence):
    server.status = status
    with pytest.raises(DataError, match=f"could not download tiles.h5.gz from .*{sentence}") as got:
        fetch("toy", tmp_path / "toy", registry)
    assert "connect to the internet" not in str(got.value)
    assert names(tmp_path / "toy") == []


def test_a_refusal_keeps_what_was_received(server, registry, tmp_path):
    part = tmp_path / "toy" / f"{FILE}.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:1000])
    server.status = 503
    with pytest.raises(DataError, match="answers 503"):
        fetch("toy", tmp_path / "toy", registry)
    assert part.read_bytes() == CONTENT[:1000]


def test_a_cut_in_the_first_bytes_keeps_them(server, registry, tmp_path):
    folder, part = tmp_path / "toy", tmp_path / "toy" / f"{FILE}.part"
    server.breaks_after = 30_000
    for had in (30_000, 60_000, 90_000):
        with pytest.raises(DataError, match="the connection was cut: try again, which continues"):
            fetch("toy", folder, registry)
        assert part.read_bytes() == CONTENT[:had]
    server.breaks_after = None
    fetch("toy", folder, registry)
    assert server.requests == ["bytes=0-", "bytes=30000-", "bytes=60000-", "bytes=90000-"]
    assert (folder / FILE).read_bytes() == CONTENT


def test_a_server_without_length_that_breaks_off(server, tmp_path, registry):
    registry = write_registry(tmp_path, server.server_port, MD5, len(CONTENT))
    server.claimed, server.breaks_after = "none", 30_000
    with pytest.raises(DataError, match=r"expected 3000000 bytes of tiles.h5.gz, got 30000"):
        fetch("toy", tmp_path / "toy", registry)
    assert (tmp_path / "toy" / f"{FILE}.part").stat().st_size == 30_000
    server.breaks_after = None
    assert (fetch("toy", tmp_path / "toy", registry) / FILE).read_bytes() == CONTENT


def test_another_size_than_the_registry_has_is_refused_at_once(server, registry, tmp_path):
    registry = write_registry(tmp_path, server.server_port, MD5, 5000)
    with pytest.raises(DataError, match=r"expected 5000 bytes of .*, got the offer of 3000000"):
        fetch("toy", tmp_path / "toy", registry)
    assert names(tmp_path / "toy") == []


@pytest.mark.parametrize("how", ["chunked", "gzip"])
@pytest.mark.parametrize("size", [5_000_000, ""])
def test_an_endless_answer_is_cut_off(server, registry, tmp_path, monkeypatch, how, size):
    """The server would send a gigabyte; gzip's is packed into one megabyte."""
    monkeypatch.setattr(downloading, "MOST_BYTES", 4_000_000)
    registry = write_registry(tmp_path, server.server_port, MD5, size)
    server.endless = how
    with pytest.raises(DataError, match=rf"at most {size or 4_000_000} bytes of .*, got more"):
        fetch("toy", tmp_path / "toy", registry)
    assert names(tmp_path / "toy") == []
    assert server.sent < 100_000_000


def test_a_packed_answer_is_unpacked(server, registry, tmp_path):
    server.packed = True
    assert (fetch("toy", tmp_path / "toy", registry) / FILE).read_bytes() == CONTENT


def test_a_packed_answer_that_is_cut_is_not_continued_in_the_middle(server, registry, tmp_path):
    server.packed, server.breaks_after = True, 30_000
    with pytest.raises(DataError, match="the connection was cut"):
        fetch("toy", tmp_path / "toy", registry)
    assert names(tmp_path / "toy") == []
    (tmp_path / "toy" / f"{FILE}.part").write_bytes(CONTENT[:1000])
    server.breaks_after = None
    assert (fetch("toy", tmp_path / "toy", registry) / FILE).read_bytes() == CONTENT
    assert server.requests == ["bytes=0-", "bytes=1000-", "bytes=0-"]


def test_another_range_than_was_asked_for(server, registry, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / f"{FILE}.part").write_bytes(CONTENT[:1000])
    server.shifted = 7
    with pytest.raises(DataError, match="from byte 1000 on, got it from byte 1007"):
        fetch("toy", tmp_path / "toy", registry)
    server.shifted = 0
    assert (fetch("toy", tmp_path / "toy", registry) / FILE).read_bytes() == CONTENT


def test_a_silent_server(server, registry, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "TIMEOUT_S", 0.2)
    server.silent = True
    with pytest.raises(DataError, match=r"the server has been silent for 0\.2 seconds"):
        fetch("toy", tmp_path / "toy", registry)
    server.silent = False


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/hostname", "x", "http://"])
def test_an_address_that_is_none(tmp_path, url):
    path = tmp_path / "registry.csv"
    path.write_text(f"dataset,file,md5,url\ntoy,x,{MD5},{url}\n")
    with pytest.raises(DataError, match="is not one of http or https: correct it in the registry"):
        fetch("toy", tmp_path / "toy", path)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("../../x", r"inside the data set's folder, got ../../x in row 2 of .*registry.csv"),
        ("a/../../x", "inside the data set's folder"),
        ("{folder}/x", "inside the data set's folder"),
        ("C:/x", "inside the data set's folder"),
        (r"..\x", "inside the data set's folder"),
    ],
)
def test_nothing_is_written_outside_the_folder(server, registry, tmp_path, file, message):
    outside = tmp_path / "outside"
    outside.mkdir()
    row = f"toy,{file.format(folder=outside)},,{MD5},http://127.0.0.1:{server.server_port}/x"
    registry.write_text(f"dataset,file,bytes,md5,url\n{row}\n")
    with pytest.raises(DataError, match=message):
        fetch("toy", tmp_path / "deep" / "toy", registry)
    assert server.requests == []
    assert list(outside.iterdir()) == []
    assert names(tmp_path) == ["outside", "registry.csv"]


def test_each_file_once_and_in_folders_within(server, registry, tmp_path):
    address = f"http://127.0.0.1:{server.server_port}/x"
    rows = [f"toy,{file},,{MD5},{address}" for file in ("sub/x", "./sub//x")]
    registry.write_text("\n".join(["dataset,file,bytes,md5,url", *rows]))
    with pytest.raises(DataError, match=r"each file once, got ./sub//x in row 2 and again in row"):
        fetch("toy", tmp_path / "toy", registry)
    registry.write_text("\n".join(["dataset,file,bytes,md5,url", rows[0]]))
    assert (fetch("toy", tmp_path / "toy", registry) / "sub" / "x").read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["../other", "/tmp/other"])
def test_the_name_of_a_data_set_chooses_no_other_place(registry, tmp_path, monkeypatch, name):
    monkeypatch.setenv("SDLIB_DATA", str(tmp_path / "data"))
    registry.write_text(f"dataset,file,bytes,md5,url\n{name},x,,{MD5},http://127.0.0.1:1/x\n")
    with pytest.raises(DataError, match=f"expected the name of a folder, got the data set '{name}"):
        fetch(name, registry=registry)
    assert names(tmp_path) == ["registry.csv"]


@pytest.mark.parametrize("size", ["many", "-5", "0", "1.5"])
def test_a_size_that_is_none(registry, tmp_path, size):
    registry.write_text(f"dataset,file,bytes,md5,url\ntoy,x,{size},{MD5},http://127.0.0.1:1/x\n")
    with pytest.raises(DataError, match=rf"a whole number above 0, got {size} in row 2 of"):
        fetch("toy", tmp_path / "toy", registry)


def test_a_name_that_is_too_long(registry, tmp_path):
    registry.write_text(
        f"dataset,file,bytes,md5,url\ntoy,{'x' * 300},,{MD5},http://127.0.0.1:1/x\n"
    )
    with pytest.raises(SdlibError, match=r"cannot write .*too long"):
        fetch("toy", tmp_path / "toy", registry)


def test_a_disk_too_small_is_told_before_the_download(server, registry, tmp_path):
    server.claimed = shutil.disk_usage(tmp_path).total * 2
    with pytest.raises(SdlibError, match=r"tiles.h5.gz needs .* GiB left: free some space"):
        fetch("toy", tmp_path / "toy", registry)
    assert not (tmp_path / "toy" / FILE).exists()


def test_unwritable_folder_is_one_sentence(registry, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        SdlibError, match=r"cannot write .*file/toy: .*file is a file, not a folder"
    ):
        fetch("toy", tmp_path / "file" / "toy", registry)


def test_unknown_data_set(registry, tmp_path):
    with pytest.raises(ConfigError, match="expected a data set of other, toy, got 'pcan'"):
        fetch("pcan", tmp_path, registry)


def test_registry_agrees_with_torchvision():
    """Its PCAM class holds the same hashes, from a source independent of ours."""
    from torchvision.datasets import PCAM

    theirs = {
        f"{name}.gz": md5 for split in PCAM._FILES.values() for name, _, md5 in split.values()
    }
    table = read_table(data_folder() / "registry.csv", ["dataset", "file", "url"])
    ours = table[table["dataset"] == "pcam"].set_index("file")
    assert len(theirs) == 6
    assert ours.loc[list(theirs), "md5"].to_dict() == theirs
    assert sorted(set(ours.index) - set(theirs)) == [
        f"camelyonpatch_level_2_split_{split}_meta.csv" for split in ("test", "train", "valid")
    ]
    for file, row in ours.iterrows():
        assert row["url"] == f"https://zenodo.org/records/2546921/files/{file}"
        assert Path(file).name == file
