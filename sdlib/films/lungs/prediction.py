"""Lungs that a network finds: probabilities of a batch of films, and a mask of any size."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from scipy.ndimage import binary_fill_holes, label

from sdlib.checks import check_number, check_square_batch
from sdlib.errors import ConfigError
from sdlib.films.lungs.network import LUNG_SIZE, LungUNet

__all__ = ["lung_mask_of", "predict_lungs"]

CHUNK = 32  # films: larger batches are slower on a CPU
LUNGS = 2  # the most regions that are kept


def predict_lungs(network: LungUNet, films: np.ndarray) -> np.ndarray:
    """Predict the probability of lung in every pixel of some films.

    Parameters
    ----------
    network : LungUNet
        The network, in evaluation mode.
    films : numpy.ndarray
        uint8, shape ``(n, 96, 96, 3)``, grey in RGB (see :func:`~sdlib.films.square_film`).

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(n, 96, 96)``: 0 to 255 for probabilities of 0 to 1.

    Raises
    ------
    ConfigError
        If the films are of another shape or dtype.

    Examples
    --------
    >>> films = np.zeros((2, 96, 96, 3), np.uint8)
    >>> predict_lungs(LungUNet().eval(), films).shape
    (2, 96, 96)
    """
    check_square_batch(films)
    if films.shape[1] != LUNG_SIZE:
        raise ConfigError(
            f"expected films of {LUNG_SIZE} x {LUNG_SIZE} px, got {films.shape[1]}: load them at "
            f"that size"
        )
    found = np.empty(films.shape[:3], np.uint8)
    with torch.inference_mode():
        for start in range(0, len(films), CHUNK):
            rows = slice(start, start + CHUNK)
            grey = torch.from_numpy(films[rows, None, :, :, 0].astype(np.float32))
            probability = torch.sigmoid(network(grey))[:, 0]
            found[rows] = torch.round(255 * probability).to(torch.uint8).numpy()
    return found


def lung_mask_of(probability: np.ndarray, size: int) -> np.ndarray:
    """Make a mask of the lungs from a film's probabilities, at the size of the film.

    Pixels count as lung where the probability, interpolated to ``size``, is above a half. Of the
    connected regions the two largest are kept, and their holes (a pacemaker, an arrow) are filled.

    Parameters
    ----------
    probability : numpy.ndarray
        uint8, shape ``(H, H)``, 0 to 255.
    size : int
        Side of the mask in pixels.

    Returns
    -------
    numpy.ndarray
        bool, shape ``(size, size)``; False everywhere where the network finds no lung.

    Raises
    ------
    ConfigError
        If the size is not a whole number of at least 1.

    Examples
    --------
    >>> probability = np.zeros((8, 8), np.uint8)
    >>> probability[2:6, 1:3] = 255
    >>> int(lung_mask_of(probability, 8).sum())
    8
    """
    check_number("size", size, 1, whole=True)
    large = probability
    if size != len(probability):
        # Values in between would be rounded to 8 bits.
        large = cv2.resize(
            probability.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR
        )
    regions, count = label(large > 127.5)
    if count > LUNGS:
        areas = np.bincount(regions.ravel())[1:]
        kept = 1 + np.argsort(-areas, kind="stable")[:LUNGS]
        regions = np.isin(regions, kept)
    return binary_fill_holes(regions > 0)
