"""The same modules where a kernel runs: a figure as a widget, in Voila and a real browser."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from sdlib.paths import ROOT
from tests.lab.browser import NEEDS_BROWSER, PATIENCE, chromium, severe

pytestmark = NEEDS_BROWSER

CODE = """
from sdlib.lab.figures import resting_state
from sdlib.lab.live import LiveFigure

LiveFigure("resting", {**resting_state({"Eq. 1": (0.01, (0.0, 0.0))}, "Eq. 1"), "predicted": "x"})
"""


@pytest.fixture
def address(tmp_path):
    """A notebook with one figure, as Voila serves it."""
    notebook = tmp_path / "figure.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)]), notebook)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "voila", str(notebook), f"--port={port}", "--no-browser"]
    own_page = {"JUPYTER_PATH": str(ROOT / "book" / "lab"), "PYTHONPATH": str(ROOT)}
    with (tmp_path / "voila.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--template=local", "--show_tracebacks=True"],
            cwd=tmp_path,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **own_page},
        )
    for _ in range(10 * PATIENCE):
        assert process.poll() is None, (tmp_path / "voila.log").read_text()
        try:
            urllib.request.urlopen(f"http://localhost:{port}/voila/static/voila.js").close()
        except OSError:
            time.sleep(0.1)
        else:
            break
    yield f"http://localhost:{port}/"
    process.terminate()
    process.wait(20)


def test_a_figure_responds_as_a_widget(address, tmp_path):
    with chromium(tmp_path / "chromium", strategy="none") as driver:
        driver.get(address)
        for _ in range(10 * PATIENCE):
            sliders = driver.find_elements(By.CSS_SELECTOR, "input[name=gamma_neg]")
            if sliders:
                break
            time.sleep(0.1)
        assert sliders, driver.find_element(By.TAG_NAME, "body").text
        curve = driver.find_element(By.CSS_SELECTOR, "path.arm")
        assert curve.value_of_css_property("stroke-width") == "2px"  # the figure's own styles
        before = driver.find_element(By.CSS_SELECTOR, "[role=status].live-numbers").text
        assert "Negatives rest at -3.36, positives at 3.36" in before
        sliders[0].send_keys(*[Keys.ARROW_RIGHT] * 20)
        after = driver.find_element(By.CSS_SELECTOR, "[role=status].live-numbers").text
        assert after != before
        assert "positives at 3.36" in after
        assert severe(driver) == []
