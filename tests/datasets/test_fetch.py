"""Downloads from a server on this machine: whole, resumed, refused, or explained."""

import hashlib
import http.server
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from sdlib.datasets.fetch import fetch
from sdlib.datasets.table import read_table
from sdlib.errors import ConfigError, DataError, SdlibError
from sdlib.paths import data_folder

CONTENT = np.random.default_rng(0).bytes(3_000_000)
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
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if server.ranges else 0
        if start and start >= len(CONTENT):
            self.send_error(416)
            return
        rest = CONTENT[start:]
        self.send_response(206 if server.ranges else 200)
        self.send_header("Content-Length", str(server.claimed or len(rest)))
        self.end_headers()
        self.wfile.write(rest[: server.breaks_after])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.ranges, server.status = [], True, None
    server.claimed, server.breaks_after = None, None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def registry(server, tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return write_registry(tmp_path, server.server_port, hashlib.md5(CONTENT).hexdigest())


def write_registry(folder, port, md5):
    path = folder / "registry.csv"
    path.write_text(
        f"dataset,file,bytes,md5,url\ntoy,{FILE},,{md5},http://127.0.0.1:{port}/{FILE}\n"
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


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusing_server_is_one_sentence(server, registry, tmp_path, status):
    server.status = status
    with pytest.raises(DataError, match=r"could not download tiles.h5.gz \(HTTPError\)"):
        fetch("toy", tmp_path / "toy", registry)
    assert not (tmp_path / "toy" / FILE).exists()


def test_a_disk_too_small_is_told_before_the_download(server, registry, tmp_path):
    server.claimed = shutil.disk_usage(tmp_path).total * 2
    with pytest.raises(SdlibError, match=r"tiles.h5.gz needs .* GiB left: free some space"):
        fetch("toy", tmp_path / "toy", registry)
    assert not (tmp_path / "toy" / FILE).exists()


def test_unwritable_folder_is_one_sentence(registry, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SdlibError, match=r"cannot write .*file/toy: a part of the path is a file"):
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
    table = read_table(data_folder() / "registry.csv", ["dataset", "file", "md5", "url"])
    ours = table[table["dataset"] == "pcam"].set_index("file")
    assert len(theirs) == 6
    assert ours.loc[list(theirs), "md5"].to_dict() == theirs
    assert sorted(set(ours.index) - set(theirs)) == [
        f"camelyonpatch_level_2_split_{split}_meta.csv" for split in ("test", "train", "valid")
    ]
    for file, row in ours.iterrows():
        assert row["url"] == f"https://zenodo.org/records/2546921/files/{file}"
        assert Path(file).name == file
