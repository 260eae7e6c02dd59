"""The figures in closed form, in a real browser: their numbers are the library's."""

import base64

import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from sklearn.metrics import balanced_accuracy_score

from sdlib.lab.figures import cutoff_state, resting_state, starvation_state
from sdlib.lab.live import live_html
from sdlib.losses import resting_logits
from sdlib.results import Place
from sdlib.theory import dual
from sdlib.theory.population import cutoff_worth
from tests.lab.browser import NEEDS_BROWSER, PAGE, call, chromium, lay_out, served, severe

pytestmark = NEEDS_BROWSER

PLACES = [Place("cutout", "laptop", source) for source in ("phantom", "open")]
SETTINGS = {
    "Eq. 1": (0.01, (0.0, 0.0)),
    "Eq. 2": ((0.0969, 0.000698), (1.83, 2.61)),
}
FIGURES = {
    "starvation": starvation_state(),
    "resting": resting_state(SETTINGS, "Eq. 1"),
    "cutoff": cutoff_state(PLACES),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A page with all figures, laid out as the book's site is."""
    still = '<p class="still">Scripts are off.</p>'
    figures = "\n".join(live_html(name, state, still) for name, state in FIGURES.items())
    return lay_out(tmp_path_factory.mktemp("site"), figures)


@pytest.fixture(scope="module")
def address(site):
    with served(site) as root:
        yield root


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as one:
        yield one


def ready(driver, address):
    driver.get(address)
    waiting = "return document.querySelectorAll('.live-figure:not([data-ready])').length"
    for _ in range(600):
        if driver.execute_script(waiting) == 0:
            return
        driver.execute_async_script("setTimeout(arguments[0], 100)")
    raise AssertionError(driver.find_element(By.TAG_NAME, "body").text)


def figure(driver, name):
    return driver.find_element(By.CSS_SELECTOR, f'[data-figure="{name}"]')


def choose(driver, name, button):
    box = figure(driver, name)
    (found,) = [one for one in box.find_elements(By.TAG_NAME, "button") if one.text == button]
    found.send_keys(Keys.ENTER)


def unpacked(text):
    return np.frombuffer(base64.b64decode(text), "<f4").astype(float).tolist()


# -- Parity with the library, on grids


@pytest.mark.parametrize("penalty", ["weight_decay", "sd"])
def test_fixed_points_are_those_of_the_library(driver, address, penalty):
    ready(driver, f"{address}/index.html")
    for d in (0.0, 0.3, 0.5, 0.95):
        for s in ([0.5, 0.5], [3.0, 2.0], [8.0, 0.5], [0.5, 8.0]):
            for lam in (0.001, 0.01, 1.0):
                found = call(driver, "/_static/lab/starvation.js", "fixedPoint", d, s, lam, penalty)
                u = dual.coupled_pair(d)
                alpha = dual.fixed_point(u, s, lam, penalty)
                z = dual.response(u, s, lam, alpha, penalty)
                assert found["z"] == pytest.approx(z, abs=1e-6)
                assert found["margins"] == pytest.approx(u @ z, abs=1e-6)


def test_resting_logits_and_their_worth_are_those_of_the_library(driver, address):
    ready(driver, f"{address}/index.html")
    rng = np.random.default_rng(0)
    pairs = [(10.0 ** rng.uniform(-4, 0, 2), rng.uniform(-3, 3, 2)) for _ in range(50)]
    for lam, gamma in pairs:
        lam, gamma = lam.tolist(), gamma.tolist()
        found = call(driver, "/_static/lab/resting.js", "restingLogits", lam, gamma)
        assert found == pytest.approx(resting_logits(lam, gamma), abs=1e-9)
        if found[0] < found[1]:
            worth = call(driver, "/_static/lab/resting.js", "cutoffWorth", lam, gamma)
            assert worth == pytest.approx(cutoff_worth(lam, gamma), abs=1e-12)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.source)
@pytest.mark.parametrize("arm", ["weight_decay", "sd_eq2"])
def test_measures_at_cutoffs_are_those_of_the_rows(driver, address, place, arm):
    """At 0 the recorded accuracy, recall and AUROC; elsewhere scikit-learn's on the logits."""
    ready(driver, f"{address}/index.html")
    state = FIGURES["cutoff"]["places"][place.name][arm]
    seeds = [[unpacked(text) for text in classes] for classes in state]
    targets = place.targets("test")
    for cut in (-3.0, -0.44, 0.0, 0.5, 3.0):
        found = call(driver, "/_static/lab/cutoff.js", "measure", seeds, cut)
        at_cut = [
            balanced_accuracy_score(targets, one > cut)
            for one in place.logits(arm, "test").values()
        ]
        assert found["accuracy"] == pytest.approx(np.mean(at_cut), abs=1e-9)
    at_rest = call(driver, "/_static/lab/cutoff.js", "measure", seeds, 0.0)
    for name in ("accuracy", "recall"):
        assert at_rest[name] == pytest.approx(place.values(f"test.{name}", arm).mean(), abs=1e-9)
    ranked = call(driver, "/_static/lab/cutoff.js", "ranking", seeds)
    assert ranked == pytest.approx(place.values("test.auroc", arm).mean(), abs=1e-4)


# -- As a reader meets them


def test_a_question_comes_first_and_the_link_remembers_the_answer(driver, address):
    ready(driver, f"{address}/index.html")
    assert figure(driver, "cutoff").find_elements(By.TAG_NAME, "svg") == []
    choose(driver, "cutoff", "Accuracy and recall")
    assert "You said: Accuracy and recall." in figure(driver, "cutoff").text
    assert figure(driver, "cutoff").find_elements(By.TAG_NAME, "svg")
    link = driver.current_url
    ready(driver, link)
    assert "You said: Accuracy and recall." in figure(driver, "cutoff").text
    assert severe(driver) == []


def test_arrow_keys_move_the_cutoff_and_with_it_accuracy_but_not_auroc(driver, address):
    ready(driver, f"{address}/index.html?cutoff.predicted=shown")

    def numbers():
        cells = figure(driver, "cutoff").find_elements(By.TAG_NAME, "td")
        return np.array([float(cell.text) for cell in cells]).reshape(2, 3)

    before = numbers()
    slider = figure(driver, "cutoff").find_element(By.CSS_SELECTOR, "input[name=cut]")
    assert slider.accessible_name.startswith("cut-off")
    slider.send_keys(*[Keys.ARROW_LEFT] * 10)
    after = numbers()
    assert "cutoff.cut=-0.5" in driver.current_url
    assert (after[:, :2] != before[:, :2]).all()
    assert (after[:, 2] == before[:, 2]).all()


def test_a_link_opens_the_figure_where_it_was_left(driver, address):
    ready(driver, f"{address}/index.html?resting.predicted=shown&resting.gamma_neg=1.5")
    slider = figure(driver, "resting").find_element(By.CSS_SELECTOR, "input[name=gamma_neg]")
    assert float(slider.get_attribute("value")) == 1.5
    lam, gamma = SETTINGS["Eq. 1"]
    negative, positive = resting_logits(lam, (1.5, gamma[1]))
    expected = f"Negatives rest at {negative:.2f}, positives at {positive:.2f}"
    assert expected in figure(driver, "resting").text


@pytest.mark.parametrize("asked", ["99", "-99", "nonsense", "NaN", "Infinity", ""])
def test_what_a_link_asks_beyond_the_ends_is_brought_back(driver, address, asked):
    ready(driver, f"{address}/index.html?cutoff.predicted=shown&cutoff.cut={asked}&cutoff.place=x")
    slider = figure(driver, "cutoff").find_element(By.CSS_SELECTOR, "input[name=cut]")
    assert -4 <= float(slider.get_attribute("value")) <= 4
    assert len(figure(driver, "cutoff").find_elements(By.TAG_NAME, "td")) == 6
    assert severe(driver) == []


def test_buttons_have_the_papers_settings(driver, address):
    ready(driver, f"{address}/index.html?resting.predicted=shown")
    choose(driver, "resting", "Eq. 2")
    assert "worth a cut-off of 0.391" in figure(driver, "resting").text


def test_a_page_on_a_phone_is_not_wider_than_the_phone(address, tmp_path):
    with chromium(tmp_path / "phone", size=(500, 900)) as phone:
        phone.set_window_rect(width=500, height=900)
        shown = "&".join(f"{name}.predicted=shown" for name in FIGURES)
        ready(phone, f"{address}/index.html?{shown}")
        wide = phone.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0


def test_a_figure_that_cannot_start_says_so_and_leaves_what_stood_there(site, driver, address):
    broken = live_html("cutoff", {"ask": 1}, '<p class="still">Scripts are off.</p>')
    page = PAGE.format(figures=broken.replace('"ask": 1', '"ask":'))
    (site / "broken.html").write_text(page, encoding="utf-8")
    driver.get(f"{address}/broken.html")
    for _ in range(100):
        text = figure(driver, "cutoff").text
        if "could not start" in text:
            break
        driver.execute_async_script("setTimeout(arguments[0], 100)")
    assert "Scripts are off." in text
    assert "This figure could not start" in text


def test_a_page_in_a_folder_says_how_to_serve_it(site, driver):
    driver.get((site / "index.html").as_uri())
    text = figure(driver, "resting").text
    assert "Scripts are off." in text
    assert "python -m http.server" in text
