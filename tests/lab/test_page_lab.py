"""The shift lab of the page in a browser: Python's pixels, PyTorch's logits, keys, requests."""

import base64
import functools

import numpy as np
import pytest
from scipy.special import expit
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from sdlib.errors import SdlibError
from sdlib.lab import disturb
from sdlib.lab.page import PRESETS, REST, page_state, page_still
from sdlib.lab.page_networks import TASKS, page_networks
from sdlib.lab.panels import SCALES
from sdlib.training.prediction import predict_logits
from tests.lab.browser import NEEDS_BROWSER, PATIENCE, chromium, served, severe
from tests.lab.page_site import add_networks, laid_out

pytestmark = NEEDS_BROWSER

N_RANDOM = 30  # settings for each image
DISTURB = """
    const [tiles, cases, done] = arguments;
    import("/_static/lab/lab.js").then(({ disturb }) => done(cases.map(([k, settings]) =>
        btoa(String.fromCharCode(...disturb(tiles[k], settings))))));"""
PREDICT = """
    const [tiles, cases, done] = arguments;
    import("/_static/lab/lab.js").then(async ({ disturb, predict }) => {
        const found = [];
        for (const [k, settings] of cases) {
            const { task, size } = tiles[k];
            found.push(await predict(task, disturb(tiles[k], settings), size));
        }
        done(found);
    }).catch((error) => done(String(error)));"""
BARS = """return [...document.querySelectorAll(".lab-bar")].map((bar) =>
    [...bar.childNodes].map((node) => node.textContent).join(": "))"""
LOADED = "return performance.getEntriesByType('resource').map(({ name }) => name)"


@pytest.fixture(scope="module")
def state():
    return page_state()


@pytest.fixture(scope="module")
def address(tmp_path_factory, state):
    folder = laid_out(tmp_path_factory.mktemp("site"), state)
    try:
        add_networks(folder)
    except SdlibError as error:
        pytest.skip(f"no runtime of networks in the browser: {error}")
    with served(folder) as root:
        yield root


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture
def page(driver, address):
    driver.get(address)
    until(driver, lambda: driver.find_elements(By.CSS_SELECTOR, ".live-figure[data-ready]"))
    return driver


def until(driver, condition):
    return WebDriverWait(driver, PATIENCE, poll_frequency=0.05).until(lambda _: condition())


def image_of(tile):
    pixels = np.frombuffer(base64.b64decode(tile["pixels"]), np.uint8)
    return pixels.reshape(tile["size"], tile["size"], 3)


def corners(text):
    return [tuple(map(int, pair.split(","))) for pair in text.split(";") if pair]


def in_python(tile, settings):
    stains = {"haematoxylin", "eosin"} if "mix" in tile else set()
    wanted = {name: settings[name] for name in {"blur", "sharpen"} | stains}
    return disturb(image_of(tile), **wanted, squares=corners(settings["squares"]))


def random_settings(tile, rng):
    settings = {shift: float(rng.choice(scale)) for shift, scale in SCALES.items()}
    places = rng.integers(0, tile["size"] - tile["side"] + 1, (rng.integers(0, 17), 2))
    return settings | {"squares": ";".join(f"{row},{column}" for row, column in places)}


def random_cases(state, n, seed):
    rng = np.random.default_rng(seed)
    return [
        [k, random_settings(tile, rng)] for k, tile in enumerate(state["tiles"]) for _ in range(n)
    ]


def test_images_are_pythons_within_one_grey_level(page, state):
    """Every level of every shift alone, and random settings of all, with squares."""
    grid = [
        [k, {**REST, shift: strength}]
        for k in range(len(state["tiles"]))
        for shift, scale in SCALES.items()
        for strength in scale
    ]
    cases = grid + random_cases(state, N_RANDOM, 0)
    found = page.execute_async_script(DISTURB, state["tiles"], cases)
    assert len(found) == len(cases) > 400
    for (k, settings), text in zip(cases, found, strict=True):
        tile = state["tiles"][k]
        pixels = np.frombuffer(base64.b64decode(text), np.uint8).astype(int)
        differences = np.abs(pixels - in_python(tile, settings).ravel())
        assert differences.max() <= 1, (k, settings)


def test_logits_are_pytorchs(page, state):
    cases = [[k, dict(REST)] for k in range(len(state["tiles"]))] + random_cases(state, 5, 1)
    found = page.execute_async_script(PREDICT, state["tiles"], cases)
    assert isinstance(found, list), found
    for (k, settings), logits in zip(cases, found, strict=True):
        tile = state["tiles"][k]
        image = in_python(tile, settings)[None]
        expected = [predict_logits(network, image)[0] for network in networks_of(tile["task"])]
        np.testing.assert_allclose(logits, expected, atol=1e-3)
        if settings == REST:
            np.testing.assert_allclose(tile["logits"], expected, atol=1e-5)


@functools.cache
def networks_of(task):
    return list(page_networks(task).networks.values())


def told(page):
    # In one step: while networks predict, bars are replaced.
    return page.execute_script(BARS)


def shows(page, expected):
    until(page, lambda: told(page) == expected)


def expected_texts(state, k, settings):
    tile = state["tiles"][k]
    image = in_python(tile, settings)[None]
    networks = networks_of(tile["task"])
    now = [predict_logits(network, image)[0] for network in networks]
    arms = state["tasks"][tile["task"]]["arms"]
    chances = zip(expit(now), expit(tile["logits"]), strict=True)
    return [
        f"{arm['label']}: {p:.2f} was {before:.2f}"
        for arm, (p, before) in zip(arms, chances, strict=True)
    ]


def test_nothing_is_loaded_before_the_first_touch(page, state):
    heavy = [name for name in page.execute_script(LOADED) if name.endswith((".wasm", ".onnx"))]
    assert heavy == []
    assert told(page) == expected_texts(state, 0, REST)
    page.find_element(By.NAME, "blur").send_keys(Keys.ARROW_RIGHT)
    until(page, lambda: any(n.endswith("lab_worker.js") for n in page.execute_script(LOADED)))


def test_keys_move_a_slider_and_lay_a_square(page, state):
    slider = page.find_element(By.NAME, "sharpen")
    slider.send_keys(*[Keys.ARROW_RIGHT] * 7)
    sharper = {**REST, "sharpen": 0.7}
    shows(page, expected_texts(state, 0, sharper))
    canvas = page.find_element(By.CSS_SELECTOR, ".lab-picture canvas")
    assert "Arrow keys" in canvas.accessible_name
    canvas.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ENTER)
    canvas.send_keys(Keys.SHIFT + Keys.ARROW_DOWN, Keys.NULL, Keys.ENTER)
    both = {**sharper, "squares": "1,2;9,2"}
    shows(page, expected_texts(state, 0, both))
    assert "lab.squares=1%2C2%3B9%2C2" in page.current_url
    assert "lab.sharpen=0.7" in page.current_url
    assert severe(page) == []


def test_the_pointer_lays_a_square_where_it_is(page, state):
    canvas = page.find_element(By.CSS_SELECTOR, ".lab-picture canvas")
    canvas.click()  # in its middle
    until(page, lambda: "lab.squares=31%2C31" in page.current_url)
    shows(page, expected_texts(state, 0, {**REST, "squares": "31,31"}))


def test_presets_set_everything_and_reset_takes_it_back(page, state):
    buttons = page.find_elements(By.CSS_SELECTOR, ".live-presets button")
    assert [button.text for button in buttons] == list(PRESETS)
    for button, values in zip(buttons, PRESETS.values(), strict=True):
        button.click()
        tile = int(values.get("tile", PRESETS["faded stain"].get("tile", 2)))
        settings = {key: values[key] for key in REST}
        shows(page, expected_texts(state, tile, settings))
    assert severe(page) == []


def test_films_have_no_stains_to_fade(page):
    tile = page.find_element(By.NAME, "tile")
    tile.send_keys(Keys.END)
    until(page, lambda: len(told(page)) == len(TASKS["covid"].arms))
    shown = {n: page.find_element(By.NAME, n).is_displayed() for n in SCALES}
    assert shown == {"haematoxylin": False, "eosin": False, "blur": True, "sharpen": True}


def test_without_the_runtime_pictures_change_and_a_sentence_says_why(driver, tmp_path, state):
    with served(laid_out(tmp_path, state)) as root:
        driver.get(root)
        until(driver, lambda: driver.find_elements(By.NAME, "blur"))
        driver.find_element(By.NAME, "blur").send_keys(Keys.END)
        sentence = "The networks cannot predict here: "
        until(driver, lambda: sentence in driver.find_element(By.TAG_NAME, "main").text)
    driver.get_log("browser")  # what was not found is for no other test


def test_without_webassembly_the_strip_stays_and_a_sentence_says_why(driver, tmp_path, state):
    off = {"source": "delete globalThis.WebAssembly"}
    script = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", off)
    try:
        with served(laid_out(tmp_path, state)) as root:
            driver.get(root)
            figure = driver.find_element(By.CSS_SELECTOR, ".live-figure")
            until(driver, lambda: "its networks need WebAssembly" in figure.text)
            pictures = figure.find_elements(By.TAG_NAME, "img")
            assert len(pictures) == page_still().count("<img ")
            assert all(one.is_displayed() for one in pictures)
            assert not driver.find_elements(By.TAG_NAME, "canvas")
    finally:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def test_without_javascript_a_strip_stands_there(state):
    still = page_still()
    assert still.count("<img ") == still.count("alt=") == 5
    assert "squares" in still
