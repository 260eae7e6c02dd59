"""Text from rows on pages: whatever a file says, nothing of it becomes markup."""

import json

from hypothesis import given, strategies as st
from markdown_it import MarkdownIt

from sdlib.experiments import Run
from sdlib.markdown import as_markdown
from sdlib.results import Place, sentence

HOSTILE = "<img src=x onerror=alert(1)> [a](javascript:b) `c` **d** $\\foo$ | ~~e~~"


def rendered(text):
    """What a reader sees of a paragraph: its text, if it holds no markup."""
    parser = MarkdownIt("gfm-like", {"linkify": False}).disable("linkify")
    (content,) = [token for token in parser.parse(f"On {text}.") if token.type == "inline"]
    assert {child.type for child in content.children} <= {"text", "text_special"}
    return "".join(child.content for child in content.children)


def test_hostile_text_stays_text():
    assert rendered(as_markdown(HOSTILE)) == f"On {HOSTILE}."


@given(st.text(alphabet="<>&`*_[]()|$~\\ab \n", max_size=30))
def test_no_text_becomes_markup(text):
    escaped = as_markdown(text)
    shown = " ".join(text.split())
    assert rendered(f"a{escaped}a") == f"On a{shown}a."
    assert "<" not in escaped
    assert "\n" not in escaped


def test_a_device_of_a_row_is_shown_as_text(recorded, row_of):
    place = Place("cutout", "quick", "phantom")
    row = row_of(Run("cutout", "weight_decay", 0, "quick")) | {"device": HOSTILE}
    place.recorded_file(".jsonl").write_text(json.dumps(row) + "\n")
    assert as_markdown(HOSTILE) in sentence(place)
    assert "<img" not in sentence(place)
