"""Caps of every head, against a minimiser on the loss itself as PyTorch and timm compute it."""

import math

import pytest
import torch
from hypothesis import given, strategies as st
from timm.loss import BinaryCrossEntropy, LabelSmoothingCrossEntropy
from torch.nn import functional as F

from sdlib.errors import ConfigError
from sdlib.losses import resting_logits, spectral_decoupling
from sdlib.theory.heads import (
    HEADS,
    cap_table,
    equal_lambdas,
    lambda_of_cap,
    margin_cap,
    probability_at,
)
from tests.theory.test_optima import minimise

TARGETS = torch.tensor([1, 0, 0, 1, 0])  # class shares do not matter
STRENGTHS = (1.0, 0.1, 0.01, 1e-3)
lambdas = st.floats(1e-12, 1e3)
heads = st.integers(1, 1000)


def softmax_margins(logits, targets):
    """The true class before the largest other one."""
    chosen = F.one_hot(targets, logits.shape[1]).bool()
    return logits[chosen] - logits.masked_fill(chosen, -math.inf).amax(1)


@pytest.mark.parametrize("lam", STRENGTHS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_softmax_heads_rest_at_the_cap(lam, classes, smoothing):
    targets = torch.arange(5) % classes

    def loss(logits):
        cross_entropy = F.cross_entropy(logits, targets, label_smoothing=smoothing)
        return cross_entropy + spectral_decoupling(logits, lam)

    logits = minimise(loss, torch.zeros(5, classes, dtype=torch.float64))
    cap = margin_cap(lam, classes, smoothing)
    torch.testing.assert_close(
        softmax_margins(logits, targets), torch.full((5,), cap).double(), atol=1e-4, rtol=1e-5
    )
    probability = logits.softmax(1)[torch.arange(5), targets]
    assert probability.tolist() == pytest.approx([probability_at(cap, classes)] * 5, abs=1e-6)


@pytest.mark.parametrize("lam", STRENGTHS)
def test_one_logit_rests_at_the_cap_which_is_the_resting_logit(lam):
    def loss(logits):
        cross_entropy = F.binary_cross_entropy_with_logits(logits, TARGETS.double())
        return cross_entropy + spectral_decoupling(logits, lam)

    logits = minimise(loss, torch.zeros(5, dtype=torch.float64))
    margins = torch.where(TARGETS == 1, logits, -logits)
    assert margins.tolist() == pytest.approx([margin_cap(lam)] * 5, abs=1e-5)
    assert margin_cap(lam) == pytest.approx(resting_logits(lam)[1], abs=1e-9)


@pytest.mark.parametrize("summed", [False, True])
def test_a_multi_label_head_has_the_cap_of_one_logit_if_labels_are_averaged(summed):
    labels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
    criterion = BinaryCrossEntropy(smoothing=0.0, sum_classes=summed)

    def loss(logits):
        return criterion(logits, labels) + spectral_decoupling(logits, 0.03)

    logits = minimise(loss, torch.zeros(2, 3, dtype=torch.float64))
    margins = torch.where(labels == 1, logits, -logits).flatten()
    # Summed over labels, cross-entropy outweighs the penalty's mean by their number.
    cap = margin_cap(0.03 / 3 if summed else 0.03)
    assert margins.tolist() == pytest.approx([cap] * 6, abs=1e-4)


@pytest.mark.parametrize("weight", [4.0, 0.5])
def test_a_class_with_a_weight_has_the_cap_of_the_lambda_divided_by_it(weight):
    def loss(logits):
        cross_entropy = F.binary_cross_entropy_with_logits(
            logits, TARGETS.double(), pos_weight=torch.tensor(weight)
        )
        return cross_entropy + spectral_decoupling(logits, 0.01)

    logits = minimise(loss, torch.zeros(5, dtype=torch.float64))
    assert logits[0].item() == pytest.approx(margin_cap(0.01 / weight), abs=1e-4)
    assert logits[1].item() == pytest.approx(-margin_cap(0.01), abs=1e-4)


@pytest.mark.parametrize("classes", [2, 5])
def test_smoothing_alone_has_a_cap_and_timm_means_the_same_by_it(classes):
    targets = torch.arange(4) % classes
    criterion = LabelSmoothingCrossEntropy(0.2)
    start = torch.zeros(4, classes, dtype=torch.float64)
    logits = minimise(lambda f: criterion(f, targets), start)
    cap = margin_cap(0.0, classes, smoothing=0.2)
    assert softmax_margins(logits, targets).tolist() == pytest.approx([cap] * 4, abs=1e-4)


def test_smoothing_of_a_single_logit_halves_it_as_in_timm():
    criterion = BinaryCrossEntropy(smoothing=0.1, smooth_dense=True)
    labels = TARGETS.double()[:, None]
    logits = minimise(lambda f: criterion(f, labels), torch.zeros(5, 1, dtype=torch.float64))
    assert logits[0].item() == pytest.approx(margin_cap(0.0, smoothing=0.1), abs=1e-4)
    assert margin_cap(0.0, smoothing=0.1) == pytest.approx(math.log(19))


@given(lam=lambdas, classes=heads)
def test_the_lambda_of_a_cap_is_the_inverse(lam, classes):
    assert lambda_of_cap(margin_cap(lam, classes), classes) == pytest.approx(lam, rel=1e-6)


@given(lam=lambdas, classes=heads, smoothing=st.floats(0, 0.9))
def test_a_stronger_penalty_and_more_smoothing_lower_the_cap(lam, classes, smoothing):
    cap = margin_cap(lam, classes, smoothing)
    assert 0 < margin_cap(2 * lam, classes, smoothing) < cap
    assert margin_cap(lam, classes, 0.5 + smoothing / 2) < cap + 1e-9


@given(lam=lambdas)
def test_two_logits_need_four_times_the_lambda(lam):
    assert margin_cap(4 * lam, classes=2) == pytest.approx(margin_cap(lam), rel=1e-9)


def test_without_a_penalty_there_is_no_cap():
    assert margin_cap(0.0, 3) == math.inf


def test_tables_have_the_caps_and_the_lambdas_of_equal_caps():
    caps, equal = cap_table(STRENGTHS), equal_lambdas(STRENGTHS)
    assert list(caps) == list(equal) == list(HEADS)
    assert list(caps.index) == list(equal.index) == list(STRENGTHS)
    for name, classes in HEADS.items():
        assert caps.loc[0.01, name] == margin_cap(0.01, classes)
        assert margin_cap(equal.loc[0.01, name], classes) == pytest.approx(margin_cap(0.01))
    assert equal["one logit"].tolist() == pytest.approx(list(STRENGTHS))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: margin_cap(-1), "lam"),
        (lambda: margin_cap(float("nan")), "lam"),
        (lambda: margin_cap(0.1, 0), "classes"),
        (lambda: margin_cap(0.1, 2.5), "classes"),
        (lambda: margin_cap(0.1, smoothing=1), "smoothing below 1"),
        (lambda: margin_cap(0.1, smoothing=-0.1), "smoothing"),
        (lambda: lambda_of_cap(0), "margin above 0"),
        (lambda: lambda_of_cap(math.inf), "margin"),
        (lambda: probability_at(1.0, 0), "classes"),
    ],
)
def test_numbers_out_of_range_are_refused(call, words):
    with pytest.raises(ConfigError, match=words):
        call()
