"""A picture of all verdicts: one line per claim, one column per set of results."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sdlib.report.rule import Verdict

__all__ = ["verdict_grid"]

#: Colour, colour of the text, and the text itself, which says the same as the colour.
STYLE = {
    Verdict.REPRODUCED: ("#0072B2", "white", "yes"),
    Verdict.PARTLY: ("#9ED0F0", "black", "partly"),
    Verdict.NOT_REPRODUCED: ("#D55E00", "white", "no"),
    Verdict.UNDECIDED: ("#DDDDDD", "black", "?"),
    Verdict.NOT_ATTEMPTED: ("white", "#777777", "–"),
}
LIVE = " (judged live)"
WIDTH, ROW, LINE = 5.6, 0.46, 36  # inches, readable on a phone; characters of a claim in a line


def verdict_grid(table: pd.DataFrame) -> Figure:
    """Draw the verdicts as coloured cells with a word in each.

    Parameters
    ----------
    table : pandas.DataFrame
        What :func:`sdlib.report.claim_overview.claim_table` returns, by id: where, claim, then one
        column of verdicts per place. A verdict may end in ``(judged live)``.

    Returns
    -------
    matplotlib.figure.Figure
        One row per claim, with its id and the beginning of its words.
    """
    columns = list(table.columns[2:])
    fig, ax = plt.subplots(figsize=(WIDTH, 0.9 + ROW * len(table)))
    for row, verdicts in enumerate(table[columns].to_numpy()):
        for column, verdict in enumerate(verdicts):
            _cell(ax, row, column, str(verdict))
    names = [_name(claim_id, text) for claim_id, text in table["claim"].items()]
    ax.set_yticks(range(len(table)), names, fontsize=9)
    heads = [column.replace(": ", ":\n").replace(", ", ",\n") for column in columns]
    ax.set_xticks(range(len(columns)), heads, fontsize=9)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(table) - 0.5, -0.5))
    ax.grid(visible=False)
    for side in ax.spines.values():
        side.set_visible(False)
    return fig


def _cell(ax: Axes, row: int, column: int, verdict: str) -> None:
    colour, ink, text = STYLE[Verdict(verdict.removesuffix(LIVE))]
    ax.add_patch(Rectangle((column - 0.46, row - 0.44), 0.92, 0.88, color=colour))
    ax.text(column, row, text, ha="center", va="center", color=ink, fontsize=9)


def _name(claim_id: str, text: str) -> str:
    """The id and what fits into two lines of the claim."""
    return "\n".join(textwrap.wrap(f"{claim_id}: {text}", LINE, max_lines=2, placeholder=" ..."))
