"""The check that an array is an RGB image of bytes, in one place for the whole library.

Shifts, stains, augmentations and metrics refuse a wrong image by the same rule and in the same
words: what was expected, what came, what to do.
"""

from __future__ import annotations

import numpy as np

from sdlib.errors import ConfigError

__all__ = ["check_rgb"]


def check_rgb(images: np.ndarray, batches: bool = False, grey: bool = False) -> None:
    """Raise an error unless an array is a uint8 RGB image, or a batch of them where allowed.

    Parameters
    ----------
    images : numpy.ndarray
        The array to check: uint8 (H, W, 3), colours in the order R, G, B, H and W of at least 1.
    batches : bool
        Whether a batch, uint8 (N, H, W, 3), is right as well; N may be 0.
    grey : bool
        Whether a grey image, uint8 (H, W), is right as well.

    Raises
    ------
    ConfigError
        Anything else; the message names the type, or the dtype and the shape.

    Examples
    --------
    >>> check_rgb(np.zeros((5, 8, 8, 3), np.uint8), batches=True)
    >>> try:
    ...     check_rgb(np.zeros((3, 8, 8), np.uint8))
    ... except ConfigError as error:
    ...     print(str(error).partition(": ")[2])
    move the colours to the last axis, for instance with np.moveaxis(image, 0, -1)
    """
    if not isinstance(images, np.ndarray):
        advice = "pass a NumPy array, for instance np.asarray(image)"
        raise ConfigError(f"{_expected(batches, grey)}, got {type(images).__name__}: {advice}")
    problem = _problem(images, batches, grey)
    if problem:
        found = f"{images.dtype} {images.shape}"
        raise ConfigError(f"{_expected(batches, grey)}, got {found}: {problem}")


def _expected(batches: bool, grey: bool) -> str:
    """The first part of the message: what is right here."""
    if batches:
        wanted = "expected uint8 images, RGB (H, W, 3) or a batch (N, H, W, 3)"
    else:
        wanted = "expected a uint8 image, RGB (H, W, 3)"
    if grey:
        wanted += " or grey (H, W)"
    return wanted


def _problem(images: np.ndarray, batches: bool, grey: bool) -> str:
    """What to do about the first thing that is wrong; empty where nothing is."""
    n_axes = images.ndim
    if images.dtype != np.uint8:
        return "scale the values to 0 to 255 and convert them with .astype(np.uint8)"
    if n_axes == 2 and not grey:
        return "repeat the grey image in three channels with np.stack([image] * 3, axis=-1)"
    if n_axes == 4 and not batches:
        return "pass the images of the batch one at a time"
    if n_axes not in (2, 3, 4):
        return "remove or add axes until the shape fits"
    if n_axes > 2 and images.shape[-1] != 3:
        return _wrong_channels(images)
    # An empty batch is harmless, for nothing is computed; an empty image has no mean and no edge.
    sides = images.shape[-3:-1] if n_axes > 2 else images.shape
    if 0 in sides:
        return "pass an image with at least one pixel"
    return ""


def _wrong_channels(images: np.ndarray) -> str:
    """What to do about a last axis that does not hold three colours."""
    # The two usual mistakes get advice of their own: PyTorch's order of axes, and transparency.
    if images.shape[-3] == 3:
        first = images.ndim - 3
        return (
            f"move the colours to the last axis, for instance with np.moveaxis(image, {first}, -1)"
        )
    if images.shape[-1] == 4:
        return "drop the transparency with image[..., :3]"
    return "the last axis must hold R, G and B"
