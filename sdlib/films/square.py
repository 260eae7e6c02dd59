"""The square of a film that a network sees, the same for every collection of films."""

from __future__ import annotations

import cv2
import numpy as np

from sdlib.checks import check_number, check_rgb
from sdlib.errors import ConfigError

__all__ = ["square_film"]


def square_film(image: np.ndarray, size: int) -> np.ndarray:
    """Resize a film's short side, cut out the central square, and repeat the grey in RGB.

    The order is that of DeGrave et al. (2021). The long side becomes ``size * long / short`` px,
    rounded down. Where the square cannot lie in the exact centre, it lies half a pixel nearer to
    the upper or left edge.

    Parameters
    ----------
    image : numpy.ndarray
        uint8, shape ``(H, W)``, grey.
    size : int
        Side of the square in pixels, at least 1.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(size, size, 3)``, RGB, resized by OpenCV's ``INTER_AREA``. It is an array
        of its own.

    Raises
    ------
    ConfigError
        If the image is not grey uint8, or the size not a whole number of at least 1.

    Examples
    --------
    >>> film = np.repeat(np.arange(6, dtype=np.uint8)[None], 4, axis=0)
    >>> square_film(film, 4)[0, :, 0].tolist()
    [1, 2, 3, 4]
    """
    check_number("size", size, 1, whole=True)
    check_rgb(image, grey=True)
    if image.ndim != 2:
        raise ConfigError(
            f"expected a grey uint8 film (H, W), got {image.dtype} {image.shape}: take one channel "
            f"of it, or convert it to grey"
        )
    height, width = image.shape
    short = min(height, width)
    if short != size:
        # cv2 takes the width first.
        sides = (size * width // short, size * height // short)
        image = cv2.resize(np.ascontiguousarray(image), sides, interpolation=cv2.INTER_AREA)
        height, width = image.shape
    top, left = (height - size) // 2, (width - size) // 2
    square = image[top : top + size, left : left + size]
    return np.repeat(square[:, :, None], 3, axis=2)
