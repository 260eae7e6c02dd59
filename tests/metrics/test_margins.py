"""Margins against their definition, one example at a time, and readings against the closed form."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional as F

from sdlib.errors import ConfigError
from sdlib.metrics import margins, read_margins
from sdlib.theory.heads import margin_cap

FINITE = st.floats(-1e3, 1e3)


@st.composite
def predictions(draw):
    """Logits (n, C) with C of 2 or more, and a class for each."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(2, 5)))
    logits = draw(hnp.arrays(np.float64, shape, elements=FINITE))
    targets = draw(hnp.arrays(np.int64, shape[0], elements=st.integers(0, shape[1] - 1)))
    return logits, targets


@given(predictions())
def test_a_softmax_margin_is_the_true_logit_before_the_best_other(case):
    logits, targets = case
    by_hand = [
        row[y] - max(f for k, f in enumerate(row) if k != y)
        for row, y in zip(logits.tolist(), targets, strict=True)
    ]
    assert margins(logits, targets).tolist() == by_hand


@given(predictions())
def test_a_margin_is_above_zero_where_the_prediction_is_right(case):
    logits, targets = case
    found = margins(logits, targets)
    right = logits.argmax(1) == targets
    assert (right[found > 0]).all()
    assert not right[found < 0].any()


@given(hnp.arrays(np.float64, 5, elements=FINITE))
def test_one_logit_is_two_logits_of_which_one_is_zero(f):
    targets = np.array([0, 1, 1, 0, 1])
    pairs = np.stack([np.zeros(5), f], axis=1)
    found = margins(f, targets)
    assert found.tolist() == margins(pairs, targets).tolist()
    assert found.tolist() == margins(f[:, None], targets[:, None]).tolist()


def test_cross_entropy_follows_from_the_margin():
    f, y = torch.randn(20, dtype=torch.float64), torch.arange(20) % 2
    expected = F.binary_cross_entropy_with_logits(f, y.double())
    assert np.logaddexp(0, -margins(f, y)).mean() == pytest.approx(float(expected))


def test_a_reading_compares_with_the_cap():
    cap = margin_cap(0.01)
    found = read_margins([cap - 1, cap + 1, cap + 2, -1.0], lam=0.01)
    assert (found.n, found.beyond, found.wrong) == (4, 0.5, 0.25)
    assert found.highest == cap + 2
    assert found.probability == pytest.approx(1 / (1 + math.exp(-cap)))
    assert str(found) == "50% of 4 margins are beyond the cap of 3.36 (probability 0.966)"


def test_a_reading_says_where_the_penalty_has_not_acted():
    assert "hardly acts" in str(read_margins(np.linspace(0, 2, 50), lam=0.01))
    assert "no cap" in str(read_margins([1.0, 5.0], lam=0.0))


def test_heads_have_caps_of_their_own():
    assert read_margins([1.0], 0.04, classes=2).cap == pytest.approx(margin_cap(0.01))
    assert read_margins([1.0], 0.0, smoothing=0.1).cap == pytest.approx(math.log(19))


@pytest.mark.parametrize(
    ("logits", "targets", "words"),
    [
        ([], [], "shape"),
        ([[[1.0]]], [1], "shape"),
        ([1.0, math.nan], [0, 1], "finite"),
        ([1.0, 2.0], [0, 2], "from 0 to 1, got 2"),
        ([1.0, 2.0], [0, 0.5], "from 0 to 1, got 0.5"),
        ([[1.0, 2.0]], [2], "from 0 to 1, got 2"),
        ([1.0, 2.0], [1], "each of 2 examples"),
    ],
)
def test_what_has_no_margin_is_refused(logits, targets, words):
    with pytest.raises(ConfigError, match=words):
        margins(logits, targets)


@pytest.mark.parametrize("found", [[], [[1.0]]])
def test_no_margins_cannot_be_read(found):
    with pytest.raises(ConfigError, match="at least one"):
        read_margins(found, 0.01)
