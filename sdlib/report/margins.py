"""Was the penalty binding? Margins of networks beside the logits at which their penalty rests.

The penalty pulls on every logit. It decides where a logit ends only once that has come near the
place where the penalised loss of its class is least (the *cap*). So the share of tiles that a
network *without* the penalty takes beyond the cap says how much there is to hold back.

Here are whole arms with their recorded predictions, and caps of either class, as Equation 2 has
them; :mod:`sdlib.metrics.margins` has the margins of any predictions and the cap of Equation 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sdlib.losses import resting_logits
from sdlib.metrics import margins
from sdlib.results import Place

__all__ = ["beyond", "binding", "binding_table", "mean_margins"]

COHORT = "validation"
RIVAL = "weight_decay"


def beyond(logits: np.ndarray, targets: np.ndarray, caps: tuple[float, float]) -> float:
    """Share of tiles whose logit lies beyond the cap of their class.

    Parameters
    ----------
    logits, targets : numpy.ndarray
        float and int, shape ``(n,)``; targets are 0 or 1.
    caps : pair of float
        (negative, positive), of :func:`sdlib.losses.resting_logits`.

    Examples
    --------
    >>> beyond(np.array([-4.0, -1.0, 2.0, 5.0]), np.array([0, 0, 1, 1]), (-3.0, 3.0))
    0.5
    """
    negative, positive = caps
    return float((margins(logits, targets) > np.where(targets == 1, positive, -negative)).mean())


def _caps(place: Place, arm: str) -> tuple[float, float] | None:
    """The resting logits of an arm's penalty; None if it has none."""
    setting = place.setting(arm)
    if not np.any(setting["lam"] or 0):
        return None
    return resting_logits(setting["lam"], setting["gamma"] or (0.0, 0.0))


def _mean_share(place: Place, arm: str, cohort: str, caps: tuple[float, float]) -> float:
    """Mean over an arm's networks of the share of tiles beyond caps; NaN without predictions."""
    targets = place.targets(cohort)
    found = [beyond(logits, targets, caps) for logits in place.logits(arm, cohort).values()]
    return float(np.mean(found)) if found else float("nan")


def mean_margins(place: Place, arm: str, cohort: str) -> np.ndarray:
    """Mean margin of each of an arm's networks: float64, one value per seed."""
    targets = place.targets(cohort)
    found = [margins(logits, targets).mean() for logits in place.logits(arm, cohort).values()]
    return np.array(found, np.float64)


def binding(place: Place, arm: str, cohort: str = COHORT, rival: str = RIVAL) -> dict[str, float]:
    """How near an arm's networks came to the cap of their penalty, and whether it held them back.

    Parameters
    ----------
    place : Place
    arm : str
        With a penalty.
    cohort : str
        Whose predictions are looked at: ``validation`` tiles are like training tiles.
    rival : str
        An arm without penalty.

    Returns
    -------
    dict of str to float
        ``negative`` and ``positive``: the caps; ``margin``: mean margin of the arm; ``own``: share
        of tiles beyond their cap; ``free``: the rival's share beyond the same caps, which is the
        share of tiles that the penalty would pull back. Empty without penalty or predictions.
    """
    caps = _caps(place, arm) if arm in place.arms else None
    if caps is None or not place.logits(arm, cohort):
        return {}
    return {
        "negative": caps[0],
        "positive": caps[1],
        "margin": float(mean_margins(place, arm, cohort).mean()),
        "own": _mean_share(place, arm, cohort, caps),
        "free": _mean_share(place, rival, cohort, caps),
    }


def binding_table(
    places: Sequence[Place], cohort: str = COHORT, rival: str = RIVAL
) -> pd.DataFrame:
    """Whether the penalty was binding, one line per place and arm with a penalty.

    Parameters
    ----------
    places : sequence of Place
    cohort, rival : str
        As for :func:`binding`.

    Returns
    -------
    pandas.DataFrame
        Text; columns say caps, mean margin, and shares of tiles in per cent, means over networks.
    """
    lines = {}
    for place in places:
        for arm in place.arms:
            found = binding(place, arm, cohort, rival)
            if not found:
                continue
            without = "–" if np.isnan(found["free"]) else f"{found['free']:.0%}"
            lines[place.name, place.label(arm)] = {
                "caps (negative, positive)": f"{found['negative']:+.1f}, {found['positive']:+.1f}",
                "mean margin": f"{found['margin']:.1f}",
                "its tiles beyond their cap": f"{found['own']:.0%}",
                "weight decay's tiles beyond it": without,
            }
    table = pd.DataFrame(lines).T
    return table.rename_axis(["results", "networks"]) if lines else table
