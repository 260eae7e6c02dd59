"""Data sets in repositories: each file from one commit, with the hash that Git has of it."""

import re
import shutil
import subprocess
from urllib.parse import quote

import numpy as np
import pytest

from sdlib.datasets.fetch import fetch, steps_by_hand
from sdlib.datasets.github_tables import COLLECTIONS
from sdlib.datasets.published_files import published_files
from sdlib.datasets.repositories import git_hash, repositories
from sdlib.errors import DataError
from sdlib.paths import data_folder
from tests.datasets.file_server import file_server

HEADER = "dataset,file,bytes,about,unpacked,md5,url,licence,by_hand"
NOISE = np.random.default_rng(0).bytes(100_000)
FILES = {
    "metadata.csv": b"a,b\n1,2\n",
    "images/CR.1.2 (3).png": NOISE,
    "images/100%#näyte?.jpg": NOISE[:5],
    "images/empty.txt": b"",
}
NAMES = ["actualmed", "cohen", "covidx8", "figure1", "hannover"]


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with file_server() as server:
        yield server


def hash_of(content, folder):
    path = folder / "content"
    path.write_bytes(content)
    return git_hash(path)


@pytest.fixture
def toy(server, tmp_path):
    """`toy(rows)`: fetch the files of a repository on this machine's server."""
    log = []
    lists = tmp_path / "repositories"
    lists.mkdir()
    hashes = {name: hash_of(content, tmp_path) for name, content in FILES.items()}
    right = [f"{name},{len(FILES[name]) or ''},{hashes[name]}" for name in FILES]
    server.files.update({f"/commit/{quote(name)}": content for name, content in FILES.items()})

    def get(rows=right, by_hand=""):
        registry = tmp_path / "registry.csv"
        registry.write_text(f"{HEADER}\nother,x,,,,,https://a.org/x,,\n{by_hand}")
        table = f"dataset,url,licence\ntoy,{server.url}/commit/,CC BY 3.0\n"
        (tmp_path / "repositories.csv").write_text(table)
        (lists / "toy.csv").write_text("\n".join(["file,bytes,git_sha1", *rows]), "utf-8")
        log.clear()
        return fetch("toy", tmp_path / "toy", registry, log.append)

    get.right, get.log, get.folder = right, log, tmp_path / "toy"
    return get


def found(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    ("content", "sha1"),
    [
        (b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
    ],
)
def test_hashes_that_every_user_of_git_has_seen(tmp_path, content, sha1):
    assert hash_of(content, tmp_path) == sha1


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
@pytest.mark.parametrize("length", [1, 65_536, 3_000_000])
def test_hashes_are_those_of_git(tmp_path, length):
    path = tmp_path / "content"
    path.write_bytes(np.random.default_rng(length).bytes(length))
    # Without a filter: else Git would hash what it would store, with other ends of lines.
    command = ["git", "hash-object", "--no-filters", str(path)]
    assert git_hash(path) == subprocess.check_output(command, text=True).strip()


def test_every_file_lies_where_the_repository_has_it(toy, server):
    assert found(toy()) == FILES
    assert toy.log == ["licence of toy: CC BY 3.0", "4 files to download"]
    server.requests.clear()
    toy()
    assert (server.requests, toy.log) == ([], [])


def test_only_what_is_missing_or_changed_is_downloaded_again(toy, server):
    folder = toy()
    (folder / "metadata.csv").write_bytes(b"a,b\n9,9\n")
    (folder / "images" / "CR.1.2 (3).png").unlink()
    server.requests.clear()
    assert found(toy()) == FILES
    assert sorted(server.requests) == [
        "/commit/images/CR.1.2%20%283%29.png",
        "/commit/metadata.csv",
    ]


def test_an_interrupted_download_is_continued(toy, server):
    server.breaks_after = 40_000
    with pytest.raises(DataError, match="try again, which continues where it stopped"):
        toy()
    assert (toy.folder / "images" / "CR.1.2 (3).png.part").stat().st_size == 40_000
    assert (toy.folder / "metadata.csv").is_file()
    server.breaks_after = None
    assert found(toy()) == FILES


def test_another_content_is_not_kept(toy, server):
    server.files["/commit/metadata.csv"] = b"a,b\n1,3\n"
    with pytest.raises(DataError, match=r"the Git hash [0-9a-f]{40} of .*metadata.csv, got anothe"):
        toy()
    assert found(toy.folder) == {}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("../x,,{0}", r"inside the data set's folder, got ../x in row 6 of .*toy.csv"),
        ("metadata.csv,,{0}", "each file once, got metadata.csv in row 2 and again in row 6"),
        ("x,,abc", "expected git_sha1 to be 40 hexadecimal digits, got abc in row 6 of .*toy.csv"),
        ("x,many,{0}", "a whole number above 0, got many in row 6 of .*toy.csv"),
        ("x,,", "expected a git_sha1 in row 6 of toy.csv, got an empty field"),
    ],
)
def test_a_list_that_is_none(toy, server, row, message):
    with pytest.raises(DataError, match=message):
        toy([*toy.right, row.format("0" * 40)])
    assert server.requests == []


def test_what_comes_by_hand_comes_first(toy, server, tmp_path):
    by_hand = "toy,train,,,,,https://a.org,that of each source,ask them; wait\n"
    with pytest.raises(DataError, match="'python -m sdlib fetch toy' tells the steps"):
        toy(by_hand=by_hand)
    steps = steps_by_hand("toy", toy.folder, tmp_path / "registry.csv")
    assert [step[:2] for step in steps[1:]] == ["1.", "2.", "3."]
    (toy.folder / "train").mkdir(parents=True)
    assert found(toy(by_hand=by_hand)) == FILES


# -- The lists of the project


def test_every_list_is_of_one_commit_and_small():
    listed = repositories(data_folder())
    assert sorted(listed) == NAMES
    for repository in listed.values():
        assert re.fullmatch(
            r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/", repository.url
        )
        assert repository.list.stat().st_size < 100_000
        assert not repository.files().empty


@pytest.mark.parametrize(
    ("name", "folder", "images"),
    [
        ("cohen", "images", 738),
        ("hannover", "png", 243),
        ("figure1", "images", 55),
        ("actualmed", "images", 238),
    ],
)
def test_the_lists_hold_the_tables_and_all_images(name, folder, images):
    files = [
        one.file
        for one in published_files(name, data_folder() / "registry.csv")
        if one.file.startswith(f"{folder}/")
    ]
    assert len(files) == images
    table = "data.csv" if name == "hannover" else "metadata.csv"
    others = {one.file for one in published_files(name, data_folder() / "registry.csv")}
    assert table in others - set(files)


@pytest.mark.parametrize("name", COLLECTIONS)
def test_the_lists_are_of_the_repositories_that_the_loader_reads(name):
    assert f"/{COLLECTIONS[name].repository}/" in repositories(data_folder())[name].url


@pytest.mark.parametrize("name", ["padchest", "covidx8", "bimcv-plus", "bimcv-minus"])
def test_what_must_be_requested_is_told_in_steps(name, tmp_path):
    steps = steps_by_hand(name, tmp_path)
    assert len(steps) >= 5
    assert "https://" in steps[1]
    assert steps[-1] == f"{len(steps) - 1}. put the files into {tmp_path}"
