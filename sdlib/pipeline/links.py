"""Links of the built site: every page, file and place that a page points to is there.

Sphinx checks the references that it writes itself. Addresses in the text of a page, in the outputs
of cells and in the theme's own links are checked by nobody but the reader who follows them.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sdlib.errors import DataError

__all__ = ["broken_links"]

TARGETS = {"a": "href", "img": "src", "script": "src", "link": "href", "source": "src"}
MADE_BY_SCRIPTS = {"#", "#pst-back-to-top"}  # the theme answers these clicks itself


class _Page(HTMLParser):
    """What a page points to, and the names of its places."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.places |= {found[name] for name in ("id", "name") if found.get(name)}
        address = found.get(TARGETS.get(tag, ""))
        if address:
            self.links.append(address)


def broken_links(html: Path) -> list[str]:
    """Addresses within the site that lead nowhere.

    Parameters
    ----------
    html : pathlib.Path
        The built site. Addresses elsewhere are not followed.

    Returns
    -------
    list of str
        One sentence a page and address; empty if every link leads somewhere.

    Raises
    ------
    DataError
        There is no page.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.html").write_text('<p id="x"><a href="#x">1</a><a href="b.html">2</a>')
    >>> broken_links(folder)
    ['a.html points to b.html: there is no such file']
    """
    html = Path(html).resolve()
    # The theme leaves templates among its static files: nobody reads them.
    found = (path for path in sorted(html.rglob("*.html")) if path.parent != html / "_static")
    pages = {path: _Page() for path in found}
    if not pages:
        raise DataError(f"expected pages (.html) under {html}, found none")
    for path, page in pages.items():
        page.feed(path.read_text(encoding="utf-8"))
    broken = []
    for path, page in pages.items():
        for address in dict.fromkeys(page.links):
            problem = _problem(path, address, pages)
            if problem:
                broken.append(f"{path.relative_to(html)} points to {address}: {problem}")
    return broken


def _problem(page: Path, address: str, pages: dict[Path, _Page]) -> str:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or address in MADE_BY_SCRIPTS:
        return ""
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir():
        target = target / "index.html"
    if not target.exists():
        return "there is no such file"
    place = unquote(parts.fragment)
    if place and target in pages and place not in pages[target].places:
        return f"the page has no place named {place}"
    return ""
