"""What the site's own script and style sheet do for keyboards, screen readers and eyes."""

import re
import shutil
import subprocess

import pytest

from sdlib.paths import ROOT

STATIC = ROOT / "book" / "_static"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
BOX = {"light": "#ecf3ff", "dark": "#182235"}  # of an exercise, as the browser shows it
LEAST_CONTRAST = 4.5  # WCAG 2, AA, text of usual size

PAGE = """<!doctype html><script src="{script}"></script><body>
<button class="search-button-field" aria-label="Search">Search Ctrl+K</button>
<div role="list" class="citation-list"><div class="citation" role="doc-biblioentry">A</div></div>
<article>
<details><summary aria-label="Toggle hidden content">Show the imports</summary></details>
<div id="wide" style="overflow-x: auto; width: 50px"><p style="width: 500px">1</p></div>
<div id="narrow" style="overflow-x: auto; width: 50px"><p style="width: 20px">1</p></div>
<div id="cut" style="overflow-x: hidden; width: 50px"><p style="width: 500px">1</p></div>
</article></body>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page as it stands when its scripts have run."""
    folder = tmp_path_factory.mktemp("page")
    file = folder / "page.html"
    file.write_text(PAGE.format(script=(STATIC / "access.js").as_uri()), encoding="utf-8")
    own = f"--user-data-dir={folder / 'chromium'}"
    command = [BROWSER, *FLAGS, own, "--virtual-time-budget=2000", "--dump-dom", file.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def tag(page, start):
    return re.search(rf"<{start}[^>]*>", page)[0]


needs_browser = pytest.mark.skipif(not BROWSER, reason="no chromium")


@needs_browser
@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_folds_and_search_are_named_by_the_words_that_they_show(page):
    assert "aria-label" not in tag(page, "summary")
    assert "aria-label" not in tag(page, "button")


@needs_browser
@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_references_are_items_of_their_list(page):
    assert 'role="listitem"' in tag(page, 'div class="citation"')


@needs_browser
@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_only_what_scrolls_can_be_reached_with_the_keyboard(page):
    wide = tag(page, 'div id="wide"')
    assert 'tabindex="0"' in wide
    assert "aria-label=" in wide
    for name in ("narrow", "cut"):
        assert "tabindex" not in tag(page, f'div id="{name}"')


def luminance(colour):
    """Of WCAG 2: a weighted sum of linear red, green and blue."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_links_in_exercises_stand_out_from_their_box(theme):
    style = (STATIC / "reading.css").read_text(encoding="utf-8")
    colour = re.search(rf'"{theme}"\] div\.exercise a {{ color: (#\w+)', style)[1]
    lighter, darker = sorted([luminance(colour), luminance(BOX[theme])], reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= LEAST_CONTRAST


def test_contrast_is_that_of_the_standard():
    assert luminance("#ffffff") == pytest.approx(1)
    assert luminance("#000000") == 0
    # The standard's own example of text that just fails on white.
    assert 1.05 / (luminance("#777777") + 0.05) == pytest.approx(4.48, abs=0.01)
