"""Three hospitals, and the signature that each leaves on its films."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

__all__ = ["HOSPITALS", "Choice", "Hospital", "Spread"]


@dataclass(frozen=True)
class Choice:
    """Values of a factor with their shares.

    >>> Choice({"R": 3, "": 1}).values(np.array([0.1, 0.9])).tolist()
    ['R', '']
    """

    shares: Mapping[str | int, float]

    def values(self, u: np.ndarray) -> np.ndarray:
        """The quantiles at ``u``, float64 (n,) in (0, 1)."""
        ends = np.cumsum(list(self.shares.values()))
        return np.array(list(self.shares))[np.searchsorted(ends / ends[-1], u)]


@dataclass(frozen=True)
class Spread:
    """Normal values of a factor, clipped at three standard deviations.

    >>> Spread(10, 2).values(np.array([0.5])).tolist()
    [10.0]
    """

    mean: float
    sd: float = 0.0

    def values(self, u: np.ndarray) -> np.ndarray:
        """The quantiles at ``u``, float64 (n,) in (0, 1)."""
        return self.mean + self.sd * np.clip(ndtri(u), -3, 3)


@dataclass(frozen=True)
class Hospital:
    """A hospital: who is there, and how its films look.

    Attributes
    ----------
    name, meaning : str
        Key in ``HOSPITALS``; what it stands for.
    prevalence : float
        Share of patients with COVID-19, 0 to 1.
    ap : tuple of float
        Share of AP views among patients without and with COVID-19. The only part of a signature
        that may differ between the classes.
    signature : mapping of str to Choice or Spread
        How each other factor of a signature is drawn.

    Examples
    --------
    >>> HOSPITALS["a"].ap, HOSPITALS["b"].prevalence
    ((0.35, 0.6), 0.01)
    """

    name: str
    meaning: str
    prevalence: float
    ap: tuple[float, float]
    signature: Mapping[str, Choice | Spread]

    @property
    def ap_share(self) -> float:
        """Share of AP views among all films of the hospital."""
        return self.ap[0] * (1 - self.prevalence) + self.ap[1] * self.prevalence


# fmt: off
_A = {
    "curve": Choice({"sigmoid": 1}), "window_centre": Spread(0.50, 0.025),
    "window_width": Spread(1.00, 0.08), "enhancement": Spread(0.35, 0.08),
    "noise": Spread(2.5, 0.4), "bit_depth": Choice({8: 1}),
    "border_shape": Choice({"none": 65, "sides": 25, "top": 10}),
    "border_width": Spread(0.030, 0.006), "border_grey": Spread(6, 2),
    "border_tilt": Spread(0, 0.4),
    "token_letter": Choice({"D": 85, "": 15}), "token_shape": Choice({"ring": 1}),
    "token_x": Spread(0.085, 0.012), "token_y": Spread(0.10, 0.015),
    "token_size": Spread(0.038, 0.003), "token_grey": Spread(235, 6),
    "text_words": Choice({"": 70, "RX TORAX": 30}), "text_x": Spread(0.60, 0.02),
    "text_y": Spread(0.05, 0.004), "text_size": Spread(0.030, 0.001),
    "text_grey": Spread(240, 5),
}
_B = {
    "curve": Choice({"linear": 1}), "window_centre": Spread(0.56, 0.03),
    "window_width": Spread(1.02, 0.08), "enhancement": Spread(0.05, 0.02),
    "noise": Spread(1.5, 0.3), "bit_depth": Choice({6: 1}),
    "border_shape": Choice({"rounded": 75, "frame": 20, "none": 5}),
    "border_width": Spread(0.032, 0.006), "border_grey": Spread(3, 0.8),
    "border_tilt": Spread(0, 0.3),
    "token_letter": Choice({"L": 95, "": 5}), "token_shape": Choice({"box": 1}),
    "token_x": Spread(0.90, 0.012), "token_y": Spread(0.11, 0.015),
    "token_size": Spread(0.046, 0.003), "token_grey": Spread(248, 2),
    "text_words": Choice({"125KV 2.5": 60, "": 40}), "text_x": Spread(0.05, 0.008),
    "text_y": Spread(0.985, 0.003), "text_size": Spread(0.034, 0.001),
    "text_grey": Spread(225, 8),
}
_C = {
    "curve": Choice({"sigmoid": 60, "linear": 40}), "window_centre": Spread(0.44, 0.04),
    "window_width": Spread(0.88, 0.10), "enhancement": Spread(0.60, 0.12),
    "noise": Spread(3.5, 0.6), "bit_depth": Choice({8: 70, 7: 30}),
    "border_shape": Choice({"none": 45, "top": 35, "sides": 20}),
    "border_width": Spread(0.040, 0.008), "border_grey": Spread(20, 5),
    "border_tilt": Spread(0, 1.5),
    "token_letter": Choice({"R": 55, "L": 15, "": 30}),
    "token_shape": Choice({"plain": 60, "disc": 40}), "token_x": Spread(0.06, 0.010),
    "token_y": Spread(0.24, 0.03), "token_size": Spread(0.052, 0.006),
    "token_grey": Spread(250, 1),
    "text_words": Choice({"": 50, "ERECT": 30, "MOBILE": 20}), "text_x": Spread(0.78, 0.03),
    "text_y": Spread(0.05, 0.006), "text_size": Spread(0.028, 0.002),
    "text_grey": Spread(245, 3),
}
# fmt: on
HOSPITALS = {
    hospital.name: hospital
    for hospital in (
        Hospital("a", "patients with and without COVID-19, as in BIMCV+-", 0.5, (0.35, 0.60), _A),
        Hospital("b", "nearly all without, as in PadChest", 0.01, (0.17, 0.17), _B),
        Hospital("c", "both, elsewhere: for tests only", 0.5, (0.50, 0.50), _C),
    )
}
"""Hospitals by name. In each, no signature depends on the class, except for the view in "a"."""
