"""Servers that send a download elsewhere: followed, or refused before anything is asked there."""

import hashlib

import pytest

from sdlib.datasets.fetch import fetch
from sdlib.datasets.redirects import check_redirect
from sdlib.errors import DataError
from tests.datasets.file_server import file_server

CONTENT = b"a file" * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def servers(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with file_server() as first, file_server() as second:
        second.files["/x"] = CONTENT
        yield first, second


def registry(folder, url, md5):
    path = folder / "registry.csv"
    path.write_text(f"dataset,file,md5,url\ntoy,x.h5,{md5},{url}\n")
    return path


def fetched(tmp_path, url, md5=MD5):
    return fetch("toy", tmp_path / "toy", registry(tmp_path, url, md5)) / "x.h5"


def left(tmp_path):
    return [path.name for path in (tmp_path / "toy").iterdir()]


def test_another_path_of_the_same_server(servers, tmp_path):
    first, _ = servers
    first.files |= {"/x": "/moved/x", "/moved/x": f"{first.url}/again/x", "/again/x": CONTENT}
    assert fetched(tmp_path, f"{first.url}/x").read_bytes() == CONTENT
    assert first.requests == ["/x", "/moved/x", "/again/x"]


def test_another_server_where_a_hash_is_published(servers, tmp_path):
    first, second = servers
    first.files["/x"] = f"{second.url}/x"
    assert fetched(tmp_path, f"{first.url}/x").read_bytes() == CONTENT


def test_another_server_that_sends_another_file(servers, tmp_path):
    first, second = servers
    first.files["/x"], second.files["/x"] = f"{second.url}/x", b"another file"
    with pytest.raises(DataError, match=f"expected the MD5 hash {MD5} .*got another: the file was"):
        fetched(tmp_path, f"{first.url}/x")
    assert left(tmp_path) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_another_server_where_nobody_vouches_for_it(servers, tmp_path, host):
    first, second = servers
    first.files["/x"] = f"http://{host}:{second.server_port}/x"
    with pytest.raises(DataError, match=rf"sends you to http://{host}:.*/x, another server, and w"):
        fetched(tmp_path, f"{first.url}/x", md5="")
    assert second.requests == []
    assert left(tmp_path) == []


def test_the_same_server_where_nobody_vouches_for_it(servers, tmp_path):
    first, _ = servers
    first.files |= {"/x": "/moved/x", "/moved/x": CONTENT}
    assert fetched(tmp_path, f"{first.url}/x", md5="").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:text/plain,x"]
)
def test_an_address_that_is_none(servers, tmp_path, target):
    first, _ = servers
    first.files["/x"] = target
    with pytest.raises(DataError, match=r"sends you to .*, which is not an address of http or htt"):
        fetched(tmp_path, f"{first.url}/x")
    assert left(tmp_path) == []


@pytest.mark.parametrize("circle", [["/x"], ["/x", "/y"], [f"/{i}" for i in range(30)]])
def test_round_in_a_circle(servers, tmp_path, circle):
    first, _ = servers
    first.files |= dict(zip(circle, [*circle[1:], circle[0]], strict=True))
    with pytest.raises(DataError, match="the server sends you round in a circle: try again later"):
        fetched(tmp_path, f"{first.url}{circle[0]}")
    assert left(tmp_path) == []
    assert len(first.requests) == 10


@pytest.mark.parametrize(
    ("url", "target", "checked", "trusted"),
    [
        ("https://a.org/x", "https://a.org/y", False, True),
        ("https://a.org/x", "https://files.b.org/x", False, True),
        ("https://a.org/x", "http://a.org/x", True, False),
        ("https://a.org/x", "http://b.org/x", False, False),
        ("http://a.org/x", "https://a.org/x", True, True),
        ("http://a.org/x", "http://b.org/x", True, True),
        ("http://a.org/x", "http://b.org/x", False, False),
        ("http://a.org/x", "http://a.org:8080/x", False, False),
        ("https://a.org/x", "file://a.org/x", True, False),
        ("https://a.org/x", "https:///x", True, False),
    ],
)
def test_which_places_are_to_be_trusted(url, target, checked, trusted):
    if trusted:
        check_redirect(url, target, "x", checked)
    else:
        with pytest.raises(DataError, match=f"could not download x: {url} sends you to {target}"):
            check_redirect(url, target, "x", checked)
