"""Random augmentation of a batch of tiles, the same for the same state of the generator."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sdlib.augment.operations import OPERATIONS
from sdlib.augment.stain import StainAugment
from sdlib.checks import check_number, check_rgb, check_square_batch
from sdlib.errors import ConfigError

__all__ = ["AUGMENTATIONS", "Draws", "UniformAugment", "augmentation"]

Augmentation = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _none(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Leave tiles as they are."""
    return images


def _dihedral(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn and mirror each tile by one of the square's eight symmetries, without resampling."""
    check_square_batch(images)
    # Numbers 0 to 3 are quarter turns, 4 to 7 the same turns and a mirror; 0 changes nothing.
    turns = rng.integers(0, 8, len(images))
    for turn in range(1, 8):
        chosen = np.flatnonzero(turns == turn)
        part = np.rot90(images[chosen], turn % 4, axes=(1, 2))
        images[chosen] = part[:, :, ::-1] if turn >= 4 else part
    return images


def _crop_flip(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Crop 64 to 100 % of the area, resize it back, then flip at random: the paper's first step."""
    check_square_batch(images)
    # Without the variable, the import looks for a newer version on the internet. It takes seconds,
    # which only those who use it should wait.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
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


class Draws(NamedTuple):
    """What was drawn for n tiles with k operations each.

    Attributes
    ----------
    operation : numpy.ndarray
        int (n, k), an index into :attr:`UniformAugment.operations`.
    applied : numpy.ndarray
        bool (n, k), whether the operation is carried out.
    share : numpy.ndarray
        float64 (n, k) in [0, 1), where in its range the magnitude lies.
    place : numpy.ndarray
        float64 (n, k, 2) in [0, 1), the middle of a Cutout as shares of width and height.
    """

    operation: np.ndarray
    applied: np.ndarray
    share: np.ndarray
    place: np.ndarray


@dataclass(frozen=True)
class UniformAugment:
    """Augmentation by at most ``max_ops`` random operations per tile.

    For every tile ``max_ops`` operations are drawn with replacement. Each is carried out with a
    probability that is itself uniform on (0, 1), hence in half of all cases, at a magnitude
    that is uniform in its range.

    Parameters
    ----------
    max_ops : int
        Number of operations drawn per tile; 0 leaves every tile as it is.
    cutout : bool
        Whether Cutout is among them, as in the public code. It confounds an experiment whose
        shortcut is cutouts.
    blur : bool
        Whether the mean blur is among them, 1 to 20 px at 224 px.

    Raises
    ------
    ConfigError
        ``max_ops`` below 0 or not a whole number.

    Examples
    --------
    >>> tiles = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    >>> UniformAugment()(tiles, np.random.default_rng(0)).shape
    (2, 8, 8, 3)
    """

    max_ops: int = 2
    cutout: bool = True
    blur: bool = False

    def __post_init__(self) -> None:
        check_number("max_ops", self.max_ops, 0, whole=True)

    @property
    def operations(self) -> tuple[str, ...]:
        """Names of the operations that may be drawn."""
        absent = {name for name in ("cutout", "blur") if not getattr(self, name)}
        return tuple(name for name in OPERATIONS if name not in absent)

    def draw(self, n: int, rng: np.random.Generator) -> Draws:
        """Draw everything that is random about ``n`` tiles.

        The draws of a tile do not depend on how many tiles follow it.

        Parameters
        ----------
        n : int
            Number of tiles, at least 0.
        rng : numpy.random.Generator
            Where the numbers come from.

        Returns
        -------
        Draws
            For n tiles with ``max_ops`` operations each.

        Raises
        ------
        ConfigError
            n below 0 or not a whole number.

        Examples
        --------
        >>> UniformAugment().draw(3, np.random.default_rng(0)).operation.tolist()
        [[9, 9], [12, 4], [9, 10]]
        """
        check_number("a number of tiles", n, 0, whole=True)
        # Six numbers per operation, used or not, so that the options do not shift the draws.
        numbers = rng.random((n, self.max_ops, 6))
        operation = (numbers[..., 0] * len(self.operations)).astype(int)
        applied = numbers[..., 1] < numbers[..., 2]
        return Draws(operation, applied, numbers[..., 3], numbers[..., 4:])

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
        # The copy can be written to and is contiguous, which a memory map or a view need not be.
        augmented = np.array(images, order="C")
        operations = [OPERATIONS[name] for name in self.operations]
        draws = self.draw(len(images), rng)
        for tile, k in np.argwhere(draws.applied):
            operation = operations[draws.operation[tile, k]]
            magnitude = operation.magnitude(draws.share[tile, k])
            augmented[tile] = operation(augmented[tile], magnitude, draws.place[tile, k])
        return augmented


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": _none,
    "dihedral": _dihedral,
    "crop_flip": _crop_flip,
    "uniform": UniformAugment(),
    "uniform_no_cutout": UniformAugment(cutout=False),
    "uniform_blur": UniformAugment(blur=True),
    "stain": StainAugment(),
}
"""The augmentations by name; :func:`augmentation` joins several."""


@dataclass(frozen=True)
class _InOrder:
    """Several augmentations, one after the other, that draw from one generator."""

    # A class rather than a nested function, which could not be pickled.

    parts: tuple[Augmentation, ...]

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for part in self.parts:
            images = part(images, rng)
        return images


def augmentation(name: str) -> Augmentation:
    """Look an augmentation up by its name.

    Parameters
    ----------
    name : str
        A key of :data:`AUGMENTATIONS`, or several joined by ``+``, which are applied in that order.

    Returns
    -------
    callable
        Takes uint8 images (N, S, S, 3), which it may overwrite, and a generator; returns the same
        shape and dtype. It can be pickled, for processes that prepare batches.

    Raises
    ------
    ConfigError
        A part of the name is not in :data:`AUGMENTATIONS`.

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
                "or several of them joined by +"
            )
    parts = tuple(AUGMENTATIONS[each] for each in names)
    return parts[0] if len(parts) == 1 else _InOrder(parts)
