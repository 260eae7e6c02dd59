"""Figures of coloured digits: the map of all recipes, their courses, and what networks use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sdlib.datasets.coloured_digits import Digits
from sdlib.metrics import mean_interval
from sdlib.plotting import ARMS, panels
from sdlib.report.digits.runs import PUBLISHED_RESULTS, RECIPE, Course, best_readers

__all__ = ["courses_figure", "digits_figure", "map_figure", "step_figure", "use_figure"]

#: Orange and blue on black paper, which colour-blind readers tell apart.
INKS = np.array([[1.0, 0.6, 0.1], [0.35, 0.7, 1.0]])
INSIDE, OUTSIDE, PATH, UNLABELLED = "#555555", "#0072B2", "#0072B2", "#CC79A7"
CHOICES = ("last step", "step chosen on validation", "step chosen on test")


def digits_figure(digits: Digits, n: int = 12) -> Figure:
    """Show the first digits of the first seed, with their labels.

    Parameters
    ----------
    digits : Digits
        Of one part.
    n : int
        How many.
    """
    side = round((digits.images.shape[2] / 2) ** 0.5)
    fig, axes = plt.subplots(1, n, figsize=(9, 1.25))
    for k, ax in enumerate(axes):
        channels = digits.images[0, k].reshape(2, side, side)
        ax.imshow(np.einsum("cij,ck->ijk", channels, INKS))
        ax.set_title(f"{int(digits.targets[0, k])}", fontsize=11)
        ax.set_axis_off()
    return fig


def map_figure(maps: Mapping[str, Mapping[str, Course]], grey: Mapping[str, Course]) -> Figure:
    """Draw every recipe in the plane of its two accuracies, one panel per set of digits.

    Parameters
    ----------
    maps : mapping of str to mapping of str to Course
        By the title of the panel: the courses of constant losses and of the published recipe.
    grey : mapping of str to Course
        By the same titles: networks that see no colour, at the step chosen on validation digits.

    Returns
    -------
    matplotlib.figure.Figure
        To the right, accuracy where colours are as in training; upwards, where they are
        reversed. On the dotted diagonal colour makes no difference.
    """
    fig, axes = plt.subplots(1, len(maps), figsize=(9.6, 5), sharey=True, squeeze=False)
    for ax, (title, courses) in zip(axes[0], maps.items(), strict=True):
        ax.plot([0, 100], [0, 100], ":", color="0.6", linewidth=1.2)
        along = {"rotation": 45, "rotation_mode": "anchor", "transform_rotates_text": True}
        ax.text(46, 47.5, "colour not used", color="0.45", size=9, **along)
        for (_, point), text in zip(best_readers().iterrows(), ("colour", "shape"), strict=True):
            ax.scatter(*(100 * point), s=190, marker="*", color="0.45", zorder=4)
            ax.annotate(
                f"best by\n{text}", 100 * point, (7, -3), textcoords="offset points", size=8
            )
        _draw_path(ax, courses["the recipe, trained on"])
        for name, course in courses.items():
            _draw_end(ax, name, course)
        _draw_point(ax, *_at_choice(grey[title], CHOICES[1]), "D", "0.45", "grey digits")
        for (name, point), style in zip(PUBLISHED_RESULTS.items(), ("h", "o"), strict=True):
            colour = "black" if style == "h" else PATH
            ax.plot(
                *point,
                style,
                mfc="none",
                mec=colour,
                markersize=11,
                ls="none",
                label=f"published, {name}",
            )
        n = courses["cross-entropy"].inside.shape[1]
        ax.set_title(f"{title}; n = {n} seeds", loc="left")
        ax.set(xlim=(43, 97), ylim=(0, 85), xlabel="accuracy in distribution, %")
    axes[0, 0].set_ylabel("accuracy with colours reversed, %")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3)
    return fig


def courses_figure(courses: Mapping[str, Course], switch: int = RECIPE.switch) -> Figure:
    """Draw both accuracies during training, one panel per recipe.

    Parameters
    ----------
    courses : mapping of str to Course
        By title.
    switch : int
        The step at which the loss changes; a vertical line.

    Returns
    -------
    matplotlib.figure.Figure
        Faint lines are seeds, thick lines are means.
    """
    found = panels(list(courses), "no recipes", 3, (3.0, 2.2), xlabel="step", ylabel="accuracy, %")
    for name, ax in found.items():
        course = courses[name]
        parts = {"in distribution": (INSIDE, "--"), "colours reversed": (OUTSIDE, "-")}
        for (label, (colour, line)), values in zip(
            parts.items(), (course.inside, course.outside), strict=True
        ):
            ax.plot(course.steps, 100 * values, line, color=colour, alpha=0.2, linewidth=0.7)
            mean = 100 * values.mean(axis=1)
            ax.plot(course.steps, mean, line, color=colour, linewidth=2.4, label=label)
        ax.axvline(switch, color="black", linestyle=":", linewidth=1)
        ax.axvline(RECIPE.steps, color="black", linewidth=0.6)
        ax.set_ylim(5, 92)
    next(iter(found.values())).legend(fontsize=8, loc="upper right")
    return plt.gcf()


def use_figure(courses: Mapping[str, Course], styles: Sequence[str] = ("-", "--")) -> Figure:
    """Draw how far colour moves the logit, and what is known of the shape, during training.

    Parameters
    ----------
    courses : mapping of str to Course
        Two recipes by name.
    styles : sequence of str
        Their kinds of line.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5))
    colours = (PATH, UNLABELLED)
    for (name, course), line, colour in zip(courses.items(), styles, colours, strict=True):
        for ax, values in ((left, course.colour), (right, 100 * course.shape)):
            ax.plot(course.steps, values, line, color=colour, alpha=0.2, linewidth=0.7)
            ax.plot(course.steps, values.mean(axis=1), line, color=colour, label=name)
    left.axhline(0, color="black", linewidth=0.8)
    left.set_title("how far colour moves the logit")
    right.set_title("accuracy by shape, colour averaged out, %")
    right.set_ylim(40, 80)
    right.legend(loc="lower right")
    for ax in (left, right):
        ax.axvline(RECIPE.switch, color="black", linestyle=":", linewidth=1)
        ax.set_xlabel("step")
    return fig


def step_figure(courses: Mapping[str, Course]) -> Figure:
    """Draw both accuracies of every recipe for three ways to choose the step.

    Parameters
    ----------
    courses : mapping of str to Course
        By the names of the rows.

    Returns
    -------
    matplotlib.figure.Figure
        Filled markers are test digits, hollow ones digits in distribution; faint dots are seeds,
        bars are 95 % t intervals over seeds. The step is chosen for every seed by itself.
    """
    fig, axes = plt.subplots(1, 3, figsize=(9.6, 0.42 * len(courses) + 1.2), sharey=True)
    for ax, choice in zip(axes, CHOICES, strict=True):
        for row, course in enumerate(courses.values()):
            inside, outside = _at_choice(course, choice)
            _draw_row(ax, row - 0.16, 100 * inside, INSIDE, "white")
            _draw_row(ax, row + 0.16, 100 * outside, OUTSIDE, OUTSIDE)
        ax.set(title=choice, xlim=(0, 100))
    axes[0].set_yticks(range(len(courses)), list(courses))
    axes[0].set_ylim(len(courses) - 0.5, -0.5)
    fig.supxlabel("accuracy, %: hollow in distribution, filled with colours reversed", fontsize=10)
    return fig


def _at_choice(course: Course, choice: str) -> tuple[np.ndarray, np.ndarray]:
    """Both accuracies of every seed at the chosen step; the earliest of equals."""
    seeds = np.arange(course.inside.shape[1])
    rows = {
        CHOICES[0]: np.full(len(seeds), len(course.steps) - 1),
        CHOICES[1]: course.inside.argmax(axis=0),
        CHOICES[2]: course.outside.argmax(axis=0),
    }[choice]
    return course.inside[rows, seeds], course.outside[rows, seeds]


def _draw_row(ax: Axes, height: float, values: np.ndarray, colour: str, face: str) -> None:
    ax.plot(values, np.full(len(values), height), "o", color=colour, alpha=0.25, markersize=3)
    interval = mean_interval(values)
    lengths = np.array([[interval.mean - interval.low], [interval.high - interval.mean]])
    style = {"color": colour, "markerfacecolor": face, "capsize": 2, "linewidth": 1.3}
    ax.errorbar(interval.mean, height, xerr=lengths, fmt="o", markersize=6, **style)


def _draw_path(ax: Axes, course: Course) -> None:
    """The recipe's way from the switch: solid to its published end, then dashed."""
    across, up = 100 * course.inside.mean(axis=1), 100 * course.outside.mean(axis=1)
    start, end = course.at(RECIPE.switch), course.at(RECIPE.steps)
    ax.plot(across[start : end + 1], up[start : end + 1], "-", color=PATH, linewidth=3, zorder=3)
    label = "the recipe, and trained on (dashed)"
    ax.plot(across[end:], up[end:], "--", color=PATH, linewidth=1.8, zorder=3, label=label)
    middle = (start + end) // 2
    arrow = {"arrowstyle": "-|>", "color": PATH, "mutation_scale": 22, "linewidth": 2}
    for first, second in ((middle, middle + 2), (len(up) - 3, len(up) - 1)):
        ends = ((across[second], up[second]), (across[first], up[first]))
        ax.annotate("", *ends, arrowprops=arrow, zorder=4)
    ax.scatter(across[end], up[end], s=110, color=PATH, zorder=5, label="the recipe's end")
    ax.scatter(100 * course.inside[end], 100 * course.outside[end], s=14, color=PATH, alpha=0.4)


def _draw_end(ax: Axes, name: str, course: Course) -> None:
    """The last step of a constant loss."""
    for start, arm, label in (
        ("cross-entropy", "cross_entropy", "cross-entropy"),
        ("weight decay", "weight_decay", "weight decay, every strength"),
        ("SD", "sd", "SD at constant λ, every λ"),
    ):
        if name.startswith(start):
            look = ARMS[arm]
            known = ax.get_legend_handles_labels()[1]
            shown = "" if label in known else label
            ends = course.inside[-1], course.outside[-1]
            _draw_point(ax, *ends, look.marker, look.colour, shown)


def _draw_point(
    ax: Axes, inside: np.ndarray, outside: np.ndarray, marker: str, colour: str, label: str
) -> None:
    """A faint dot per seed, and the mean."""
    across, up = 100 * inside, 100 * outside
    ax.scatter(across, up, s=12, color=colour, alpha=0.25, linewidths=0)
    style = {"s": 75, "marker": marker, "edgecolors": "white", "linewidths": 0.8}
    ax.scatter(across.mean(), up.mean(), color=colour, zorder=4, label=label or None, **style)
