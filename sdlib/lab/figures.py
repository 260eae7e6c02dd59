"""The states of the figures in closed form: what each of them begins with, and what it asks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sdlib.lab.live import packed, show_live
from sdlib.plotting import ARMS
from sdlib.report.cutout.equal_access import worth
from sdlib.results import Place

__all__ = [
    "cutoff_state",
    "resting_state",
    "show_cutoffs",
    "show_resting",
    "show_starvation",
    "starvation_state",
]

COMPARED = ("weight_decay", "sd_eq2")
POWERS = 3  # decimals of a power of ten, as the sliders have them


def starvation_state() -> dict:
    """Two coupled features, as chapter 2 has them.

    >>> starvation_state()["s2"]
    2.0
    """
    return {
        "s1": 3.0,
        "s2": 2.0,
        "d": 0.5,
        "log_lam": -2.0,
        "arms": {arm: ARMS[arm].colour for arm in ("weight_decay", "sd")},
        "predicted": "",
        "ask": {
            "question": "The first feature grows stronger, and the second one is left alone. What "
            "happens to the response of the second one under weight decay?",
            "choices": {"same": "It stays", "falls": "It falls", "rises": "It rises"},
            "answer": "It falls as long as the two are coupled: the first feature takes the "
            "gradient away. With the coupling d at 0, or under spectral decoupling, it stays. "
            "Move the sliders to see how far.",
        },
    }


def show_starvation() -> None:
    """Display the starvation playground."""
    show_live("starvation", starvation_state())


def resting_state(settings: Mapping[str, tuple], begin: str) -> dict:
    """Where logits rest under Equations 1 and 2.

    Parameters
    ----------
    settings : mapping of str to tuple
        By name, lambda and gamma as :func:`sdlib.losses.resting_logits` takes them. Each is a
        button of the figure.
    begin : str
        The setting that the figure begins with.

    Returns
    -------
    dict
        The state of the figure ``resting``.

    Examples
    --------
    >>> state = resting_state({"Eq. 1": (0.01, (0.0, 0.0))}, "Eq. 1")
    >>> state["log_neg"], state["presets"]["Eq. 1"]["gamma_pos"]
    (-2.0, 0.0)
    """
    buttons = {}
    for name, (lam, gamma) in settings.items():
        negative, positive = lam if isinstance(lam, Sequence) else (lam, lam)
        buttons[name] = {
            "log_neg": round(math.log10(negative), POWERS),
            "log_pos": round(math.log10(positive), POWERS),
            "gamma_neg": gamma[0],
            "gamma_pos": gamma[1],
        }
    return {
        **buttons[begin],
        "presets": buttons,
        "arms": {arm: ARMS[arm].colour for arm in ("sd_eq1", "sd_eq2")},
        "predicted": "",
        "ask": {
            "question": "Raise the target γ of the negatives, and leave all else alone. What "
            "happens to the share of cancers from which on the best answer is cancer?",
            "choices": {"same": "It stays at .5", "falls": "It falls", "rises": "It rises"},
            "answer": "It falls below .5: more tiles are called cancer, although nothing has been "
            "learned. Equation 1 (both γ at 0) leaves it at .5 for every λ.",
        },
    }


def show_resting(settings: Mapping[str, tuple], begin: str) -> None:
    """Display the figure on resting logits, with the arguments of :func:`resting_state`."""
    show_live("resting", resting_state(settings, begin))


def cutoff_state(places: Sequence[Place]) -> dict:
    """The logits of weight decay and Equation 2 on the test tiles, every seed, by place.

    Parameters
    ----------
    places : sequence of Place
        Of the experiment cutout; those without logits of both arms are left out.

    Returns
    -------
    dict
        The state of the figure ``cutoff``, its ``places`` by name; logits as
        :func:`sdlib.lab.live.packed` writes them. Empty without places.

    Examples
    --------
    >>> list(cutoff_state([Place("cutout", "laptop", "phantom")])["places"])
    ['recorded: phantom, laptop']
    """
    found = [place for place in places if set(COMPARED) <= {*place.scored}]
    if not found:
        return {}
    first = found[0]
    odds = worth(first)
    return {
        "place": first.name,
        "cut": 0.0,
        "places": {place.name: _logits(place) for place in found},
        "arms": {
            arm: {"label": first.label(arm), "colour": first.look(arm).colour} for arm in COMPARED
        },
        "presets": {
            "0, as usual": {"cut": 0.0},
            f"what Equation 2 is worth, {odds:.3f}": {"cut": round(math.log(odds / (1 - odds)), 2)},
        },
        "predicted": "",
        "ask": {
            "question": "One cut-off for both arms moves to the left. Which of these numbers can "
            "change: accuracy, recall, AUROC?",
            "choices": {"all": "All three", "two": "Accuracy and recall", "none": "None"},
            "answer": "Accuracy and recall. AUROC is about the order of the tiles, and a cut-off "
            "does not change their order. Compare the highest points of the two curves: that is "
            "what the arms differ by when both may choose their cut-off.",
        },
    }


def _logits(place: Place) -> dict[str, list[list[str]]]:
    """By arm, and for every seed: the packed logits of benign tiles, then those of cancers."""
    targets = place.targets("test")
    return {
        arm: [
            [packed(logits[targets == target]) for target in (0, 1)]
            for logits in place.logits(arm, "test").values()
        ]
        for arm in COMPARED
    }


def show_cutoffs(places: Sequence[Place]) -> None:
    """Display the figure on cut-offs, or a sentence where nothing is recorded."""
    state = cutoff_state(places)
    if state:
        show_live("cutoff", state)
    else:
        print("No logits of both arms are recorded here: make reproduce makes them.")
