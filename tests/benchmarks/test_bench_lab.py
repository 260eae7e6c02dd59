"""From a slider's new value to the picture, and to every network's answer, in the kernel."""

import time

import pytest

from sdlib.lab import lab
from sdlib.lab.panels import SCALES

MOST_MS = 100


@pytest.fixture(scope="module")
def opened():
    return lab()


@pytest.mark.parametrize("shift", SCALES)
def test_a_slider_is_followed_at_once(opened, shift, line):
    slider, rest = opened.sliders[shift], SCALES[shift][0]
    spent, drawn = [], []
    opened.after.observe(lambda change: drawn.append(time.process_time()), "value")
    for strength in (*SCALES[shift][1:], *SCALES[shift][-2::-1]):
        drawn.clear()
        start = time.process_time()
        slider.value = strength
        spent.append((drawn[0] - start, time.process_time() - start) if drawn else (0.0, 0.0))
    opened.after.unobserve_all("value")
    assert slider.value == rest
    assert any(picture for picture, _ in spent), "no picture followed the slider"
    picture, everything = (1000 * max(each) for each in zip(*spent, strict=True))
    what = f"lab, {shift}: slowest step to the picture"
    answers = f"with {len(opened.probabilities)} networks' answers, {everything:.1f} ms"
    line((what, f"{picture:.1f} ms", answers, f"{everything / picture:.0f}", f"below {MOST_MS} ms"))
    assert everything < MOST_MS
