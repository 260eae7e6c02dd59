"""Figure 5: accuracy of every network on four evaluation sets, and the paired differences."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sdlib.experiments import paper_table
from sdlib.phantoms import ANNOTATIONS
from sdlib.plotting import arm_rows, note
from sdlib.report.intervals import seeds_text
from sdlib.report.tables import in_points
from sdlib.results import Place

__all__ = [
    "accuracy_figure",
    "difference_figure",
    "difference_table",
    "panel_titles",
    "read_room",
    "read_searches",
    "room_table",
    "scale_sentence",
]

PAPER_GREY = "#444444"
PANEL_CHARACTERS, LABEL_CHARACTERS = 16, 24  # of a line in a narrow panel's title, in a label


def panel_titles() -> dict[str, str]:
    """The paper's panels by evaluation cohort, such as ``A  same scanner, same cohort``.

    >>> list(panel_titles())
    ['test', 'later', 'rescanned', 'external']
    """
    table = paper_table("figure5")
    return {line.cohort: f"{line.panel}  {line.title}" for line in table.itertuples()}


def room_table(place: Place, arm: str) -> pd.DataFrame:
    """How much accuracy each evaluation set takes from an arm beyond what its labels take.

    A set can show a gain only if it leaves room for one. By labels alone, an arm with accuracy
    ``a`` on the test patients would have ``a b + (1 - a) (1 - b)``, where ``b`` is the best
    accuracy that these labels allow (:attr:`sdlib.phantoms.Annotation.best_accuracy`).

    Parameters
    ----------
    place : Place
        Of the prostate experiment on phantoms.
    arm : str

    Returns
    -------
    pandas.DataFrame
        Floats, in points. One line per evaluation set: tiles, accuracy, accuracy by labels alone,
        room (the second minus the first), and the paper's gain. Without lines where the arm has no
        rows.
    """
    if arm not in place.arms:
        return pd.DataFrame()
    paper = paper_table("figure5").set_index("cohort")["difference"]
    at_home = place.values("test.accuracy", arm).mean()
    lines = {}
    for cohort, title in panel_titles().items():
        rule = place.definition.evaluation[cohort].where.get("labels", "consensus")
        best = ANNOTATIONS[rule].best_accuracy
        by_labels = at_home * best + (1 - at_home) * (1 - best)
        found = place.values(f"{cohort}.accuracy", arm).mean()
        lines[title] = {
            "tiles": len(place.targets(cohort)),
            "accuracy": 100 * found,
            "by labels alone": 100 * by_labels,
            "room": 100 * (by_labels - found),
            "the paper's gain": 100 * paper[cohort],
        }
    return pd.DataFrame(lines).T.astype({"tiles": int})


def read_room(place: Place, arm: str) -> str:
    """Say in Markdown which sets leave room for half of the paper's gain; empty without rows."""
    table = room_table(place, arm)
    if not len(table):
        return ""
    full = table["room"] < table["the paper's gain"] / 2
    listed = "; ".join(f"{name} {line['room']:+.1f}" for name, line in table.iterrows())
    text = f"Points that {place.label(arm)} loses beyond what labels take: {listed}."
    if not full.any():
        return text
    names = ", ".join(name.split()[0] for name in table.index[full])
    return (
        f"{text} In {names} this is less than half of the paper's gain: only networks that are "
        "better than that at home, too, could show it."
    )


def read_searches(place: Place, within: float = 0.002) -> str:
    """Say in Markdown how clearly the searches of the tuned arms have chosen.

    Parameters
    ----------
    place : Place
        Whose searches are its own or borrowed.
    within : float
        Trials nearer than this to the best one's value are as good.
    """
    trials = place.of(place.definition.searched_in or place.experiment).trials
    lines = []
    for family, mine in trials.groupby("family") if len(trials) else ():
        name = "lam" if "lam" in mine.dropna(axis=1) else "weight_decay"
        close = mine[mine["value"] >= mine["value"].max() - within]
        chosen = mine.loc[mine["best"], name].iloc[0]
        span = f"{close[name].min():g} to {close[name].max():g}"
        each = mine["networks"].iloc[0]
        lines.append(
            f"- {family}: chosen {name} = {chosen:g}; {len(close)} of {len(mine)} trials ({span}) "
            f"are within {100 * within:.1f} points of the best; networks of each trial: {each}."
        )
    return "\n".join(lines)


def scale_sentence(place: Place) -> str:
    """Which network a place's rows are of, and how long it was trained, as Markdown.

    >>> scale_sentence(Place("prostate", "long", "phantom"))[:47]
    '**recorded: phantom, long**: test_resnet, 64 px'
    """
    settings = place.definition.settings(place.profile, place.source)
    return (
        f"**{place.name}**: {settings.network}, {settings.size} px, {settings.tiles:,} tiles of "
        f"all patients, {settings.epochs} epochs of batches of {settings.batch_size}, "
        f"augmentation `{settings.augment}` before that of the arm."
    )


def accuracy_figure(place: Place, arms: Sequence[str], missing: str) -> Figure:
    """Draw Figure 5: one panel per evaluation set, each network a faint point.

    The solid point is the mean over networks, with its 95 % t interval. Horizontal scales differ,
    because the sets differ in their labels: only arms of one panel can be compared.

    Parameters
    ----------
    place : Place
        Of the prostate experiment.
    arms : sequence of str
        From top to bottom; arms without rows keep an empty row.
    missing : str
        What the figure says where no arm has rows.
    """
    if not set(arms) & set(place.arms):
        return note(missing)
    fig, axes = plt.subplots(1, 4, figsize=(7.5, 0.9 + 0.6 * len(arms)), sharey=True)
    for (cohort, title), ax in zip(panel_titles().items(), axes, strict=True):
        values = {arm: place.values(f"{cohort}.accuracy", arm) for arm in arms}
        arm_rows(ax, values, place.looks)
        ax.set_title(textwrap.fill(title, PANEL_CHARACTERS), loc="left", fontsize=9)
        ax.locator_params(axis="x", nbins=3)
        ax.tick_params(labelsize=8)
    labels = [textwrap.fill(place.label(arm), LABEL_CHARACTERS) for arm in arms]
    axes[0].set_yticks(range(len(arms)), labels)
    counts = [len(place.values("test.accuracy", arm)) for arm in arms]
    fig.suptitle(f"{place.name}; {seeds_text(n for n in counts if n)}", fontsize=11)
    fig.supxlabel("balanced accuracy", fontsize=11)
    return fig


def difference_figure(place: Place, pairs: dict[str, tuple[str, str]], missing: str) -> Figure:
    """Draw ``arm - rival`` on every evaluation set with 95 % intervals, and the paper's gains.

    Parameters
    ----------
    place : Place
        Of the prostate experiment.
    pairs : dict of str to (arm, rival)
        By what the legend calls them. Each pair takes the colour and the marker of its arm.
    missing : str
        What the figure says where no pair shares a seed.
    """
    present = {
        name: pair for name, pair in pairs.items() if len(place.paired("test.accuracy", *pair))
    }
    if not present:
        return note(missing)
    titles, paper = panel_titles(), paper_table("figure5").set_index("cohort")["difference"]
    fig, ax = plt.subplots(figsize=(7.5, 3.4))
    ax.axvline(0, color="0.5", linewidth=1)
    rows = np.arange(len(titles))
    for number, (name, (arm, rival)) in enumerate(present.items()):
        shift = 0.22 * (number - (len(present) - 1) / 2)
        found = [place.difference(f"{cohort}.accuracy", arm, rival) for cohort in titles]
        means = np.array([100 * one.mean for one in found])
        half = np.array([100 * (one.high - one.low) / 2 for one in found])
        look = place.look(arm)
        style = {"color": look.colour, "marker": look.marker, "label": name}
        ax.errorbar(means, rows + shift, xerr=half, linestyle="none", capsize=3, **style)
    crosses = [100 * paper[cohort] for cohort in titles]
    ax.plot(crosses, rows, "x", color=PAPER_GREY, markersize=9, mew=2, label="paper")
    ax.set_yticks(rows, list(titles.values()))
    ax.invert_yaxis()
    ax.set_xlabel("spectral decoupling minus weight decay, points of balanced accuracy")
    counts = [len(place.paired("test.accuracy", *pair)) for pair in present.values()]
    ax.set_title(f"{place.name}; {seeds_text(counts)}", fontsize=11)
    fig.legend(loc="outside lower center", ncols=3)
    return fig


def difference_table(places: Sequence[Place], pairs: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """The paper's gains beside ours on every evaluation set.

    Parameters
    ----------
    places : sequence of Place
        Of the prostate experiment; those without rows of a pair are left out.
    pairs : dict of str to (arm, rival)
        By heading.

    Returns
    -------
    pandas.DataFrame
        Text, in points: mean (SD) [95 % t interval] n of paired differences. One line per
        evaluation set; the first column is the paper's difference.
    """
    paper, titles = paper_table("figure5").set_index("cohort")["difference"], panel_titles()
    lines = {title: {"paper": f"{100 * paper[name]:+.2f}"} for name, title in titles.items()}
    for place in places:
        for heading, (arm, rival) in pairs.items():
            for cohort, title in titles.items():
                values = place.paired(f"{cohort}.accuracy", arm, rival)
                if len(values):
                    lines[title][f"{place.name}: {heading}"] = in_points(values)
    return pd.DataFrame(lines).T.fillna("–")
