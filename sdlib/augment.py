"""Random augmentation of a batch of tiles, deterministic for a given generator."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sdlib.errors import ConfigError
from sdlib.uniform_augment import UniformAugment

__all__ = ["AUGMENTATIONS", "UniformAugment", "augmentation"]

Augmentation = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _none(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return images


def _dihedral(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of the square's eight symmetries for each tile: exact, no resampling."""
    turns = rng.integers(0, 8, len(images))
    for turn in range(1, 8):
        chosen = np.flatnonzero(turns == turn)
        part = np.rot90(images[chosen], turn % 4, axes=(1, 2))
        images[chosen] = part[:, :, ::-1] if turn >= 4 else part
    return images


def _crop_flip(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random crop of 64 to 100 % of the area, resized back, then flips (the paper's first step)."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else the import asks the network
    import albumentations

    side = images.shape[1]
    transform = albumentations.Compose(
        [
            albumentations.RandomResizedCrop((side, side), scale=(0.64, 1.0), ratio=(1.0, 1.0)),
            albumentations.HorizontalFlip(),
            albumentations.VerticalFlip(),
        ],
        seed=int(rng.integers(2**32)),
    )
    for index, image in enumerate(images):
        images[index] = transform(image=image)["image"]
    return images


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": _none,
    "dihedral": _dihedral,
    "crop_flip": _crop_flip,
    "uniform": UniformAugment(),
    "uniform_no_cutout": UniformAugment(cutout=False),
    "uniform_blur": UniformAugment(blur=True),
}
"""The parts of which an augmentation's name is composed."""


@dataclass(frozen=True)
class _InOrder:
    """Parts one after the other, from one generator."""

    parts: tuple[Augmentation, ...]

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for part in self.parts:
            images = part(images, rng)
        return images


def augmentation(name: str) -> Augmentation:
    """The augmentation called ``name``: parts of :data:`AUGMENTATIONS` joined by ``+``, in order.

    Returns
    -------
    callable
        Takes uint8 images (n, S, S, 3), which it may overwrite, and a generator; returns the same
        shape and dtype. It can be pickled, for processes that prepare batches.

    Raises
    ------
    ConfigError
        Where there is no part of that name.

    Examples
    --------
    >>> images = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    >>> augmentation("dihedral+uniform")(images, np.random.default_rng(0)).shape
    (1, 2, 2, 3)
    """
    names = name.split("+")
    for each in names:
        if each not in AUGMENTATIONS:
            raise ConfigError(
                f"unknown augmentation {each!r}; expected {', '.join(AUGMENTATIONS)}, "
                "or several of them joined by '+'"
            )
    parts = tuple(AUGMENTATIONS[each] for each in names)
    return parts[0] if len(parts) == 1 else _InOrder(parts)
