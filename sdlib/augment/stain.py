"""Stain augmentation: every tile as if its haematoxylin and eosin were weaker or stronger."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sdlib.checks import check_number, check_rgb
from sdlib.errors import ConfigError
from sdlib.stain import scale_stains

__all__ = ["StainAugment"]


@dataclass(frozen=True)
class StainAugment:
    """Multiply the concentrations of haematoxylin and eosin of every tile by random factors.

    Both factors are uniform between ``low`` and ``high``, independent of each other. Tellez et al.
    (2018) do so on fixed stain vectors; here they are each tile's own, by Macenko's method.

    Parameters
    ----------
    low, high : float
        Range of the factors, from above 0. The defaults are ours and were not tuned.

    Raises
    ------
    ConfigError
        ``low`` not above 0, or above ``high``.

    Examples
    --------
    >>> tiles = np.full((2, 16, 16, 3), (150, 80, 160), np.uint8)
    >>> StainAugment()(tiles, np.random.default_rng(0)).shape
    (2, 16, 16, 3)
    """

    low: float = 0.5
    high: float = 1.5

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            check_number(name, getattr(self, name), 0)
        if not 0 < self.low <= self.high:
            raise ConfigError(
                f"expected low above 0 and at most high, got {self.low} and {self.high}"
            )

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Augment one tile or a batch.

        Parameters
        ----------
        images : numpy.ndarray
            uint8 (H, W, 3) or (N, H, W, 3), RGB.
        rng : numpy.random.Generator
            Where the random numbers come from.

        Returns
        -------
        numpy.ndarray
            uint8 of the same shape, a new array.

        Raises
        ------
        ConfigError
            Images of another shape or dtype.
        """
        check_rgb(images, batches=True)
        if images.ndim == 3:
            return self(images[None], rng)[0]
        factors = rng.uniform(self.low, self.high, (len(images), 2))
        augmented = np.empty_like(images)
        for image, (haematoxylin, eosin), place in zip(images, factors, augmented, strict=True):
            place[:] = scale_stains(image, haematoxylin, eosin)
        return augmented
