"""The shift lab of the page: until it is there, and from a slider's move to what networks predict.

Wall-clock milliseconds in headless Chromium, printed beside what they should be below.
"""

import statistics

import pytest

from sdlib.errors import SdlibError
from sdlib.lab.page import page_state
from tests.lab.browser import NEEDS_BROWSER, chromium, served
from tests.lab.page_site import add_networks, laid_out

pytestmark = NEEDS_BROWSER

MOST_READY_MS, MOST_STEP_MS = 2000, 100
WATCH = """
    new MutationObserver((_, observer) => {
        if (!document.querySelector(".live-figure[data-ready]")) return;
        window.readyAt = performance.now();
        observer.disconnect();
    }).observe(document, { subtree: true, childList: true, attributes: true });"""
READY = """
    const done = arguments[0];
    const look = () => (window.readyAt ? done(window.readyAt) : setTimeout(look, 10));
    look();"""
MOVE = """
    const [name, values, done] = arguments;
    const input = document.querySelector(`input[name=${name}]`);
    const told = document.querySelector("[role=status]");
    const changed = () => new Promise((resolve) => {
        const observer = new MutationObserver(() => { observer.disconnect(); resolve(); });
        observer.observe(told, { childList: true });
    });
    (async () => {
        const spent = [];
        for (const value of values) {
            const began = performance.now(), change = changed();
            input.value = value;
            input.dispatchEvent(new Event("input", { bubbles: true }));
            await change;
            spent.push(performance.now() - began);
        }
        done(spent);
    })();"""
MOVES = {
    "blur": list(range(2, 21)),
    "sharpen": [k / 10 for k in range(1, 11)],
    "eosin": [k / 10 for k in range(10)],
}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = laid_out(tmp_path_factory.mktemp("site"), page_state())
    try:
        add_networks(folder)
    except SdlibError as error:
        pytest.skip(f"no runtime of networks in the browser: {error}")
    with served(folder) as root, chromium(tmp_path_factory.mktemp("chromium")) as driver:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        driver.get(root)
        yield driver


def test_the_page_is_ready_and_follows_its_sliders(page, line):
    ready = page.execute_async_script(READY)
    line(("lab in the page: until ready", f"{ready:.0f} ms", "", "", f"below {MOST_READY_MS} ms"))
    (first,) = page.execute_async_script(MOVE, "blur", [20])
    line(("first prediction, runtime loaded", f"{first:.0f} ms", "", "", ""))
    for name, values in MOVES.items():
        spent = page.execute_async_script(MOVE, name, values)
        what = f"{name}: slider to four predictions"
        slowest = f"slowest {max(spent):.0f} ms"
        wanted = f"below {MOST_STEP_MS} ms"
        line((what, f"{statistics.median(spent):.0f} ms", slowest, "", wanted))
        assert len(spent) == len(values)
