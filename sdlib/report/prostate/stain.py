"""Stain outside: fading (Figure 6A and B), and normalisation to the training stain (Figure 6C)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sdlib.plotting import note
from sdlib.report.intervals import seeds_text
from sdlib.report.robustness.figures import draw_curves
from sdlib.report.robustness.statistics import curves
from sdlib.report.tables import in_points
from sdlib.results import Place
from sdlib.results.sweeps import CLEAN

__all__ = [
    "NormalisedPlace",
    "fading_figure",
    "normalisation_figure",
    "normalisation_table",
    "read_fading",
]

PANELS = {"haematoxylin": "A  haematoxylin multiplied by", "eosin": "B  eosin multiplied by"}

#: A title, and the cohorts before and after normalisation, of one place.
NormalisedPlace = tuple[Place, str, str]


def fading_figure(place: Place, arms: Sequence[str], missing: str) -> Figure:
    """Draw Figure 6A and B: accuracy outside against what is left of either stain.

    Lines are means over seeds, bands one SD. A tick at the left border marks the unfaded tiles.

    Parameters
    ----------
    place : Place
        Whose sweep is of tiles from outside.
    arms : sequence of str
        In the order of the legend; arms without networks are left out.
    missing : str
        What the figure says where no arm has networks.
    """
    table = curves(place.sweep)
    present = [arm for arm in arms if len(table) and (table["arm"] == arm).any()]
    if not present:
        return note(missing)
    fig, axes = plt.subplots(1, 2, figsize=(7.5, 3.8), sharey=True)
    for (stain, title), ax in zip(PANELS.items(), axes, strict=True):
        ax.set_xlabel(title)
        ax.invert_xaxis()
        draw_curves(ax, table, place, present, stain)
    counts = table.loc[table["arm"].isin(present), "n"]
    fig.suptitle(f"{place.name}; {seeds_text(counts)}", fontsize=11)
    fig.supylabel("balanced accuracy", fontsize=11)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2)
    return fig


def normalisation_table(
    titled: Mapping[str, NormalisedPlace], arms: Sequence[str] = ()
) -> pd.DataFrame:
    """Accuracy and AUROC before and after normalisation, and the change, paired over seeds.

    Parameters
    ----------
    titled : mapping of str to (Place, before, after)
        By a title of the place; cohorts before and after normalisation.
    arms : sequence of str
        Which arms, by default all that have rows.

    Returns
    -------
    pandas.DataFrame
        Text. One line per title and arm: tiles, accuracy before and after (SD over seeds), its
        change (points, with its interval), and mean AUROC before and after. Without lines where no
        arm has rows.
    """
    lines = {}
    for title, (place, before, after) in titled.items():
        for arm in [arm for arm in place.arms if not arms or arm in arms]:
            first, second = (place.by_seed(f"{name}.accuracy", arm) for name in (before, after))
            change = (second - first).dropna().to_numpy(np.float64)
            if not len(change):
                continue
            ranking = [place.by_seed(f"{name}.auroc", arm).mean() for name in (before, after)]
            lines[title, place.label(arm)] = {
                "tiles": len(place.targets(before)),
                "as it is": _mean_and_sd(first),
                "normalised": _mean_and_sd(second),
                "change": in_points(change),
                "AUROC": f"{ranking[0]:.3f} to {ranking[1]:.3f}",
            }
    return pd.DataFrame(lines).T


def _mean_and_sd(values: pd.Series) -> str:
    """Mean over seeds, and SD where there are several, such as ``0.710 (0.014)``."""
    spread = f" ({values.std():.3f})" if len(values) > 1 else ""
    return f"{values.mean():.3f}{spread}"


def normalisation_figure(
    titled: Mapping[str, NormalisedPlace], arms: Sequence[str], missing: str
) -> Figure:
    """Draw Figure 6C: every network before and after normalisation, joined by a line.

    Parameters
    ----------
    titled, arms
        As in :func:`normalisation_table`; one panel per title.
    missing : str
        What the figure says where no arm has rows.
    """
    present = {
        title: one for title, one in titled.items() if any(arm in one[0].arms for arm in arms)
    }
    if not present:
        return note(missing)
    size = (2.5 * len(present), 3.6)
    fig, axes = plt.subplots(1, len(present), figsize=size, sharey=True, squeeze=False)
    for (title, (place, before, after)), ax in zip(present.items(), axes[0], strict=True):
        for number, arm in enumerate(arms):
            if arm not in place.arms:
                continue
            ends = [place.values(f"{name}.accuracy", arm) for name in (before, after)]
            if len(ends[0]) != len(ends[1]) or not len(ends[0]):
                continue
            look, shift = place.look(arm), 0.06 * number
            places = np.array([0, 1]) + shift
            ax.plot(places, np.stack(ends), color=look.colour, alpha=0.3, linewidth=1)
            means = [values.mean() for values in ends]
            ax.plot(places, means, **look.line)
        ax.set_xticks([0.1, 1.1], ["as it is", "normalised"])
        ax.set_xlim(-0.25, 1.5)
        drawn = [arm for arm in arms if arm in place.arms]
        counts = [len(place.values(f"{before}.accuracy", arm)) for arm in drawn]
        ax.set_title(f"{title}\n{seeds_text(n for n in counts if n)}", fontsize=10)
    fig.supylabel("balanced accuracy", fontsize=11)
    shown = {}
    for ax in axes[0]:
        handles, labels = ax.get_legend_handles_labels()
        shown |= dict(zip(labels, handles, strict=True))
    fig.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=2)
    return fig


def read_fading(place: Place, arms: Sequence[str]) -> str:
    """Read the two panels of fading aloud, as Markdown; empty without networks."""
    table = curves(place.sweep)
    lines = []
    for stain in PANELS:
        parts = []
        for arm in [arm for arm in arms if len(table) and (table["arm"] == arm).any()]:
            mine = table[table["arm"] == arm]
            clean = mine.loc[mine["shift"] == CLEAN, "mean"].iloc[0]
            levels = mine[mine["shift"] == stain]
            if not len(levels):
                continue
            best = levels.loc[levels["mean"].idxmax()]
            last = levels.loc[levels["strength"].idxmin()]
            parts.append(
                f"{place.label(arm)} {clean:.3f} unfaded, best {best['mean']:.3f} at "
                f"{best['strength']:.1f}, {last['mean']:.3f} at {last['strength']:.1f}"
            )
        if parts:
            lines.append(f"- {stain}: {'; '.join(parts)}.")
    return "\n".join(lines)
