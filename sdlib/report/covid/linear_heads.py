"""Linear heads on frozen features: films outside over the strength of either penalty."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdlib.experiments.arm import Look
from sdlib.plotting import ARMS as LOOKS, note
from sdlib.results.linear_heads import ALL_FILMS, AUROCS

__all__ = [
    "chosen_heads",
    "heads_summary",
    "heads_table",
    "source_table",
    "strength_figure",
]

ARMS = {"sd_eq1": "spectral decoupling (Eq. 1)", "weight_decay": "weight decay"}
STRENGTHS = {"sd_eq1": "λ", "weight_decay": "strength of weight decay"}
SITUATIONS = {"shared": "shared: both classes of one source", "added": "added: the source tells"}
TIE = 1e-6  # AUROCs nearer than this are equal
FIT = ["situation", "films", "deal", "subset"]  # what one set of films to train on is called


def heads_summary(heads: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread over subsets, for every number of films, arm, stage and strength.

    Parameters
    ----------
    heads : pandas.DataFrame
        Of :func:`sdlib.results.linear_heads.read_heads`.

    Returns
    -------
    pandas.DataFrame
        One line per situation, films, arm, stage and strength (NaN for Equation 2): ``n`` heads,
        and of ``validation``, ``inside``, ``outside``, ``weak_share`` and ``margin_sd`` the mean
        and the SD, such as ``outside_sd``, which is NaN for one head. Subsets of a deal share
        patients, and all share the films outside: the SD is no standard error.
    """
    names = ["situation", "films", "arm", "stage", "strength"]
    values = [*AUROCS, "weak_share", "margin_sd"]
    grouped = heads.groupby(names, dropna=False, sort=False)
    means, spreads = grouped[values].mean(), grouped[values].std(ddof=1)
    counts = grouped.size().rename("n")
    return pd.concat([counts, means, spreads.add_suffix("_sd")], axis=1).reset_index()


def chosen_heads(heads: pd.DataFrame) -> pd.DataFrame:
    """For each set of training films, the head at rest that is best on validation films inside.

    Parameters
    ----------
    heads : pandas.DataFrame
        Of :func:`sdlib.results.linear_heads.read_heads`.

    Returns
    -------
    pandas.DataFrame
        The lines of ``heads`` that were chosen, one per set of training films and arm. Of equally
        good ones it is the strongest penalty. Equation 2, with the paper's values, has no choice.
    """
    rest = heads[(heads["stage"] == "rest") & heads["strength"].notna()]
    chosen = [_best(lines) for _, lines in rest.groupby([*FIT, "arm"], sort=False)]
    return rest.loc[sorted(chosen)]


def heads_table(heads: pd.DataFrame) -> pd.DataFrame:
    """AUROCs inside and outside by arm, each at the strength that was chosen inside.

    Parameters
    ----------
    heads : pandas.DataFrame
        Of :func:`sdlib.results.linear_heads.read_heads`.

    Returns
    -------
    pandas.DataFrame
        Text, one line per situation and number of films: mean (SD) over subsets, the difference
        outside in points within the same films, and how many subsets there are. Without lines
        where there are no heads.
    """
    chosen = chosen_heads(heads)
    lines = []
    for (situation, films), group in chosen.groupby(["situation", "films"], sort=False):
        line = {"situation": situation, "films": _films(group, films)}
        wide = group.pivot(index=FIT, columns="arm", values=["inside", "outside"])
        for place in ("inside", "outside"):
            for arm, label in ARMS.items():
                line[f"{place}, {label}"] = _spread(wide[place, arm], "{:.3f}")
        gained = 100 * (wide["outside", "sd_eq1"] - wide["outside", "weight_decay"])
        line["SD minus weight decay outside, points"] = _spread(gained, "{:+.1f}")
        line["subsets"] = str(len(wide))
        lines.append(line)
    return pd.DataFrame(lines)


def source_table(sources: pd.DataFrame) -> pd.DataFrame:
    """How well a linear head tells each source from the others, on patients that are new to it.

    Parameters
    ----------
    sources : pandas.DataFrame
        Of :func:`sdlib.results.linear_heads.read_source_heads`.

    Returns
    -------
    pandas.DataFrame
        Text, one line per situation and source: films, and the AUROC's mean (SD) over deals.
    """
    lines = [
        {
            "situation": situation,
            "source": source,
            "films": f"{group['films'].mean():.0f}",
            "AUROC of the source": _spread(group["auroc"], "{:.3f}"),
        }
        for (situation, source), group in sources.groupby(["situation", "source"], sort=False)
    ]
    return pd.DataFrame(lines)


def strength_figure(heads: pd.DataFrame, missing: str = "", place: str = "outside") -> Figure:
    """Draw the AUROC of films outside over the strength of either penalty.

    The two situations of the chapter are drawn. Lines are means over random subsets of the training
    films, one shade per number of films. Solid lines with markers are heads at rest, dotted ones
    heads after some steps of gradient descent. Dashed lines are theory: the shortest head with
    equal margins, and, for a large weight decay, the class means. Stars are best on validation
    films inside, with one SD over subsets.

    Parameters
    ----------
    heads : pandas.DataFrame
        Of :func:`sdlib.results.linear_heads.read_heads`.
    missing : str
        What the figure says without heads.
    place : {"outside", "inside", "validation"}
        Whose films are predicted.
    """
    if not len(heads):
        return note(missing)
    table = heads_summary(heads)
    present = set(table["situation"])
    situations = [name for name in SITUATIONS if name in present]
    fig, axes = plt.subplots(
        len(situations),
        len(ARMS),
        figsize=(7.5, 0.6 + 2.9 * len(situations)),
        sharey="row",
        squeeze=False,
    )
    for row, situation in zip(axes, situations, strict=True):
        for (arm, label), ax in zip(ARMS.items(), row, strict=True):
            mine = table[(table["situation"] == situation) & (table["arm"] == arm)]
            _draw(ax, mine, heads[heads["situation"] == situation], LOOKS[arm], place)
            ax.set_title(label, fontsize=10)
            ax.set_xlabel(STRENGTHS[arm])
        row[0].set_ylabel(f"{SITUATIONS[situation]}\nAUROC {place}", fontsize=10)
        place_of = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
        row[1].legend(title="films to\ntrain on", fontsize=8, title_fontsize=8, **place_of)
    counts = sorted(set(table.loc[table["stage"] == "rest", "n"]))
    subsets = " or ".join(str(n) for n in counts)
    fig.suptitle(f"n = {subsets} random subsets of the training films per point", fontsize=10)
    return fig


def _draw(ax: Axes, table: pd.DataFrame, heads: pd.DataFrame, look: Look, place: str) -> None:
    """One arm in one situation: a line per number of films, all of them last and darkest."""
    numbers = sorted(set(table["films"]), key=lambda films: (films == ALL_FILMS, films))
    shades = seaborn.blend_palette(["#E0E0E0", look.colour, "#101010"], len(numbers) + 2)[1:-1]
    ax.axhline(0.5, color="0.6", linestyle=(0, (1, 2)), linewidth=1)
    ax.set_xscale("log")
    for films, shade in zip(numbers, shades, strict=True):
        lines = {
            stage: group.sort_values("strength")
            for stage, group in table[table["films"] == films].groupby("stage")
        }
        style = {"color": shade, "linewidth": 1.4}
        rest, steps = lines["rest"], lines["steps"]
        label = _films(heads[heads["films"] == films], films)
        ax.plot(rest["strength"], rest[place], marker=look.marker, ms=4, label=label, **style)
        best = rest.loc[_best(rest)]
        spread = best[f"{place}_sd"]
        ax.plot(best["strength"], best[place], "*", ms=12, mec="black", mew=0.6, **style)
        if np.isfinite(spread):
            ends = [best[place] - spread, best[place] + spread]
            ax.plot([best["strength"]] * 2, ends, "-", **style)
        ax.plot(steps["strength"], steps[place], ":", **style)
        if "theory" in lines:
            theory = lines["theory"]
            ends, level = theory["strength"], theory[place]
            if len(theory) == 1:  # a limit: drawn beside the largest strength
                largest = rest["strength"].max()
                ends, level = [largest / 4, largest * 4], np.repeat(level, 2)
            ax.plot(ends, level, "--", color="black", linewidth=0.9, zorder=3)


def _best(lines: pd.DataFrame) -> object:
    """The index of the line that is best on validation films; of equally good ones the strongest.

    Where lambda changes no ranking, AUROCs still differ by a rounding.
    """
    good = lines[lines["validation"] > lines["validation"].max() - TIE]
    return good["strength"].idxmax()


def _films(heads: pd.DataFrame, films: int) -> str:
    """A number of films in words; all of them with their mean number over deals."""
    return f"all ({heads['used'].mean():.0f})" if films == ALL_FILMS else str(films)


def _spread(values: pd.Series, form: str) -> str:
    """Mean (SD) of some values; one value alone has no SD."""
    mean = form.format(values.mean())
    return f"{mean} ({values.std(ddof=1):.{form[-3]}f})" if len(values) > 1 else mean
