"""An arm: one way of training, how it is tuned, and how figures show it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sdlib.errors import ConfigError
from sdlib.experiments.cohorts import Cohort

__all__ = ["GAMMA_STEP", "LAM_STEP", "Arm", "Look", "Step"]

LAM_STEP = 3.0  # factor between neighbours in lambda
GAMMA_STEP = 0.5  # logits between neighbours in gamma


@dataclass(frozen=True)
class Look:
    """How an arm is drawn: the same colour and marker on every page.

    Parameters
    ----------
    colour, marker, dash : str
        As matplotlib names them.
    label : str
        Filled in by :attr:`Arm.style`.

    Examples
    --------
    >>> Look("#000000", "o", label="control").kwargs
    {'color': '#000000', 'marker': 'o', 'label': 'control'}
    """

    colour: str = "#000000"
    marker: str = "o"
    dash: str = "-"
    label: str = ""

    @property
    def kwargs(self) -> dict[str, Any]:
        """Colour, marker and label as matplotlib's ``plot``, ``errorbar`` and ``scatter`` want."""
        return {"color": self.colour, "marker": self.marker, "label": self.label}

    @property
    def line(self) -> dict[str, Any]:
        """Colour, marker, label and style of the line, for matplotlib's ``plot``."""
        return {**self.kwargs, "linestyle": self.dash}


@dataclass(frozen=True)
class Step:
    """A neighbour of a tuned point of Equation 2, a step away in one pair of values.

    Parameters
    ----------
    pair : str
        ``lam`` (a step is a factor of 3) or ``gamma`` (a step is half a logit).
    benign, cancer : int
        Steps in the value of either class: -1, 0 or 1.
    """

    pair: str
    benign: int
    cancer: int

    def __post_init__(self) -> None:
        if self.pair not in ("lam", "gamma"):
            raise ConfigError(f"expected a step in lam or gamma, got {self.pair!r}")

    def moved(
        self, lam: tuple[float, float], gamma: tuple[float, float]
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """The pairs ``lam`` and ``gamma`` after the step.

        >>> Step("lam", 1, 0).moved((0.1, 0.1), (1.0, 1.0))[0]
        (0.30000000000000004, 0.1)
        """
        if self.pair == "lam":
            factors = (LAM_STEP**self.benign, LAM_STEP**self.cancer)
            return (lam[0] * factors[0], lam[1] * factors[1]), gamma
        added = (GAMMA_STEP * self.benign, GAMMA_STEP * self.cancer)
        return lam, (gamma[0] + added[0], gamma[1] + added[1])


@dataclass(frozen=True)
class Arm:
    """One way of training.

    Parameters
    ----------
    name, label : str
        Used in run ids; used in figures and tables.
    lam, gamma : float or pair of float, optional
        Of Equation 1 (a number) or Equation 2 (pairs: benign, cancer); None without spectral
        decoupling.
    weight_decay : float
        The optimiser's.
    augment : str
        Of :data:`sdlib.augment.AUGMENTATIONS`, after the profile's own: ``uniform`` for instance.
    search : str, optional
        Name of the experiment's search whose best trial replaces the values above.
    step : Step, optional
        Taken after the search: the arm is a neighbour of the tuned point.
    training : Cohort, optional
        What it is trained on, if not on the experiment's own cohort.
    look : Look, optional
        How figures draw it; a black circle if it has none of its own.
    main : bool
        Whether it is among the few arms that are run at every profile.
    headline : bool
        Whether README's table shows its accuracy.
    """

    name: str
    label: str
    lam: float | tuple[float, float] | None = None
    gamma: tuple[float, float] | None = None
    weight_decay: float = 0.0
    augment: str = ""
    search: str | None = None
    step: Step | None = None
    training: Cohort | None = None
    look: Look | None = None
    main: bool = False
    headline: bool = False

    @property
    def style(self) -> Look:
        """Its look with its label."""
        return dataclasses.replace(self.look or Look(), label=self.label)

    def tuned(self, values: Mapping[str, float]) -> Arm:
        """This arm with the values of a search (and then the step) in place.

        >>> Arm("a", "A", search="sd_eq1").tuned({"lam": 0.1}).lam
        0.1
        """
        found = {name: values[name] for name in ("weight_decay", "lam") if name in values}
        if "lam_neg" in values:
            lam = (values["lam_neg"], values["lam_pos"])
            gamma = (values["gamma_neg"], values["gamma_pos"])
            if self.step:
                lam, gamma = self.step.moved(lam, gamma)
            found |= {"lam": lam, "gamma": gamma, "step": None}
        return dataclasses.replace(self, **found)
