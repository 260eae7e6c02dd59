"""Spectral decoupling against hand-written formulas, autograd and bad input."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.nn import functional as F

from sdlib.errors import ConfigError, SdlibError
from sdlib.losses import (
    SpectralDecouplingLoss,
    convert_lambda,
    spectral_decoupling,
    targeted_spectral_decoupling,
)

PAPER_EQ2 = {
    "prostate": ((0.0969, 0.000698), (1.83, 2.61)),
    "covid": ((0.01, 0.001), (0.0, 1.0)),
}
UNEQUAL = torch.tensor([0, 0, 0, 1, 0, 0, 1, 0, 0, 0])
finite = st.floats(-50, 50)
strength = st.floats(0, 10)


@settings(deadline=None)
@given(st.lists(finite, min_size=1, max_size=20), strength)
def test_equation_1_is_its_formula_and_its_gradient_lam_logit_over_n(values, lam):
    logits = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    penalty = spectral_decoupling(logits, lam)
    penalty.backward()
    assert penalty.item() == pytest.approx(lam / 2 * sum(v * v for v in values) / len(values))
    torch.testing.assert_close(logits.grad, lam * logits.detach() / len(values))


@settings(deadline=None)
@given(
    st.lists(st.tuples(finite, st.integers(0, 1)), min_size=1, max_size=20),
    st.tuples(strength, strength),
    st.tuples(finite, finite),
)
def test_equation_2_counts_every_example_once(examples, lam, gamma):
    logits = torch.tensor([f for f, _ in examples], dtype=torch.float64)
    targets = torch.tensor([y for _, y in examples])
    each = [lam[y] / 2 * (f - gamma[y]) ** 2 for f, y in examples]

    def penalty(reduction):
        return targeted_spectral_decoupling(logits, targets, lam, gamma, reduction)

    assert penalty("mean").item() == pytest.approx(sum(each) / len(each))
    assert penalty("sum").item() == pytest.approx(sum(each))
    assert penalty("none").tolist() == pytest.approx(each)
    classes = [[e for e, (_, y) in zip(each, examples, strict=True) if y == c] for c in (0, 1)]
    means = sum(sum(c) / len(c) for c in classes if c)
    assert penalty("class_mean").item() == pytest.approx(means)


@settings(deadline=None)
@given(st.lists(finite, min_size=2, max_size=20), strength)
def test_equation_2_with_equal_lambdas_and_no_targets_is_equation_1(values, lam):
    logits = torch.tensor(values, dtype=torch.float64)
    targets = torch.arange(len(values)) % 2
    for reduction in ("mean", "sum", "none"):
        torch.testing.assert_close(
            targeted_spectral_decoupling(logits, targets, (lam, lam), (0, 0), reduction),
            spectral_decoupling(logits, lam, reduction),
        )


def test_class_mean_on_a_balanced_batch_is_mean_with_lambda_doubled():
    logits, targets = torch.randn(8, dtype=torch.float64), torch.arange(8) % 2
    lam, gamma = PAPER_EQ2["prostate"]
    torch.testing.assert_close(
        targeted_spectral_decoupling(logits, targets, lam, gamma, "class_mean"),
        targeted_spectral_decoupling(logits, targets, [2 * v for v in lam], gamma),
    )


@pytest.mark.parametrize("reduction", ["mean", "class_mean", "sum"])
@pytest.mark.parametrize("present", [0, 1])
def test_an_absent_class_contributes_nothing_to_value_or_gradient(reduction, present):
    logits = torch.tensor([0.5, -2.0], dtype=torch.float64, requires_grad=True)
    targets = torch.full((2,), present)

    def penalty(absent_lam):
        lam = [absent_lam, absent_lam]
        lam[present] = 0.3
        return targeted_spectral_decoupling(logits, targets, lam, (1.0, 2.0), reduction)

    value = penalty(0.0)
    assert penalty(7.0) == value
    assert value.isfinite()
    assert torch.autograd.grad(penalty(7.0), logits)[0].isfinite().all()


@pytest.mark.parametrize("reduction", ["mean", "class_mean", "sum", "none"])
def test_gradients_agree_with_finite_differences(reduction):
    logits = torch.randn(10, dtype=torch.float64, requires_grad=True)
    lam, gamma = PAPER_EQ2["prostate"]
    assert torch.autograd.gradcheck(
        lambda f: targeted_spectral_decoupling(f, UNEQUAL, lam, gamma, reduction), logits
    )
    if reduction != "class_mean":
        two = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda f: spectral_decoupling(f, 0.2, reduction), two)


def test_gradients_of_the_criterion_agree_with_finite_differences():
    one = torch.randn(10, 1, dtype=torch.float64, requires_grad=True)
    for lam, gamma in ((0.2, None), *PAPER_EQ2.values()):
        criterion = SpectralDecouplingLoss(lam, gamma)
        assert torch.autograd.gradcheck(lambda f, loss=criterion: loss(f, UNEQUAL), one)
    two = torch.randn(10, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: SpectralDecouplingLoss(0.2)(f, UNEQUAL), two)


def test_one_logit_criterion_is_softmax_on_zero_and_the_logit():
    logits = torch.randn(10, dtype=torch.float64)
    padded = torch.stack([torch.zeros_like(logits), logits], dim=1)
    one, two = SpectralDecouplingLoss(0.0)(logits, UNEQUAL), F.cross_entropy(padded, UNEQUAL)
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("lam_gamma", [(0.1, None), PAPER_EQ2["prostate"]])
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32])
def test_logit_and_target_shapes_and_target_dtypes_do_not_matter(lam_gamma, dtype):
    criterion, logits = SpectralDecouplingLoss(*lam_gamma), torch.randn(10)
    targets = UNEQUAL.to(dtype)
    expected = criterion(logits, UNEQUAL)
    assert criterion(logits[:, None], targets) == expected
    assert criterion(logits[:, None], targets[:, None]) == expected
    assert criterion(logits, targets[:, None]) == expected


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_penalised_in_float32(dtype):
    logits = torch.tensor([300.0, -301.0], dtype=dtype)  # 300 squared overflows float16
    targets = torch.tensor([1, 0])
    for penalty in (
        spectral_decoupling(logits, 0.5),
        targeted_spectral_decoupling(logits, targets, (0.5, 0.5), (0, 0)),
    ):
        assert penalty.dtype == torch.float32
        assert penalty.item() == pytest.approx(0.25 * logits.float().square().mean().item())


def test_under_autocast_the_criterion_is_float32_and_trains():
    head, x = torch.nn.Linear(6, 1), torch.randn(10, 6)
    criterion = SpectralDecouplingLoss(*PAPER_EQ2["covid"])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = head(x)
        assert logits.dtype == torch.bfloat16
        loss = criterion(logits, UNEQUAL)
        multi = SpectralDecouplingLoss(0.1)(torch.cat([logits, logits], 1), UNEQUAL)
    assert loss.dtype == multi.dtype == torch.float32
    assert loss.item() == pytest.approx(criterion(logits.float(), UNEQUAL).item(), rel=1e-6)
    loss.backward()
    assert head.weight.grad.isfinite().all()
    assert head.weight.grad.abs().sum() > 0


def test_float64_stays_float64():
    logits = torch.randn(10, dtype=torch.float64)
    for criterion in (SpectralDecouplingLoss(0.1), SpectralDecouplingLoss((0.1, 0.2), (0, 1))):
        assert criterion(logits, UNEQUAL).dtype == torch.float64


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_criterion_on_a_gpu_agrees_and_never_waits_for_the_device():
    logits, lam_gamma = torch.randn(10), PAPER_EQ2["prostate"]
    for criterion in (SpectralDecouplingLoss(0.1), SpectralDecouplingLoss(*lam_gamma)):
        on_cpu, (f, y) = criterion(logits, UNEQUAL), (logits.cuda(), UNEQUAL.cuda())
        torch.cuda.set_sync_debug_mode("error")
        try:
            on_gpu = criterion(f, y)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert on_gpu.item() == pytest.approx(on_cpu.item(), rel=1e-5)


@pytest.mark.parametrize("lam", [-0.1, math.nan, math.inf, "0.1", None, (0.1, 0.1)])
def test_a_bad_lambda_is_refused(lam):
    with pytest.raises(ConfigError, match="lam"):
        spectral_decoupling(torch.zeros(2), lam)
    with pytest.raises(ConfigError, match="lam"):
        SpectralDecouplingLoss(lam)
    with pytest.raises(ConfigError, match="finite number of at least 0"):
        convert_lambda(lam, "coefficient")


@pytest.mark.parametrize(
    ("lam", "gamma", "message"),
    [
        ((0.1, -0.2), (0, 0), "positive class's lam"),
        ((math.nan, 0.2), (0, 0), "negative class's lam"),
        ((0.1, 0.2), (0, math.inf), "positive class's gamma"),
        ((0.1, 0.2), (math.nan, 0), "negative class's gamma"),
        ((0.1, 0.2), (0, "1"), "gamma"),
        (0.1, (0, 0), "lam as a pair"),
        ((0.1, 0.2, 0.3), (0, 0), "lam as a pair"),
        ((0.1, 0.2), (0,), "gamma as a pair"),
    ],
)
def test_bad_pairs_are_refused(lam, gamma, message):
    with pytest.raises(ConfigError, match=message):
        targeted_spectral_decoupling(torch.zeros(2), torch.zeros(2), lam, gamma)
    with pytest.raises(ConfigError, match=message):
        SpectralDecouplingLoss(lam, gamma)


@pytest.mark.parametrize("shape", [(), (0,), (0, 2), (2, 0), (2, 2, 2)])
def test_wrong_logit_shapes_are_refused(shape):
    with pytest.raises(ConfigError, match="expected non-empty logits"):
        spectral_decoupling(torch.zeros(shape), 0.1)
    with pytest.raises(ConfigError, match="expected non-empty logits"):
        SpectralDecouplingLoss(0.1)(torch.zeros(shape), torch.zeros(2))


def test_equation_2_refuses_two_logits_and_both_refuse_integer_logits():
    with pytest.raises(ConfigError, match=r"for Equation 2; got \(3, 2\)"):
        SpectralDecouplingLoss((0.1, 0.1), (0, 0))(torch.zeros(3, 2), torch.zeros(3))
    with pytest.raises(ConfigError, match=r"floating-point logits, got torch\.int64"):
        spectral_decoupling(torch.zeros(3, dtype=torch.int64), 0.1)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([0, 1], "one target for each of 3 logits"),
        ([[0, 1, 1]], "one target for each of 3 logits"),
        ([0, 1, 2], "got 2"),
        ([-1, 1, 1], "got -1"),
        ([0.0, 0.5, 1.0], r"got 0\.5"),
        ([0.0, math.nan, 1.0], "got nan"),
    ],
)
@pytest.mark.parametrize("lam_gamma", [(0.1, None), ((0.1, 0.1), (0, 0))])
def test_bad_binary_targets_are_refused(targets, message, lam_gamma):
    with pytest.raises(ConfigError, match=message):
        SpectralDecouplingLoss(*lam_gamma)(torch.zeros(3), torch.tensor(targets))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([0, 1], "int64 targets of shape"),
        ([0.0, 1.0, 1.0], "int64 targets of shape"),
        ([0, 1, 2], "targets from 0 to 1"),
        ([-1, 1, 1], "targets from 0 to 1"),
    ],
)
def test_bad_class_targets_are_refused(targets, message):
    with pytest.raises(ConfigError, match=message):
        SpectralDecouplingLoss(0.1)(torch.zeros(3, 2), torch.tensor(targets))


def test_unknown_reductions_and_conventions_are_refused():
    with pytest.raises(ConfigError, match="'class_mean'"):
        spectral_decoupling(torch.zeros(2), 0.1, "class_mean")
    with pytest.raises(ConfigError, match="'mean_of_means'"):
        targeted_spectral_decoupling(
            torch.zeros(2), torch.zeros(2), (0.1, 0.1), (0, 0), "mean_of_means"
        )
    for lam, gamma, reduction in ((0.1, None, "class_mean"), ((0.1, 0.1), (0, 0), "sum")):
        with pytest.raises(ConfigError, match="expected reduction in"):
            SpectralDecouplingLoss(lam, gamma, reduction)
    with pytest.raises(ConfigError, match="expected a convention in"):
        convert_lambda(0.1, "algorithm_2")
    assert issubclass(ConfigError, SdlibError)
    assert issubclass(ConfigError, ValueError)


def test_the_module_prints_its_settings():
    assert "lam=(0.1, 0.2), gamma=(0.0, 1.0)" in repr(
        SpectralDecouplingLoss([0.1, 0.2], [0.0, 1.0])
    )


@pytest.mark.parametrize("equation", ["1", "2", "classes"])
def test_lists_are_no_tensors(equation):
    criterion = SpectralDecouplingLoss(0.1)
    logits, targets = torch.zeros(2), torch.tensor([0, 1])
    if equation == "2":
        criterion = SpectralDecouplingLoss((0.1, 0.1), (0.0, 1.0))
    if equation == "classes":
        logits = torch.zeros(2, 3)
    with pytest.raises(ConfigError, match=r"logits as a tensor, got list: pass torch.tensor"):
        criterion([0.0, 0.0], targets)
    with pytest.raises(ConfigError, match=r"targets as a tensor, got list: pass torch.tensor"):
        criterion(logits, [0, 1])


def test_of_many_wrong_classes_the_first_is_named():
    targets = torch.tensor([0, 5, *[7] * 1000])
    with pytest.raises(ConfigError, match=r"expected targets from 0 to 2, got 5$"):
        SpectralDecouplingLoss(0.1)(torch.zeros(1002, 3), targets)
