"""Folders that look like the repository, for tests of the graph and of the Makefile."""

import sys

import pytest

from sdlib.paths import ROOT
from sdlib.pipeline import chapters, site

LINKED = ("Snakefile", "Makefile", "_config.yml", "_toc.yml", "book", "data", "sdlib")


def linked(folder):
    """``folder``, made of links to the repository's files, with a .snakemake of its own."""
    folder.mkdir(parents=True)
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture
def clone(tmp_path):
    """A folder that looks like the repository."""
    return linked(tmp_path / "clone")


@pytest.fixture
def awkward_clone(tmp_path, monkeypatch):
    """The same, its Python and its outputs behind a path that a shell takes apart if it can."""
    folder = tmp_path / "my folder (1)" / "R&D's [x] $HOME"
    monkeypatch.setenv("SDLIB_OUTPUTS", str(folder / "out puts"))
    clone = linked(folder / "clone")
    (clone / ".venv").symlink_to(sys.prefix)
    return clone


@pytest.fixture(scope="session")
def book_outputs(tmp_path_factory):
    """Where this worker executes chapters and builds the book."""
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture(scope="session")
def built_site(book_outputs):
    """The first page of the book, built once from its chapters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDLIB_OUTPUTS", str(book_outputs))
        for chapter in chapters.chapters():
            executed = book_outputs / "site" / chapter
            if not executed.exists():  # by the test of that chapter, if this worker ran it
                chapters.execute(ROOT / chapter, executed)
        return site.build()
