"""The shift lab's accuracy curves: one picture a shift, over which only a marker moves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from html import escape

import numpy as np
import pandas as pd

from sdlib.errors import DataError
from sdlib.lab.panels import AXES, NAMES, SCALES, arm_ink, arm_key, arm_line, arm_marker, label
from sdlib.plotting import ARMS
from sdlib.results.sweeps import CLEAN

__all__ = ["Curves", "unshifted_as_blur"]

WIDTH, HEIGHT = 480, 220  # px
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 44  # px free around the axes
COLUMNS = {"shift", "strength", "arm", "seed", "accuracy"}
NOTHING = "There are no accuracies under shift here."


def unshifted_as_blur(table: pd.DataFrame, unshifted: str = CLEAN) -> pd.DataFrame:
    """Accuracies in which unshifted tiles count as a blur of 1: that is where its slider begins.

    Parameters
    ----------
    table : pandas.DataFrame
        With the columns shift and strength.
    unshifted : str
        What the column shift has for tiles left alone.

    Examples
    --------
    >>> table = pd.DataFrame({"shift": ["clean", "eosin"], "strength": [np.nan, 0.5]})
    >>> unshifted_as_blur(table).to_numpy().tolist()
    [['blur', 1.0], ['eosin', 0.5]]
    """
    alone = table["shift"] == unshifted
    return table.assign(
        shift=table["shift"].mask(alone, "blur"), strength=table["strength"].mask(alone, 1.0)
    )


class Curves:
    """Balanced accuracy of arms under each shift, mean and SD over seeds.

    Parameters
    ----------
    table : pandas.DataFrame
        One line per network and level: shift, strength, arm, seed, accuracy. The shift ``clean``,
        if there, counts as a blur of 1. Lines whose accuracy is NaN are left out, and
        ``sentence`` says how many.
    arms : sequence of str
        Which to draw; those without lines are left out.
    sentence : str
        Where the numbers are from, or why there are none.

    Raises
    ------
    DataError
        A column is missing, or has values that are no accuracies or no strengths.

    Examples
    --------
    >>> table = pd.DataFrame([("blur", 5, "sd", 0, 0.8)],
    ...     columns=["shift", "strength", "arm", "seed", "accuracy"])
    >>> Curves(table, ["sd"]).at("blur", 5)["sd"][0]
    0.8
    """

    def __init__(self, table: pd.DataFrame, arms: Sequence[str], sentence: str = "") -> None:
        if missing := COLUMNS - set(table.columns):
            found = ", ".join(map(str, table.columns)) or "none"
            raise DataError(
                f"expected a column {min(missing)!r} in the table of accuracies, found {found}: "
                "make the table with sdlib.results.Sweep.accuracy"
            )
        table = table[table["arm"].isin([arm for arm in arms if arm in ARMS])]
        table = table.assign(
            accuracy=_finite(table, "accuracy", 1), strength=_finite(table, "strength", np.inf)
        )
        measured = table["accuracy"].notna()
        self.sentence = sentence or ("" if measured.any() else NOTHING)
        if not measured.all():
            left_out = f"{(~measured).sum()} of {len(table)} accuracies are NaN and left out."
            self.sentence = f"{self.sentence} {left_out}".lstrip()
        table = unshifted_as_blur(table[measured])
        present = set(table["arm"])
        self.arms = [arm for arm in arms if arm in present]
        groups = table.groupby(["shift", "arm", "strength"])["accuracy"]
        self._numbers = {
            (shift, arm, round(float(strength), 6)): (float(mean), float(sd), int(n))
            for (shift, arm, strength), mean, sd, n in groups.agg(
                ["mean", "std", "size"]
            ).itertuples()
        }
        self._pictures: dict[str, str] = {}

    @classmethod
    def without(cls, sentence: str) -> Curves:
        """No curves, and why.

        >>> bool(Curves.without("no sweep yet"))
        False
        """
        return cls(pd.DataFrame(columns=sorted(COLUMNS)), (), sentence)

    def __bool__(self) -> bool:
        return bool(self.arms)

    def at(self, shift: str, strength: float) -> dict[str, tuple[float, float, int]]:
        """Mean, SD (NaN with one seed) and number of seeds by arm, where it was measured."""
        found = {arm: self._numbers.get((shift, arm, round(strength, 6))) for arm in self.arms}
        return {arm: numbers for arm, numbers in found.items() if numbers}

    @cached_property
    def _lowest(self) -> float:
        """Where the vertical axis begins: one scale for all shifts."""
        least = min((mean for mean, _, _ in self._numbers.values()), default=0.5)
        return min(0.4, np.floor(10 * least) / 10)

    def _y(self, accuracy: float) -> float:
        share = (1 - accuracy) / (1 - self._lowest)
        return TOP + (HEIGHT - TOP - BOTTOM) * share

    @staticmethod
    def marker_x(shift: str, strength: float) -> float:
        """Where a strength lies, px from the left: positions of the slider, evenly spaced.

        >>> Curves.marker_x("eosin", 1.0), Curves.marker_x("eosin", 0.0)
        (44.0, 468.0)
        """
        scale = SCALES[shift]
        return LEFT + (WIDTH - LEFT - RIGHT) * scale.index(strength) / (len(scale) - 1)

    def html(self, shift: str, strength: float) -> str:
        """The curves of one shift with a marker at ``strength``, and the numbers there."""
        if not self:
            return f"<h3>Accuracy under shift</h3><p>{escape(self.sentence)}</p>"
        if shift not in self._pictures:
            self._pictures[shift] = self._axes(shift) + self._lines(shift)
        here, numbers = label(shift, strength), self.at(shift, strength)
        return (
            f"<h3>Accuracy on all test tiles, the {NAMES[shift]} slider alone</h3>"
            f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="Curves of balanced '
            f"accuracy against {AXES[shift]}; the marker is at {here}; numbers in the table "
            f'below">{self._pictures[shift]}{self._marker(shift, strength, numbers)}</svg>'
            f"{_table(f'{NAMES[shift]} {here}', numbers)}<p>{escape(self.sentence)}</p>"
        )

    def _axes(self, shift: str) -> str:
        parts = []
        for tenth in range(round(10 * self._lowest), 11):
            y = self._y(tenth / 10)
            dashes = ' stroke-dasharray="2 3"' if tenth == 5 else ""
            parts.append(
                f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
                f'stroke="currentColor" opacity="{0.7 if dashes else 0.15}"{dashes}/>'
                f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tenth / 10:.1f}</text>'
            )
        low = HEIGHT - BOTTOM
        for strength in SCALES[shift][:: 2 if len(SCALES[shift]) < 15 else 3]:
            x, text = self.marker_x(shift, strength), f"{strength:.3g}"
            parts.append(f'<text x="{x:.1f}" y="{low + 16}" text-anchor="middle">{text}</text>')
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(
            f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{AXES[shift]}</text>'
        )
        parts.append(
            f'<text transform="translate(12 {(TOP + low) / 2}) rotate(-90)" text-anchor="middle">'
            f'balanced accuracy</text><text x="{WIDTH - RIGHT}" y="{self._y(0.5) + 13:.1f}" '
            'text-anchor="end">chance</text>'
        )
        return "".join(parts)

    def _lines(self, shift: str) -> str:
        lines = []
        for arm in self.arms:
            there = [
                (s, self.at(shift, s)[arm][0]) for s in SCALES[shift] if arm in self.at(shift, s)
            ]
            places = [(self.marker_x(shift, s), self._y(mean)) for s, mean in there]
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            markers = "".join(arm_marker(arm, x, y, 6) for x, y in places)
            lines.append(arm_ink(arm, arm_line(arm, points) + markers))
        return "".join(lines)

    def _marker(self, shift: str, strength: float, numbers: dict) -> str:
        x = self.marker_x(shift, strength)
        marked = [
            f'<line class="here" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" '
            'stroke="currentColor" stroke-width="1.5"/>'
        ]
        for arm, (mean, sd, _) in numbers.items():
            y, half = self._y(mean), self._y(0) - self._y(np.nan_to_num(sd))
            bar = f'<path d="M{x:.1f} {y - half:.1f} V{y + half:.1f}" stroke="currentColor"/>'
            marked.append(arm_ink(arm, bar + arm_marker(arm, x, y, 11)))
        return "".join(marked)


def _finite(table: pd.DataFrame, column: str, highest: float) -> pd.Series:
    """A column as float64, NaN where it has none; DataError for other values than 0 to highest."""
    try:
        values = table[column].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"expected numbers as {column} in the table of accuracies") from error
    beyond = values[(values < 0) | (values > highest) | np.isinf(values)]
    if len(beyond):
        span = "from 0 to 1" if highest == 1 else "of at least 0"
        raise DataError(
            f"expected {column} {span} in the table of accuracies, found {beyond.iloc[0]:g}"
        )
    return values


def _table(where: str, numbers: dict[str, tuple[float, float, int]]) -> str:
    rows = [
        f'<tr><th scope="row">{arm_key(arm)}</th><td class="values"><b>{mean:.3f}</b></td>'
        f'<td class="values">{f"{sd:.3f}" if n > 1 else "–"}</td><td>{n}</td></tr>'
        for arm, (mean, sd, n) in numbers.items()
    ]
    rows = rows or ['<tr><td colspan="4">This level was not measured.</td></tr>']
    return (
        f"<table><thead><tr><th>at {where}</th><th>mean</th><th>SD</th><th>seeds</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
