"""Figures that respond: their text in a page, and as one module for a widget."""

import base64
import json
import re

import pytest

from sdlib.errors import ConfigError
from sdlib.lab import live
from sdlib.lab.figures import cutoff_state, resting_state, starvation_state
from sdlib.results import Place
from tests.written_results import write_run

ADDRESS = re.compile(r"data:text/javascript;base64,([\w+/=]+)")
NAMES = live.figure_names()


def inside(text):
    """Every module within a bundled one, however deep."""
    for found in ADDRESS.findall(text):
        module = base64.b64decode(found).decode()
        yield module
        yield from inside(module)


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_module_needs_no_file_beside_it(name):
    text = live.bundled(name)
    parts = (live.MODULES / "parts.js").read_text(encoding="utf-8")
    assert parts in set(inside(text))
    for module in (text, *inside(text)):
        assert not re.search(r'"\./\w+\.js"', module)


def test_the_state_of_a_page_is_read_back_as_it_was():
    state = {"text": "</script><b>ä \u2028", "number": 1.5, "list": [1, {"a": None}]}
    html = live.live_html("cutoff", state, "")
    (script,) = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)
    assert json.loads(script) == state


@pytest.mark.parametrize("state", [{"a": float("nan")}, {"a": object()}])
def test_what_is_not_json_is_refused(state):
    with pytest.raises(ConfigError, match="expected a state of JSON for cutoff"):
        live.live_html("cutoff", state, "")


@pytest.mark.parametrize("name", ["parts", "mount", "../cutoff", "nothing"])
def test_only_figures_are_shown(name):
    with pytest.raises(ConfigError, match="expected a figure"):
        live.live_html(name, {}, "")


def test_a_page_gets_html_and_a_reader_with_a_kernel_a_widget(monkeypatch):
    shown = []
    monkeypatch.setattr(live, "display", shown.append)
    for frontend in (False, True):
        monkeypatch.setattr(live, "has_frontend", lambda answer=frontend: answer)
        live.show_live("starvation", starvation_state())
    page, widget = shown
    assert 'data-figure="starvation"' in page.data
    assert "<details><summary>Answer</summary>" in page.data
    assert isinstance(widget, live.LiveFigure)
    assert widget.s1 == starvation_state()["s1"]
    assert widget.get_state()["_css"] == live.STYLE.read_text(encoding="utf-8")
    widget.close()


def test_questions_are_written_as_text():
    html = live.folded_answer({"question": "a < b?", "choices": {"x": "<i>"}, "answer": "a & b"})
    assert "a &lt; b?" in html
    assert "&lt;i&gt;" in html
    assert "a &amp; b" in html


def test_without_rows_there_is_no_figure_but_a_sentence(capsys):
    from sdlib.lab.figures import show_cutoffs

    nothing = Place("cutout", "gpu", "phantom")
    assert cutoff_state([nothing]) == {}
    show_cutoffs([nothing])
    assert "No logits of both arms" in capsys.readouterr().out


def test_every_place_with_logits_of_both_arms_has_its_own(outputs, recorded):
    """Two places of one source, too; one that has only one of the arms is left out."""
    arms = {"weight_decay": (0.0, 3.0, -2.5), "sd_eq2": (1.0, 3.0, -2.5)}
    for profile, seeds in (("laptop", 2), ("long", 3)):
        for arm, network in arms.items():
            for seed in range(seeds):
                write_run("cutout", arm, seed, profile, "phantom", network)
    write_run("cutout", "sd_eq2", 0, "quick", "phantom")
    places = [Place("cutout", one, "phantom", "this run") for one in ("laptop", "long", "quick")]
    state = cutoff_state(places)
    assert list(state["places"]) == [place.name for place in places[:2]]
    assert state["place"] == places[0].name
    for place in places[:2]:
        is_cancer = place.targets("test") == 1
        for arm in arms:
            expected = [
                [live.packed(logits[~is_cancer]), live.packed(logits[is_cancer])]
                for logits in place.logits(arm, "test").values()
            ]
            assert state["places"][place.name][arm] == expected


def test_every_setting_is_a_button():
    state = resting_state({"one": (0.01, (0.0, 0.0)), "two": ((0.1, 0.001), (1.0, 2.0))}, "one")
    assert state["log_pos"] == state["log_neg"] == -2
    two = {"log_neg": -1.0, "log_pos": -3.0, "gamma_neg": 1.0, "gamma_pos": 2.0}
    assert state["presets"]["two"] == two


def test_modules_are_short():
    """A reader sees a figure's code whole: 150 lines a file; sums leave out blanks and comments."""
    counts = {}
    for path in live.MODULES.glob("*.js"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 150, path.name
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        lines = [line.strip() for line in text.splitlines()]
        counts[path.name] = sum(bool(line) and not line.startswith("//") for line in lines)
        assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 100, path.name
    assert sum(counts.values()) <= 720
