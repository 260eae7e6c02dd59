"""How the experiment on shifts is set up: arms, input size, and what UniformAugment covers."""

from __future__ import annotations

import pandas as pd

from sdlib.augment import UniformAugment
from sdlib.augment.operations import OPERATIONS
from sdlib.report.robustness.statistics import convergence
from sdlib.results import Place
from sdlib.shifts import LEVELS, PAPER_SIZE, blur_width

__all__ = ["arm_table", "input_size", "operation_table", "scale"]

KERNEL = 3  # px, side of the sharpening kernel at every input size


def input_size(place: Place) -> int:
    """Side of the tiles that a place's networks see, in px.

    >>> input_size(Place("robustness", "laptop", "open"))
    96
    """
    return place.definition.settings(place.profile, place.source).size


def scale(place: Place) -> str:
    """Network, tiles and schedule of a place, and how wide the shifts' kernels are there.

    Returns
    -------
    str
        A paragraph of Markdown.
    """
    profile = place.definition.settings(place.profile, place.source)
    size = profile.size
    widths = {n.strength: blur_width(n.strength, size) for n in LEVELS if n.shift == "blur"}
    idle = [f"{n:g}" for n, width in widths.items() if width <= 1]
    even = [f"{n:g}" for n, width in widths.items() if width % 2 == 0]
    text = (
        f"**{place.name}**: {profile.network}, input {size} x {size} px, {profile.epochs} epochs "
        f"of batches of {profile.batch_size}, augmentation `{profile.augment}` before "
        f"UniformAugment. Blur keeps its share of the side, n x {size} / {PAPER_SIZE}: "
        f"n = {max(widths):g} is {max(widths.values()):.1f} px wide"
    )
    if idle:
        text += f", and below 1 px (n = {', '.join(idle)}) nothing changes"
    if even and size != PAPER_SIZE:
        text += (
            f". A window of an even number of px (n = {', '.join(even)}) has no pixel in its "
            "middle. It is another filter than its neighbours, so curves may have a kink there"
        )
    paper_width = KERNEL * PAPER_SIZE / size
    return (
        f"{text}. The sharpening kernel stays {KERNEL} px wide, which is {paper_width:.1f} px "
        f"at {PAPER_SIZE} px."
    )


def arm_table(place: Place) -> pd.DataFrame:
    """How each arm is trained, and how its training ended at a place.

    Parameters
    ----------
    place : Place

    Returns
    -------
    pandas.DataFrame
        One line per arm of the experiment: lam, weight_decay, augmentation, search, seeds (0 where
        the arm has no rows), then the columns of
        :func:`sdlib.report.robustness.statistics.convergence`, rounded. Empty text where there is
        no value.
    """
    lines = {}
    for arm in place.definition.arms:
        trained = place.setting(arm.name) if arm.name in place.arms else {}
        lines[arm.label] = {
            "lam": trained.get("lam") or arm.lam or "",
            "weight_decay": trained.get("weight_decay") or arm.weight_decay or "",
            "augmentation": arm.augment or "none",
            "search": arm.search or "none",
            "seeds": len(place.values("test.accuracy", arm.name)),
        }
    ended = convergence(place).round(3).astype(object)
    return pd.DataFrame(lines).T.join(ended).fillna("")


def operation_table() -> pd.DataFrame:
    """The fifteen operations of UniformAugment with their ranges.

    Returns
    -------
    pandas.DataFrame
        Text. One line per operation: magnitude, unit, as in (the function of Pillow that it agrees
        with).

    Examples
    --------
    >>> operation_table().loc["rotate", "magnitude"]
    '-30 to 30'
    """
    lines = {}
    for name in UniformAugment().operations:
        one = OPERATIONS[name]
        span = f"{one.low:g} to {one.high:g}" if one.low is not None else ""
        lines[name.replace("_", " ")] = {"magnitude": span, "unit": one.unit, "as in": one.source}
    return pd.DataFrame(lines).T
