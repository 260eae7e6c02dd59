"""The operations of UniformAugment by name; `sdlib.augment.UniformAugment` draws from them.

LingChen et al., "UniformAugment: a search-free probabilistic data augmentation approach" (2020,
arXiv 2003.14348). What the paper leaves open is done as in its public code (PyTorch, on Pillow):

- A geometric operation takes the nearest pixel, so it smooths nothing, and fills with black.
- Shears start from the upper left corner; rotations turn about the middle.
- Posterise drops the fraction of its magnitude: 4 to 7 bits.
- Cutout's square is grey, the mean of ImageNet. Its middle may be anywhere: the square is cut off
  at the right and lower border, and moved inside at the left and upper one.
- Sharpness works on 3 x 3 pixels at every input size; below 1 it smooths.
- The mean blur is not among the fifteen. ``blur`` is this book's own, for the arms that train on
  it; its width is scaled to the size of the tile.

What the operations do to pixels is in :mod:`sdlib.augment.pillow`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from sdlib import shifts
from sdlib.augment import pillow
from sdlib.checks import check_number, check_rgb, describe_value
from sdlib.errors import ConfigError
from sdlib.metrics import laplacian_variance

__all__ = ["OPERATIONS", "Operation", "examples", "sharpness_as_blur"]


@dataclass(frozen=True)
class Operation:
    """One operation: what it does to an image, and at which magnitudes.

    Attributes
    ----------
    function : callable
        Takes an image, uint8 (H, W, 3); a magnitude where there is a range; and a place if
        ``placed``.
    source : str
        The function of Pillow, or of this library, that it agrees with.
    low, high : float, optional
        Range of magnitudes; None where there is nothing to set.
    unit : str
        Unit of the magnitudes.
    placed : bool
        Whether it happens at a place.

    Examples
    --------
    >>> image = np.full((4, 4, 3), 100, np.uint8)
    >>> OPERATIONS["brightness"](image, 1.5)[0, 0].tolist()
    [150, 150, 150]
    """

    function: Callable[..., np.ndarray]
    source: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    placed: bool = False

    def __call__(
        self,
        image: np.ndarray,
        magnitude: float = 0.0,
        place: tuple[float, float] = pillow.MIDDLE,
    ) -> np.ndarray:
        """Apply the operation to an image.

        Parameters
        ----------
        image : numpy.ndarray
            uint8 (H, W, 3), RGB.
        magnitude : float
            Within the range; ignored where there is nothing to set.
        place : tuple of float
            Cutout's middle as shares of width and height, 0 to 1; ignored by the others.

        Returns
        -------
        numpy.ndarray
            uint8 (H, W, 3), a new array.

        Raises
        ------
        ConfigError
            An image of another shape or dtype, a magnitude or a place outside its range.
        """
        check_rgb(image)
        settings = []
        if self.low is not None:
            what = f"a magnitude of {self.source} ({self.unit})"
            check_number(what, magnitude, self.low, self.high)
            settings.append(magnitude)
        if self.placed:
            _check_place(place)
            settings.append(place)
        changed = self.function(image, *settings)
        return image.copy() if changed is image else changed

    def magnitude(self, share: float) -> float:
        """The magnitude at a share, 0 to 1, of the range; 0 where there is nothing to set.

        Raises
        ------
        ConfigError
            A share outside [0, 1].

        Examples
        --------
        >>> OPERATIONS["rotate"].magnitude(0.75)
        15.0
        """
        check_number("a share of the range", share, 0, 1)
        if self.low is None:
            return 0.0
        return self.low + share * (self.high - self.low)


def _check_place(place: tuple[float, float]) -> None:
    """Raise an error unless a place is two shares from 0 to 1."""
    try:
        across, down = place
    except (TypeError, ValueError) as error:
        found = describe_value(place)
        wanted = "expected a place of two shares, of width and height"
        raise ConfigError(f"{wanted}, got {found}") from error
    check_number("a place as a share of the width", across, 0, 1)
    check_number("a place as a share of the height", down, 0, 1)


def _shear_x(image: np.ndarray, slope: float) -> np.ndarray:
    """Shift each row by the slope times its distance from the top."""
    return pillow.affine(image, b=slope)


def _shear_y(image: np.ndarray, slope: float) -> np.ndarray:
    """Shift each column by the slope times its distance from the left."""
    return pillow.affine(image, d=slope)


def _translate_x(image: np.ndarray, share: float) -> np.ndarray:
    """Move the image to the left by a share of its width."""
    return pillow.affine(image, c=share * image.shape[1])


def _translate_y(image: np.ndarray, share: float) -> np.ndarray:
    """Move the image up by a share of its height."""
    return pillow.affine(image, f=share * image.shape[0])


def _scaled_blur(image: np.ndarray, n: float) -> np.ndarray:
    """Blur by a width that is given at 224 px and scaled to the image."""
    return shifts.blur(image, shifts.blur_width(n, image.shape[0]))


_shear = partial(Operation, source="Image.transform", low=-0.3, high=0.3, unit="px per px")
_translate = partial(
    Operation, source="Image.transform", low=-0.45, high=0.45, unit="share of the side"
)
_enhance = partial(Operation, low=0.1, high=1.9, unit="factor, 1 changes nothing")

# The order is part of what a seed means: UniformAugment draws positions in this table.
OPERATIONS: dict[str, Operation] = {
    "shear_x": _shear(_shear_x),
    "shear_y": _shear(_shear_y),
    "translate_x": _translate(_translate_x),
    "translate_y": _translate(_translate_y),
    "rotate": Operation(pillow.rotate, "Image.rotate", -30, 30, "degrees, counter-clockwise"),
    "autocontrast": Operation(pillow.autocontrast, "ImageOps.autocontrast"),
    "invert": Operation(pillow.invert, "ImageOps.invert"),
    "equalise": Operation(pillow.equalise, "ImageOps.equalize"),
    "solarise": Operation(
        pillow.solarise, "ImageOps.solarize", 0, 256, "grey level, inverted from it"
    ),
    "posterise": Operation(pillow.posterise, "ImageOps.posterize", 4, 8, "bits, rounded down"),
    "contrast": _enhance(pillow.contrast, "ImageEnhance.Contrast"),
    "colour": _enhance(pillow.colour, "ImageEnhance.Color"),
    "brightness": _enhance(pillow.brightness, "ImageEnhance.Brightness"),
    "sharpness": _enhance(pillow.sharpness, "ImageEnhance.Sharpness"),
    "cutout": Operation(
        pillow.cutout, "ImageDraw.rectangle", 0, 0.2, "share of the side", placed=True
    ),
    "blur": Operation(_scaled_blur, "sdlib.shifts.blur", 1, 20, "px at 224 px"),
}
"""The fifteen operations of UniformAugment, and the blur that is not among them."""


def examples(image: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Apply every operation at its lowest, middle and highest magnitude, for a gallery.

    An operation with nothing to set has one image. Cutout's square is in the middle of the tile.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 (H, W, 3), RGB.

    Returns
    -------
    dict of str to list of numpy.ndarray
        One or three images, uint8 (H, W, 3), by the name of the operation.

    Examples
    --------
    >>> shown = examples(np.zeros((8, 8, 3), np.uint8))
    >>> len(shown), len(shown["rotate"]), len(shown["invert"])
    (16, 3, 1)
    """
    shown = {}
    for name, operation in OPERATIONS.items():
        shares = (0.0,) if operation.low is None else (0.0, 0.5, 1.0)
        shown[name] = [operation(image, operation.magnitude(share)) for share in shares]
    return shown


def sharpness_as_blur(image: np.ndarray, factor: float = 0.1) -> float:
    """Find the centred n x n mean that smooths an image as much as a Sharpness below 1 does.

    Both leave the same variance of the Laplacian. At every frequency Sharpness lets through more
    than the mean over 2 pixels, so n is below 2, whatever the image.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 (H, W, 3), RGB.
    factor : float
        The factor of Sharpness, 0 to 1; the strongest smoothing in UniformAugment is .1.

    Returns
    -------
    float
        n in pixels of this image, 1 to 2.

    Raises
    ------
    ConfigError
        A factor outside [0, 1], or an image of another shape or dtype.

    Examples
    --------
    >>> noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> round(sharpness_as_blur(noise), 1)
    1.3
    """
    check_rgb(image)
    check_number("a factor", factor, 0, 1)
    wanted = laplacian_variance(pillow.sharpness(image, factor))
    # A wider mean leaves less variance, so twelve halvings find n to 1/4096 of a pixel.
    low, high = 1.0, 2.0
    for _ in range(12):
        middle = (low + high) / 2
        if laplacian_variance(shifts.blur(image, middle)) > wanted:
            low = middle
        else:
            high = middle
    return high
