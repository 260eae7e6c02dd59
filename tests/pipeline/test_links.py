"""Links of the site: what leads nowhere is found, and nothing else."""

import pytest

from sdlib.errors import DataError
from sdlib.pipeline.links import broken_links

TARGET = '<h1 id="top">t</h1><a name="old">o</a><p id="größe">g</p>'


@pytest.fixture
def site(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "b.html").write_text(TARGET, encoding="utf-8")
    (tmp_path / "my picture.png").write_bytes(b"")
    (tmp_path / "index.html").write_text("", encoding="utf-8")

    def links(*addresses):
        text = "".join(f'<a href="{one}">x</a>' for one in addresses)
        (tmp_path / "a.html").write_text(text, encoding="utf-8")
        return broken_links(tmp_path)

    return links


@pytest.mark.parametrize(
    "address",
    [
        "book/b.html",
        "book/b.html#top",
        "book/b.html#old",
        "book/b.html#gr%C3%B6%C3%9Fe",
        "./",
        "#",
        "my%20picture.png",
        "book/b.html?cutoff.cut=1#top",
        "https://example.org/nothing.html#x",
        "mailto:a@example.org",
        "data:text/plain,x",
    ],
)
def test_what_leads_somewhere_is_left_alone(site, address):
    assert site(address) == []


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("book/c.html", "there is no such file"),
        ("book/", "there is no such file"),
        ("book/b.html#bottom", "the page has no place named bottom"),
        ("#top", "the page has no place named top"),
        ("../a.html", "there is no such file"),
    ],
)
def test_what_leads_nowhere_is_named_with_its_page_once(site, address, problem):
    assert site(address, address) == [f"a.html points to {address}: {problem}"]


@pytest.mark.parametrize("tag", ['<img src="x.png">', '<script src="x.png"></script>'])
def test_pictures_and_scripts_are_looked_for_too(tmp_path, tag):
    (tmp_path / "a.html").write_text(tag, encoding="utf-8")
    assert broken_links(tmp_path) == ["a.html points to x.png: there is no such file"]


def test_templates_among_static_files_are_no_pages(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "macro.html").write_text('<a href="{{ x }}">x</a>', encoding="utf-8")
    with pytest.raises(DataError, match="expected pages"):
        broken_links(tmp_path)
