"""Every page of the built site in a real browser: no errors, no barriers, live figures at work."""

import pytest
from selenium.webdriver.common.by import By

from tests.lab.browser import NEEDS_BROWSER, chromium, served, severe
from tests.pipeline.accessibility import grave_findings

# The worker that has built the site, see test_chapters.
pytestmark = [mark for mark in NEEDS_BROWSER if mark.name != "xdist_group"]
pytestmark.append(pytest.mark.xdist_group("book"))

# The theme declares this twice; the toolchain's own, on every page.
KNOWN = "Identifier 'THEBE_JS_URL' has already been declared"
WIDTHS = {"desk": 1280, "phone": 390}
STARTED = """
    const done = arguments[0], began = Date.now();
    (function look() {
      const waiting = document.querySelectorAll(".live-figure:not([data-ready])").length;
      if (!waiting || Date.now() - began > 60000) done(waiting);
      else setTimeout(look, 100);
    })();"""

# The page follows the reader's system within a moment.
THEME = """
    const [wanted, done] = arguments, began = Date.now();
    (function look() {
      const now = document.documentElement.dataset.theme;
      if (now === wanted || Date.now() - began > 5000) done(now);
      else setTimeout(look, 20);
    })();"""


@pytest.fixture(scope="module")
def pages(built_site):
    """Addresses of the pages by name, served as a reader would."""
    folder = built_site.parent
    found = [path for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts]
    # The first index leads to the book's, and is never seen.
    unread = {"genindex.html", "search.html", "index.html"}
    read = [path for path in found if path.relative_to(folder).as_posix() not in unread]
    with served(folder) as root:
        yield {path.stem: f"{root}/{path.relative_to(folder).as_posix()}" for path in read}


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as one:
        yield one


def test_every_page_is_without_errors_and_barriers(pages, driver):
    """At both widths, light and dark; the theme's colours follow the reader's system."""
    assert len(pages) > 12
    found = {}
    for name, address in pages.items():
        for width, px in WIDTHS.items():
            size = {"width": px, "height": 900, "deviceScaleFactor": 1, "mobile": px < 600}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            driver.get(address)
            assert driver.execute_async_script(STARTED) == 0, name
            problems = [one for one in severe(driver) if KNOWN not in one]
            for theme in ("light", "dark"):
                scheme = [{"name": "prefers-color-scheme", "value": theme}]
                driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
                assert driver.execute_async_script(THEME, theme) == theme, name
                problems += [f"{theme}: {one}" for one in grave_findings(driver)]
            if problems:
                found[f"{name}, {width}"] = problems
    assert found == {}


def test_figures_that_respond_are_on_their_pages(pages, driver):
    places = {
        "02_gradient_starvation": {"moons", "starvation"},
        "03_spectral_decoupling": {"resting"},
        "04_dominant_features": {"cutoff"},
        "in_the_page": {"lab"},
    }
    for page, names in places.items():
        driver.get(pages[page])
        assert driver.execute_async_script(STARTED) == 0
        figures = driver.find_elements(By.CSS_SELECTOR, ".live-figure")
        assert names <= {one.get_attribute("data-figure") for one in figures}
        for one in figures:
            assert "could not start" not in one.text


def test_a_page_without_scripts_has_the_question_and_its_folded_answer(built_site):
    text = (built_site.parent / "book" / "1_idea" / "02_gradient_starvation.html").read_text()
    figure = text[text.index('data-figure="starvation"') :]
    assert "Predict first." in figure
    assert "<summary>Answer</summary>" in figure
