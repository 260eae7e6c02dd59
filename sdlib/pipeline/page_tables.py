"""Tables of executed chapters: no interval is broken over two lines.

A browser breaks a line at any space, also at the one in the middle of an interval. pandas has no
option against it, and a rule of style for whole cells would also keep sentences on one line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode  # it takes seconds to import

__all__ = ["keep_intervals_whole", "whole_intervals"]

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)%?"
#: Two numbers and what joins them, with or without brackets; or a count such as ``n = 5``.
_TOGETHER = re.compile(rf"[\[(]?{_NUMBER}(?:,| to) {_NUMBER}[\])]?|\bn = \d+")
_CELL = re.compile(r"<t[dh]\b[^>]*>.*?</t[dh]>", re.DOTALL)
NO_BREAK = "&nbsp;"


def whole_intervals(html: str) -> str:
    """Join the parts of every interval in the cells of HTML tables with no-break spaces.

    Parameters
    ----------
    html : str
        As pandas writes it; text outside of cells is left alone.

    Examples
    --------
    >>> whole_intervals("<td>+3.3 (-2.5 to +9.2) n = 5, undecided</td>")
    '<td>+3.3 (-2.5&nbsp;to&nbsp;+9.2) n&nbsp;=&nbsp;5, undecided</td>'
    """
    return _CELL.sub(lambda cell: _TOGETHER.sub(_joined, cell[0]), html)


def _joined(found: re.Match[str]) -> str:
    return found[0].replace(" ", NO_BREAK)


def keep_intervals_whole(notebook: NotebookNode) -> None:
    """Apply :func:`whole_intervals` to every table in the outputs of a notebook, in place."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if "<table" in html:
                output["data"]["text/html"] = whole_intervals(html)
