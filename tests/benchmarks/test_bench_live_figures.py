"""Figures in closed form: one move of a slider, computed and drawn, in headless Chromium.

Wall-clock milliseconds, printed beside the time of one frame.
"""

import statistics

import pytest

from sdlib.lab.live import live_html
from tests.lab.browser import NEEDS_BROWSER, chromium, lay_out, served
from tests.lab.test_live_figures import FIGURES, ready

pytestmark = NEEDS_BROWSER

FRAME_MS = 1000 / 60
SLIDERS = {"starvation": "s1", "resting": "gamma_pos", "cutoff": "cut"}
# A figure draws before its slider's event ends; the layout is asked for, so that it counts.
MOVE = """
    const [figure, name] = arguments;
    const box = document.querySelector(`[data-figure=${figure}]`);
    const input = box.querySelector(`input[name=${name}]`);
    const spent = [];
    for (let k = 0; k <= 60; k++) {
        input.value = Number(input.min) + (k / 60) * (input.max - input.min);
        const began = performance.now();
        input.dispatchEvent(new Event("input", { bubbles: true }));
        box.getBoundingClientRect();
        spent.push(performance.now() - began);
    }
    return spent;"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    bare = {name: {**state, "ask": None} for name, state in FIGURES.items()}
    figures = "\n".join(live_html(name, state, "") for name, state in bare.items())
    folder = lay_out(tmp_path_factory.mktemp("site"), figures)
    with served(folder) as root, chromium(tmp_path_factory.mktemp("chromium")) as driver:
        ready(driver, root)
        yield driver


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_follows_its_slider(page, line, figure):
    spent = page.execute_script(MOVE, figure, SLIDERS[figure])
    what = f"{figure}: one move of a slider"
    slowest = f"slowest {max(spent):.0f} ms"
    line((what, f"{statistics.median(spent):.1f} ms", slowest, "", f"a frame: {FRAME_MS:.0f} ms"))
    assert len(spent) == 61
