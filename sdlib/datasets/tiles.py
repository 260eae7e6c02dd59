"""Tiles in memory: the one form in which images reach training and evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from sdlib.errors import DataError

__all__ = ["TileSet"]


@dataclass(frozen=True)
class TileSet:
    """Labelled square RGB tiles.

    Parameters
    ----------
    images : numpy.ndarray
        uint8, shape ``(n, S, S, 3)``, RGB. May be a read-only memory map.
    targets : numpy.ndarray
        int64, shape ``(n,)``: 0 benign, 1 cancer.
    groups : numpy.ndarray
        str, shape ``(n,)``: tiles of one group (patient, slide) are never split.
    factors : mapping of str to numpy.ndarray
        Further columns of length ``n``: centre, scanner, latent factors, cutout positions.

    Raises
    ------
    DataError
        Where a shape, dtype or target is not as above.

    Examples
    --------
    >>> tiles = TileSet(np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1]), np.array(["a", "b"]))
    >>> len(tiles), tiles.size, len(tiles.subset([1]))
    (2, 8, 1)
    """

    images: np.ndarray
    targets: np.ndarray
    groups: np.ndarray
    factors: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.images.shape
        if self.images.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3:
            raise DataError(f"expected uint8 images (n, S, S, 3), got {self.images.dtype} {shape}")
        if shape[1] != shape[2]:
            raise DataError(f"expected square tiles, got {shape[1]} x {shape[2]} px")
        columns = {"targets": self.targets, "groups": self.groups, **self.factors}
        for name, column in columns.items():
            if len(column) != shape[0]:
                raise DataError(f"expected {shape[0]} {name}, one a tile, got {len(column)}")
        if not np.isin(self.targets, (0, 1)).all():
            wrong = self.targets[~np.isin(self.targets, (0, 1))][0]
            raise DataError(f"expected targets in {{0, 1}}, got {wrong}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Side of a tile in pixels."""
        return self.images.shape[1]

    def subset(self, indices: np.ndarray) -> TileSet:
        """The tiles at ``indices`` (integers or a boolean mask), copied, in that order."""
        return TileSet(
            self.images[indices],
            self.targets[indices],
            self.groups[indices],
            {name: column[indices] for name, column in self.factors.items()},
        )

    @classmethod
    def joined(cls, parts: Sequence[TileSet]) -> TileSet:
        """Several sets of one tile size and the same factors, one behind the other."""
        return cls(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.targets for part in parts]),
            np.concatenate([part.groups for part in parts]),
            {
                name: np.concatenate([part.factors[name] for part in parts])
                for name in parts[0].factors
            },
        )

    def resized(self, size: int) -> TileSet:
        """The same tiles at ``size`` px, averaged over area (OpenCV's ``INTER_AREA``)."""
        if size == self.size:
            return self
        images = np.empty((len(self), size, size, 3), np.uint8)
        for index, image in enumerate(self.images):
            cv2.resize(image, (size, size), dst=images[index], interpolation=cv2.INTER_AREA)
        return TileSet(images, self.targets, self.groups, self.factors)
