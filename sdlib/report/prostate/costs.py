"""Figure 6D: what Macenko normalisation of a million images costs, and what the penalty costs.

Both are measured on the spot, in seconds. Neither needs a network.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from sdlib.datasets.normalised import normalised_chunks
from sdlib.experiments import paper_table
from sdlib.losses import spectral_decoupling
from sdlib.phantoms import draw_tiles, render
from sdlib.report.rule import Verdict
from sdlib.stain import MacenkoNormaliser

__all__ = ["Cost", "cost_sentence", "cost_table", "measure_costs", "ratio_verdict"]

MILLION = 1_000_000
BATCH = 512  # logits per batch, as in the paper's Figure 6D
ROUNDS = 5
SECONDS = 0.4  # of each round, at least
#: The paper's seconds per million images.
PAPER = paper_table("figure6").set_index("quantity")["value"]
PAPER_NORMALISATION, PAPER_PENALTY = 3600 * PAPER["normalisation_hours"], PAPER["penalty_seconds"]
#: A claim of "hours against fractions of a second" holds from this ratio on.
LEAST_RATIO = 1000
NEAR = 10  # factor within which hours count as the paper's


@dataclass(frozen=True)
class Cost:
    """What a million images cost.

    Parameters
    ----------
    name : str
        What is done.
    seconds : tuple of float
        Per million images, one per round.
    paper : float
        The paper's seconds; NaN where it has none.
    """

    name: str
    seconds: tuple[float, ...]
    paper: float = float("nan")

    @property
    def median(self) -> float:
        """The median round, s."""
        return float(np.median(self.seconds))


def measure_costs(size: int = 224, tiles: int = 32, workers: Sequence[int] = (1,)) -> list[Cost]:
    """Measure normalisation of phantom tiles and the penalty on logits, some seconds in all.

    Parameters
    ----------
    size : int
        Side of the tiles, px; the paper's images have 224.
    tiles : int
        How many different tiles are normalised again and again.
    workers : sequence of int
        Numbers of threads that normalise.

    Returns
    -------
    list of Cost
        Normalisation per number of processes, then the penalty of Equation 1: its value, and its
        value with its gradient.
    """
    images = np.stack([render(tile, size) for tile in draw_tiles(tiles, seed=0)])
    normaliser = MacenkoNormaliser().fit(images)
    costs = []
    for count in workers:
        label = "1 core" if count == 1 else f"{count} cores"
        if count == 1:
            seconds = _rounds(lambda: normaliser.transform(images), tiles)
        else:
            many = np.concatenate([images] * 8)
            seconds = _rounds(lambda many=many, n=count: _consume(many, normaliser, n), len(many))
        name = f"Macenko normalisation, {size} x {size} px, {label}"
        costs.append(Cost(name, seconds, PAPER_NORMALISATION))
    logits = torch.randn(BATCH, 1, requires_grad=True)
    forward = _rounds(lambda: spectral_decoupling(logits, 0.01), BATCH)
    both = _rounds(lambda: spectral_decoupling(logits, 0.01).backward(), BATCH)
    shape = f"{BATCH} x 1 logits"
    costs.append(Cost(f"penalty of Equation 1, {shape}", forward, PAPER_PENALTY))
    costs.append(Cost(f"penalty and its gradient, {shape}", both))
    return costs


def _consume(images: np.ndarray, normaliser: MacenkoNormaliser, workers: int) -> None:
    for _ in normalised_chunks(images, normaliser, workers):
        pass


def _rounds(work: Callable[[], object], images: int) -> tuple[float, ...]:
    """Seconds per million images, of several rounds after one that warms up."""
    work()
    found = []
    for _ in range(ROUNDS):
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < SECONDS:
            work()
            done += images
        found.append((time.perf_counter() - start) / done * MILLION)
    return tuple(found)


def cost_table(costs: Sequence[Cost]) -> pd.DataFrame:
    """The costs as text: seconds per million images, hours, images per second, and the paper's.

    Parameters
    ----------
    costs : sequence of Cost
    """
    lines = {}
    for cost in costs:
        low, high = min(cost.seconds), max(cost.seconds)
        lines[cost.name] = {
            "seconds per million images": f"{cost.median:,.3g} ({low:,.3g} to {high:,.3g})",
            "hours": f"{cost.median / 3600:.3g}",
            "images per second": f"{MILLION / cost.median:,.0f}",
            "paper": "–" if np.isnan(cost.paper) else _duration(cost.paper),
        }
    return pd.DataFrame(lines).T


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds > 3600 else f"{seconds:g} s"


def ratio_verdict(costs: Sequence[Cost]) -> tuple[Verdict, float]:
    """C11 judged: the ratio of the two costs, and the hours of normalisation on one core.

    Parameters
    ----------
    costs : sequence of Cost
        As :func:`measure_costs` returns them.

    Returns
    -------
    verdict : Verdict
        Whether every round of normalisation costs 1,000 times any round of the penalty: not
        reproduced if none does, undecided if some do. If all do, reproduced where the median is
        within a factor of 10 of the paper's hours, else partly.
    ratio : float
        Of the medians.
    """
    normalisation = costs[0]
    penalty = next(cost for cost in costs if cost.paper == PAPER_PENALTY)
    ratio = normalisation.median / penalty.median
    if min(normalisation.seconds) >= LEAST_RATIO * max(penalty.seconds):
        as_long = 1 / NEAR <= normalisation.median / PAPER_NORMALISATION <= NEAR
        return (Verdict.REPRODUCED if as_long else Verdict.PARTLY), ratio
    if max(normalisation.seconds) < LEAST_RATIO * min(penalty.seconds):
        return Verdict.NOT_REPRODUCED, ratio
    return Verdict.UNDECIDED, ratio


def cost_sentence(costs: Sequence[Cost]) -> str:
    """Read the table aloud, with the verdict on C11, as Markdown."""
    verdict, ratio = ratio_verdict(costs)
    normalisation = costs[0].median / 3600
    paper = PAPER_NORMALISATION / 3600
    return (
        f"**C11: {verdict}** (this machine, {os.cpu_count()} cores). Normalising a million images "
        f"takes {normalisation:.2f} hours on one core here, {paper:.1f} in the paper; it costs "
        f"{ratio:,.0f} times the penalty here and {PAPER_NORMALISATION / PAPER_PENALTY:,.0f} "
        "times in the paper. Reproduced means at least "
        f"{LEAST_RATIO:,} times, and hours within a factor of {NEAR} of the paper's; partly means "
        "the ratio alone."
    )
