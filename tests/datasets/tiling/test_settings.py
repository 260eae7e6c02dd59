"""How slides are cut, in words: the words of a manifest are the rule that was used."""

import re
from fractions import Fraction

import pytest

from sdlib.datasets.tiling import Tiling
from sdlib.slides import LabelRule, tile_step

STEP = re.compile(r"(\d+) px: (\d+) - (\d+) \((\d+) x ([0-9.]+), cut off to whole pixels\)")


@pytest.mark.parametrize("size", [1, 128, 224, 299, 512, 1024])
@pytest.mark.parametrize("overlap", ["0", "0.2", "0.25", "0.29", "0.123456789"])
def test_the_words_for_the_step_give_the_step(size, overlap):
    rule = STEP.fullmatch(Tiling(size, float(overlap)).step_rule)
    step, whole, repeated, factor, share = (Fraction(text) for text in rule.groups())
    assert step == tile_step(size, float(overlap))
    assert (step, whole, factor) == (whole - repeated, size, size)
    assert share == Fraction(overlap)
    assert repeated == factor * share // 1


def test_the_words_for_labels_have_the_threshold_in_full():
    rule = LabelRule((1,), (0,), threshold=0.123456789)
    assert "at least 0.123456789 of" in Tiling(rule=rule).label_rule
