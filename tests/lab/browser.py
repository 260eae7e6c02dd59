"""A real browser for tests: Chromium on pages that a local server hands out."""

import functools
import json
import shutil
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from selenium import webdriver

from sdlib.paths import ROOT

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
PATIENCE = 120  # seconds, on a busy machine
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
)

#: Marks of tests that drive a browser. They run one after another, and are skipped without one.
NEEDS_BROWSER = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        not (BROWSER and DRIVER), reason="no chromium and chromedriver (Debian: chromium-driver)"
    ),
]


@contextmanager
def chromium(profile, size=(1280, 1000), strategy="normal"):
    """A driver whose browser keeps its files in the folder ``profile``; sizes in px."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"):
        options.add_argument(flag)
    options.page_load_strategy = strategy
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(PATIENCE)
    try:
        yield driver
    finally:
        driver.quit()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        """Say nothing: pytest's output is for tests."""


@contextmanager
def served(folder):
    """Hand out a folder; gives the address of its root."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("localhost", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


PAGE = """<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8"><title>t</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="_static/live.css">
<script src="_static/live.js"></script><main>{figures}</main></html>"""


def lay_out(folder, figures):
    """Write a page with figures' HTML, and what it loads, as the book's site has them."""
    static = folder / "_static"
    static.mkdir()
    for name in ("live.js", "live.css"):
        (static / name).symlink_to(ROOT / "book" / "_static" / name)
    shutil.copytree(ROOT / "book" / "lab" / "js", static / "lab")
    (folder / "index.html").write_text(PAGE.format(figures=figures), encoding="utf-8")
    return folder


def call(driver, module, function, *arguments):
    """What a function that a module exports returns; arguments and result are JSON."""
    script = f"""
        const done = arguments[0];
        import("{module}")
          .then((found) => done({{ value: found.{function}(...{json.dumps(arguments)}) }}))
          .catch((error) => done({{ error: String(error) }}));"""
    answer = driver.execute_async_script(script)
    assert "error" not in answer, answer["error"]
    return answer["value"]


def severe(driver):
    """Errors in the browser's console."""
    return [one["message"] for one in driver.get_log("browser") if one["level"] == "SEVERE"]
