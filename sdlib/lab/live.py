"""Figures that respond without a kernel: modules of ``book/lab/js``, shown in either kind of page.

In a page that was executed to be read later, a figure is a ``<div>`` with its state as JSON, which
``book/_static/live.js`` brings to life. Where a kernel runs and someone reads, the same module is
an anywidget. So the mathematics of a figure exists once in JavaScript, beside the library's.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from html import escape

import anywidget
import numpy as np
import traitlets
from IPython.display import HTML, display
from numpy.typing import ArrayLike

from sdlib.errors import ConfigError
from sdlib.lab.frontend import has_frontend
from sdlib.paths import ROOT

__all__ = [
    "LiveFigure",
    "bundled",
    "figure_names",
    "folded_answer",
    "live_html",
    "packed",
    "show_live",
]

MODULES = ROOT / "book" / "lab" / "js"
STYLE = ROOT / "book" / "_static" / "live.css"
NOT_FIGURES = {"mount", "parts"}
# How modules name each other: `from "./parts.js"`, `new URL("./x_worker.js", import.meta.url)`.
_IMPORT = re.compile(r'(from |import\()"\./(\w+)\.js"')
_WORKER = re.compile(r'new URL\("\./(\w+)\.js", import\.meta\.url\)')


def figure_names() -> list[str]:
    """The figures that there are: modules that draw, without what they share and their workers.

    >>> "cutoff" in figure_names(), "parts" in figure_names()
    (True, False)
    """
    names = {path.stem for path in MODULES.glob("*.js")} - NOT_FIGURES
    drawing = "export default"
    return sorted(one for one in names if drawing in _source(one))


def _source(name: str) -> str:
    return (MODULES / f"{name}.js").read_text(encoding="utf-8")


def bundled(name: str) -> str:
    """A module as one text, with the modules that it needs inside it as ``data:`` addresses.

    A notebook gives a widget's module no address, so that it cannot find files beside it.

    Parameters
    ----------
    name : str
        Of a file in ``book/lab/js``, without ``.js``.

    Returns
    -------
    str
        JavaScript.

    Raises
    ------
    ConfigError
        There is no such module.

    Examples
    --------
    >>> "./parts.js" in bundled("cutoff")
    False
    """
    if not (MODULES / f"{name}.js").exists():
        raise ConfigError(f"expected a module of {MODULES}, one of {figure_names()}, got {name!r}")

    def address(other: str) -> str:
        text = base64.b64encode(bundled(other).encode()).decode()
        return f'"data:text/javascript;base64,{text}"'

    inside = _IMPORT.sub(lambda found: found[1] + address(found[2]), _source(name))
    return _WORKER.sub(lambda found: address(found[1]), inside)


def live_html(name: str, state: Mapping[str, object], still: str) -> str:
    """A figure for a page without a kernel.

    Parameters
    ----------
    name : str
        One of :func:`figure_names`.
    state : mapping of str to object
        What the figure begins with; JSON. The reader may change its numbers and texts, and the
        page's address then keeps them.
    still : str
        HTML that stands there where scripts do not run.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    ConfigError
        An unknown figure, or a state that is not JSON.

    Examples
    --------
    >>> print(live_html("cutoff", {"cut": 0.5}, "<p>Scripts are off.</p>"))
    <div class="live-figure" data-figure="cutoff">
    <script type="application/json">{"cut": 0.5}</script>
    <p>Scripts are off.</p>
    </div>
    """
    if name not in figure_names():
        raise ConfigError(f"expected a figure, one of {figure_names()}, got {name!r}")
    try:
        text = json.dumps(state, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"expected a state of JSON for {name}: {error}") from error
    # A script ends at the first "</", wherever it stands.
    text = text.replace("</", "<\\/")
    script = f'<script type="application/json">{text}</script>'
    return f'<div class="live-figure" data-figure="{name}">\n{script}\n{still}\n</div>'


def packed(numbers: ArrayLike) -> str:
    """Numbers as text for a state: float32, little-endian, base64; ``floats`` reads them again.

    >>> packed([1.0])
    'AACAPw=='
    """
    return base64.b64encode(np.asarray(numbers, "<f4").tobytes()).decode()


class LiveFigure(anywidget.AnyWidget):
    """A figure where a kernel runs: the same module, as a widget.

    Parameters
    ----------
    name : str
        One of :func:`figure_names`.
    state : mapping of str to object
        As for :func:`live_html`; every key becomes a synchronised attribute.

    Examples
    --------
    >>> LiveFigure("resting", {"gamma_neg": 0.5}).gamma_neg
    0.5
    """

    _css = STYLE  # of the class: anywidget sends no styles that an instance alone has

    def __init__(self, name: str, state: Mapping[str, object]) -> None:
        live_html(name, state, "")  # the same errors
        super().__init__(_esm=bundled(name))
        self.add_traits(
            **{key: traitlets.Any(value).tag(sync=True) for key, value in state.items()}
        )
        self.add_class("live-figure")


def folded_answer(ask: Mapping[str, object]) -> str:
    """A question with its answer folded: what a reader without scripts has of a prediction.

    >>> print(folded_answer({"question": "Which?", "choices": {"a": "This"}, "answer": "That."}))
    <p><strong>Predict first.</strong> Which? <em>This?</em></p>
    <details><summary>Answer</summary><p>That.</p></details>
    """
    choices = " ".join(f"<em>{escape(text)}?</em>" for text in ask["choices"].values())
    return (
        f"<p><strong>Predict first.</strong> {escape(ask['question'])} {choices}</p>\n"
        f"<details><summary>Answer</summary><p>{escape(ask['answer'])}</p></details>"
    )


def show_live(name: str, state: Mapping[str, object], still: str = "") -> None:
    """Display a figure: as a widget where someone reads along, else as HTML for a page.

    Parameters
    ----------
    name, state
        As for :func:`live_html`.
    still : str
        HTML for readers without scripts, after the question and its folded answer.
    """
    if has_frontend():
        display(LiveFigure(name, state))
        return
    ask = state.get("ask")
    display(HTML(live_html(name, state, (folded_answer(ask) if ask else "") + still)))
