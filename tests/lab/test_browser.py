"""The shift lab in a real browser, opened as `make lab` does: keys, pictures, names, no network."""

import base64
import json
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from sdlib.lab import disturb
from sdlib.lab.sources import lab_tiles
from sdlib.paths import ROOT
from tests.lab.browser import NEEDS_BROWSER, PATIENCE, chromium, severe

WEB = ("http", "https", "ws", "wss")
AT_REST = ["haematoxylin × 1.0", "eosin × 1.0", "blur n = 1", "sharpening α = 0.0", "squares 0"]

pytestmark = NEEDS_BROWSER


@pytest.fixture
def voila(smoke, tmp_path):
    """The lab's server, on a machine without networks of its own: its address once it answers."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    log = tmp_path / "voila.log"
    command = [*make_lab(), f"--port={port}", "--no-browser"]
    with log.open("w") as stream:
        process = subprocess.Popen(command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT)

    def answers():
        # Not the page itself, which would start a kernel.
        for _ in range(10 * PATIENCE):
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"http://localhost:{port}/voila/static/voila.js").close()
            except OSError:
                time.sleep(0.1)
            else:
                return f"http://localhost:{port}/"
        raise AssertionError(f"Voila does not answer: {log.read_text()}")

    yield answers
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


def make_lab():
    """What `make lab` runs, with the tools of this environment."""
    make = ["make", "--no-print-directory", "-n", "lab"]
    line = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = [word.replace("$PWD", str(ROOT)) for word in shlex.split(line.splitlines()[-1])]
    return ["env", *(w.replace(".venv/bin", str(Path(sys.executable).parent)) for w in words)]


@pytest.fixture
def browser(tmp_path):
    """The page is sent while its kernel is at work, so nothing waits for it to be whole."""
    with chromium(tmp_path / "chromium", strategy="none") as driver:
        yield driver


def until(browser, condition, what):
    """Wait for a condition; where it never comes, say what the page shows instead."""
    try:
        return WebDriverWait(browser, PATIENCE, poll_frequency=0.2).until(lambda _: condition())
    except TimeoutException:
        page = browser.find_element(By.TAG_NAME, "body").text
        console = [entry["message"] for entry in browser.get_log("browser")]
        raise AssertionError(
            f"waited for {what}; page: {page[:2000]}; console: {console}"
        ) from None


def picture(browser, place):
    """PNG bytes of the image ``before`` or ``after``; none between two pictures."""
    script = """
        const [place, done] = arguments;
        const image = document.querySelectorAll('.sdlab img')[place];
        fetch(image.src).then((found) => found.arrayBuffer())
            .then((bytes) => done(btoa(String.fromCharCode(...new Uint8Array(bytes)))))
            .catch(() => done(''));"""
    index = ("before", "after").index(place)
    return base64.b64decode(browser.execute_async_script(script, index))


def shows(browser, place, image):
    png = picture(browser, place)
    if not png:
        return False
    found = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    return np.array_equal(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), image)


def names(browser):
    """What a screen reader calls the sliders."""
    handles = browser.find_elements(By.CSS_SELECTOR, ".sdlab .noUi-handle")
    return [handle.accessible_name for handle in handles]


def hosts(browser):
    """Whom the page has asked for anything, and talked to."""
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        params = message["params"]
        url = params["request"] if message["method"] == "Network.requestWillBeSent" else params
        parts = urlsplit(url.get("url", ""))
        if message["method"].startswith("Network.") and parts.scheme in WEB:
            yield parts.netloc


def test_arrow_keys_move_a_slider_and_with_it_the_picture(voila, browser):
    address, tile = voila(), lab_tiles().images[0]
    browser.get(address)

    def found(css):
        return browser.find_elements(By.CSS_SELECTOR, f".sdlab {css}")

    until(browser, lambda: len(found("img")) == 2, "two pictures")
    until(browser, lambda: shows(browser, "before", tile), "the tile")
    until(browser, lambda: names(browser) == AT_REST, "sliders with names")
    untouched = picture(browser, "after")
    assert untouched == picture(browser, "before")
    assert found("select")[0].accessible_name == "tile, true class"

    # Two keys to the right: haematoxylin times .8.
    handle, faded = found(".noUi-handle")[0], disturb(tile, haematoxylin=0.8)
    assert not np.array_equal(faded, tile)
    handle.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    until(browser, lambda: shows(browser, "after", faded), "the faded tile")
    until(browser, lambda: names(browser)[0] == "haematoxylin × 0.8", "the slider's new name")
    until(browser, lambda: "× 0.8" in found("[role=status]")[0].text, "what was done, in words")
    assert picture(browser, "before") == untouched

    # And back, by the keyboard again.
    (reset,) = [one for one in found("button") if one.text == "Reset"]
    reset.send_keys(Keys.ENTER)
    until(browser, lambda: picture(browser, "after") == untouched, "the tile after a reset")

    assert severe(browser) == []
    assert set(hosts(browser)) == {urlsplit(address).netloc}
