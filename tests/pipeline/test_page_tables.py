"""Intervals in tables stay on one line; everything else may be broken."""

import nbformat
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from sdlib.metrics import mean_interval
from sdlib.pipeline.page_tables import keep_intervals_whole, whole_intervals
from sdlib.report.tables import describe


def cell(html):
    """The text of the only cell of a table that pandas wrote."""
    return pd.DataFrame({"a": [html]}).to_html()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+3.3 (-2.5 to +9.2)", "+3.3 (-2.5~to~+9.2)"),
        ("0.752 (0.019) [0.728, 0.776] n = 5", "0.752 (0.019) [0.728,~0.776] n~=~5"),
        (".5 to .7", ".5~to~.7"),
        ("12% to 15% of tiles", "12%~to~15% of tiles"),
        ("-0.3 to 0.3", "-0.3~to~0.3"),
        ("one, two to three", "one, two to three"),
        ("in 2026 to see", "in 2026 to see"),
        ("batches of 32, up to 5 seeds", "batches of 32, up to 5 seeds"),
    ],
)
def test_only_the_spaces_of_an_interval_are_joined(text, shown):
    found = whole_intervals(cell(text))
    assert f"<td>{shown.replace('~', '&nbsp;')}</td>" in found


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=6))
def test_whatever_describe_writes_breaks_only_between_its_numbers(values):
    text = describe(mean_interval(values), sign=True)
    found = whole_intervals(f"<td>{text}</td>")
    assert found.replace("&nbsp;", " ") == f"<td>{text}</td>"
    parts = found.removeprefix("<td>").removesuffix("</td>").split(" ")
    assert len(parts) == 4  # mean, SD, interval, n


def test_headings_are_cells_and_text_outside_is_not():
    html = "<p>1 to 2</p><table><tr><th scope='row'>1 to 2</th><td>3 to 4</td></tr></table>"
    assert whole_intervals(html) == (
        "<p>1 to 2</p><table><tr><th scope='row'>1&nbsp;to&nbsp;2</th>"
        "<td>3&nbsp;to&nbsp;4</td></tr></table>"
    )


def test_a_notebook_changes_in_its_tables_alone():
    table = cell("1 to 2")
    outputs = [
        nbformat.v4.new_output("display_data", {"text/html": table, "text/plain": "1 to 2"}),
        nbformat.v4.new_output("display_data", {"text/html": "<td>1 to 2</td>"}),
        nbformat.v4.new_output("stream", text="1 to 2"),
    ]
    code = nbformat.v4.new_code_cell("show()", outputs=outputs)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("1 to 2"), code])
    keep_intervals_whole(notebook)
    first, second, stream = code.outputs
    assert first["data"] == {"text/html": whole_intervals(table), "text/plain": "1 to 2"}
    assert second["data"]["text/html"] == "<td>1 to 2</td>"
    assert stream["text"] == "1 to 2"
