"""The checks of what is given to functions of images, in one place for the whole library.

Shifts, stains, cutouts, augmentations and metrics refuse a wrong image, and a strength outside its
range, by the same rules and in the same words: what was expected, what came, what to do. An
unknown name is refused by one rule, too.
"""

from __future__ import annotations

import math
import reprlib
import sys
from collections.abc import Iterable

import numpy as np

from sdlib.errors import ConfigError

__all__ = [
    "check_number",
    "check_probability",
    "check_rgb",
    "check_square_batch",
    "describe_value",
    "is_number",
    "known",
    "whole_numbers",
]


def known(kind: str, name: str, names: Iterable[str]) -> str:
    """The name itself; a ConfigError that lists the known names if it is not among them.

    >>> known("part", "test", ("train", "test"))
    'test'
    """
    names = list(names)
    if name not in names:
        raise ConfigError(f"unknown {kind} {name!r}; expected one of: {', '.join(names)}")
    return name


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


def check_square_batch(images: np.ndarray) -> None:
    """Raise an error unless an array is a batch of square RGB images, uint8 (N, S, S, 3).

    Parameters
    ----------
    images : numpy.ndarray
        The array to check; N may be 0.

    Raises
    ------
    ConfigError
        Anything else; the message names the type, or the dtype and the shape.

    Examples
    --------
    >>> check_square_batch(np.zeros((5, 8, 8, 3), np.uint8))
    """
    check_rgb(images, batches=True)
    height, width = images.shape[-3:-1]
    problem = ""
    if images.ndim == 3:
        problem = "make a batch of the image with image[None]"
    elif height != width:
        problem = "crop the images to squares"
    if problem:
        raise ConfigError(
            "expected a batch of square uint8 images, RGB (N, S, S, 3), "
            f"got {images.dtype} {images.shape}: {problem}"
        )


def is_number(value: object, whole: bool = False) -> bool:
    """Whether a value is one number of Python's or NumPy's, NaN and infinities included.

    Parameters
    ----------
    value : object
        Truth values, texts, arrays and spans of time are no numbers.
    whole : bool
        Whether it has to be of a type for whole numbers.

    Examples
    --------
    >>> is_number(2.5), is_number(np.float32(1)), is_number("1"), is_number(2.5, whole=True)
    (True, True, False, False)
    """
    types = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    # A bool is an int to Python, and a span of time an integer to NumPy.
    return isinstance(value, types) and not isinstance(value, (bool, np.timedelta64))


def check_number(
    what: str, value: float, low: float, high: float = math.inf, whole: bool = False
) -> None:
    """Raise an error unless a value is one finite number within a range.

    Parameters
    ----------
    what : str
        What the number is, for the message.
    value : float
        The value to check.
    low, high : float
        The range, both ends included; ``high`` may be left out, and is the largest float then.
    whole : bool
        Whether it has to be a whole number.

    Raises
    ------
    ConfigError
        Anything else; the message names the range and the value.

    Examples
    --------
    >>> check_number("alpha", 0.3, 0, 1)
    >>> try:
    ...     check_number("alpha", float("nan"), 0, 1)
    ... except ConfigError as error:
    ...     print(error)
    expected alpha from 0 to 1, got nan
    """
    if is_number(value, whole) and low <= value <= high and _is_finite(value):
        return
    span = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
    if is_number(value, whole) and low <= value <= high:
        span += f" and at most {sys.float_info.max:.1e}"
    kind = ", a whole number" if whole else ""
    raise ConfigError(f"expected {what} {span}{kind}, got {describe_value(value)}")


def check_probability(what: str, value: float) -> None:
    """Raise an error unless a level or a power is above 0 and below 1.

    Parameters
    ----------
    what : str
        What the number is, for the message.
    value : float
        The value to check.

    Raises
    ------
    ConfigError
        Anything else; 95 where .95 was meant, for instance.

    Examples
    --------
    >>> check_probability("a level", 0.95)
    >>> try:
    ...     check_probability("a level", 95)
    ... except ConfigError as error:
    ...     print(error)
    expected a level above 0 and below 1, got 95
    """
    if not (is_number(value) and 0 < value < 1):
        raise ConfigError(f"expected {what} above 0 and below 1, got {describe_value(value)}")


def _is_finite(value: float) -> bool:
    """Whether a number is finite as a float; a whole number may be too large for one."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def describe_value(value: object) -> str:
    """Write a value in a few characters, for a message; of an array or the like only its type.

    Parameters
    ----------
    value : object
        What came.

    Examples
    --------
    >>> describe_value(np.float64(0.5)), describe_value("0.5"), describe_value([0.5])
    ('0.5', "'0.5'", 'list')
    """
    if is_number(value) or isinstance(value, (bool, np.bool_)):
        return reprlib.repr(value.item() if isinstance(value, np.generic) else value)
    if isinstance(value, str):
        return reprlib.repr(value)
    return type(value).__name__


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


def whole_numbers(text: str) -> tuple[int, ...]:
    """Whole numbers that are separated by commas; a ConfigError if there is something else.

    >>> whole_numbers("3, 4,5"), whole_numbers("")
    ((3, 4, 5), ())
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"expected whole numbers such as 3,4,5, got {text!r}")
    return tuple(map(int, parts))
