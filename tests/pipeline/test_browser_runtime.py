"""The runtime of the lab in the page: from a registry of our own, damaged in every way, and off."""

import base64
import hashlib
import io
import json
import tarfile

import pytest

from sdlib.errors import DataError
from sdlib.pipeline import browser_runtime
from sdlib.pipeline.browser_runtime import FILES, add_runtime, fetch_runtime
from tests.lab.browser import served

VERSION = "1.2.3"


def archive(members):
    """A tar.gz archive of the members, as npm packs them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            if content is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
                packed.addfile(entry)
            else:
                entry.size = len(content)
                packed.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


WHOLE = {name: name.encode() for name in FILES}


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """`registry(bytes, lock)`: a repository whose lock file names what a local server has."""
    monkeypatch.setenv("SDLIB_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "served" / "onnxruntime-web" / "-"
    folder.mkdir(parents=True)
    lab = tmp_path / "root" / "book" / "lab"
    lab.mkdir(parents=True)
    with served(tmp_path / "served") as address:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", address + "/")

        def make(content, locked=None):
            (folder / f"onnxruntime-web-{VERSION}.tgz").write_bytes(content)
            digest = hashlib.sha512(content if locked is None else locked).digest()
            integrity = f"sha512-{base64.b64encode(digest).decode()}"
            entry = {"version": VERSION, "integrity": integrity}
            lock = {"packages": {"node_modules/onnxruntime-web": entry}}
            (lab / "package-lock.json").write_text(json.dumps(lock))
            return tmp_path / "root"

        yield make


def test_the_three_files_come_once(registry, tmp_path, monkeypatch):
    root = registry(archive({**WHOLE, "other.wasm": b"x"}))
    paths = fetch_runtime(root)
    assert {path.name: path.read_bytes() for path in paths} == WHOLE
    assert sorted(p.name for p in paths[0].parent.iterdir()) == sorted(FILES)
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://localhost:9/")
    assert fetch_runtime(root) == paths


@pytest.mark.parametrize(
    ("content", "locked", "sentence"),
    [
        (archive(WHOLE), b"another", "another SHA-512"),
        (archive({name: WHOLE[name] for name in FILES[:2]}), None, "lacks a file"),
        (archive({**WHOLE, FILES[2]: None}), None, "as a file of its own"),
        (archive(WHOLE)[:-40], None, "damaged"),
        (b"no archive", None, "damaged"),
    ],
    ids=["hash", "missing", "link", "cut", "rubbish"],
)
def test_what_is_not_as_locked_leaves_nothing(registry, tmp_path, content, locked, sentence):
    with pytest.raises(DataError, match=sentence):
        fetch_runtime(registry(content, locked))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


@pytest.mark.parametrize("text", ["{}", "[]", '{"packages": {}}', "no JSON"])
def test_a_broken_lock_file_is_named(registry, text):
    root = registry(archive(WHOLE))
    (root / "book" / "lab" / "package-lock.json").write_text(text)
    with pytest.raises(DataError, match=r"package-lock\.json"):
        fetch_runtime(root)


def test_a_site_is_built_without_the_network(registry, tmp_path, monkeypatch):
    root = registry(archive(WHOLE))
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://localhost:9/")
    lines = []
    assert not add_runtime(tmp_path / "static", root, lines.append)
    (line,) = lines
    assert line.startswith("the shift lab in the page will show pictures without predictions: ")


def test_runtime_and_networks_go_where_the_page_looks(registry, tmp_path, monkeypatch):
    root = registry(archive(WHOLE))
    assert add_runtime(tmp_path / "static", root, pytest.fail)
    found = {path.name for path in (tmp_path / "static").rglob("*") if path.is_file()}
    assert found == {*FILES, "cutout.onnx", "covid.onnx"}


def test_the_lock_file_of_the_book_has_version_and_hash():
    version, digest = browser_runtime._locked(browser_runtime.ROOT)
    assert version == "1.30.0"
    assert len(digest) == 64
