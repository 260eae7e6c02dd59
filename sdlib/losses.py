"""Spectral decoupling: an L2 penalty on the logits, added to cross-entropy.

Equation 1 of Pohjonen et al. (arXiv 2103.17171) pulls every logit towards 0; Equation 2 pulls each
class of a binary task towards a logit of its own. Both come from Pezeshki et al. (arXiv
2011.09468). Where the penalised optimum lies, and how other sources write lambda, is in
:mod:`sdlib.theory.optima`, re-exported here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdlib.errors import ConfigError
from sdlib.theory.optima import (
    LAMBDA_CONVENTIONS,
    check_lambda,
    check_pairs,
    convert_lambda,
    resting_logits,
)

__all__ = [
    "LAMBDA_CONVENTIONS",
    "SpectralDecouplingLoss",
    "convert_lambda",
    "resting_logits",
    "spectral_decoupling",
    "targeted_spectral_decoupling",
]


def spectral_decoupling(logits: Tensor, lam: float, reduction: str = "mean") -> Tensor:
    """Equation 1 in the form of Algorithm 1: ``lam / 2 * mean(logits ** 2)``.

    Args:
        logits: floating point, ``(N,)`` or ``(N, C)``, any device. The result is float32, also for
            half-precision logits and under autocast; float64 logits give float64.
        lam: strength, finite and at least 0, in Algorithm 1's convention.
        reduction: ``"mean"`` over batch and classes, ``"sum"``, or ``"none"`` (the logits' shape).

    Raises:
        ConfigError: a wrong shape or dtype, an empty batch, a negative or non-finite ``lam``.

    >>> spectral_decoupling(torch.tensor([1.0, -3.0]), lam=0.1)
    tensor(0.2500)
    """
    check_lambda(lam)
    _check_logits(logits, single=False)
    return _reduce(_at_least_float32(logits).square(), reduction) * (lam / 2)


def targeted_spectral_decoupling(
    logits: Tensor,
    targets: Tensor,
    lam: Sequence[float],
    gamma: Sequence[float],
    reduction: str = "mean",
) -> Tensor:
    """Equation 2: each class of a binary task is pulled towards its own logit ``gamma``.

    With ``"mean"`` every example counts once, ``mean_i lam[y_i] / 2 * (f_i - gamma[y_i]) ** 2``:
    equal lambdas and gammas of 0 give Equation 1, and the optimum does not depend on the class
    shares of the batch (see :func:`resting_logits`). ``"class_mean"`` adds the two classes' means,
    as the original gradient-starvation code does for CelebA; on a balanced batch it equals
    ``"mean"`` with both lambdas doubled. An absent class contributes 0 to either.

    Args:
        logits: floating point, ``(N,)`` or ``(N, 1)``: one logit an example.
        targets: ``(N,)`` or ``(N, 1)``, bool, integer or floating, 0 (negative) or 1 (positive).
            Values are checked on the CPU only; on a GPU the check would wait for the device.
        lam: ``(negative, positive)`` strengths, finite and at least 0.
        gamma: ``(negative, positive)`` target logits, finite.
        reduction: ``"mean"``, ``"class_mean"``, ``"sum"`` or ``"none"`` (the logits' shape).

    Raises:
        ConfigError: wrong shapes, dtypes or targets, an empty batch, ``lam`` or ``gamma`` not a
            pair of such numbers.

    >>> logits, targets = torch.tensor([0.0, 2.0]), torch.tensor([0, 1])
    >>> targeted_spectral_decoupling(logits, targets, lam=(0.1, 0.2), gamma=(1.0, 1.0))
    tensor(0.0750)
    """
    (lam_neg, lam_pos), (gamma_neg, gamma_pos) = check_pairs(lam, gamma)
    _check_logits(logits, single=True)
    _check_targets(logits, targets)
    f, positive = _at_least_float32(logits), targets.reshape(logits.shape) > 0.5
    towards_pos = (f - gamma_pos).square() * (lam_pos / 2)
    towards_neg = (f - gamma_neg).square() * (lam_neg / 2)
    each = torch.where(positive, towards_pos, towards_neg)
    if reduction != "class_mean":
        return _reduce(each, reduction, extra=("class_mean",))
    n_pos = positive.sum()
    sum_pos = torch.where(positive, each, 0.0).sum()
    sum_neg = torch.where(positive, 0.0, each).sum()
    return sum_neg / (each.numel() - n_pos).clamp(min=1) + sum_pos / n_pos.clamp(min=1)


class SpectralDecouplingLoss(nn.Module):
    """Cross-entropy plus spectral decoupling: ``criterion(logits, targets)``, a scalar.

    Logits ``(N,)`` or ``(N, 1)`` take binary cross-entropy, ``(N, C)`` with C of 2 or more softmax
    cross-entropy (Equation 1 only). Everything is computed in float32, or float64 if given.

    Args:
        lam: Equation 1's strength, or with ``gamma`` Equation 2's ``(negative, positive)`` pair.
        gamma: Equation 2's ``(negative, positive)`` target logits; None means Equation 1.
        reduction: the penalty's, ``"mean"`` or (Equation 2) ``"class_mean"``.

    Raises:
        ConfigError: on construction for bad settings, on call for bad logits or targets.

    >>> criterion = SpectralDecouplingLoss(lam=(0.01, 0.001), gamma=(0.0, 1.0))
    >>> criterion(torch.zeros(4), torch.tensor([0, 1, 0, 1]))
    tensor(0.6934)
    """

    def __init__(
        self,
        lam: float | Sequence[float],
        gamma: Sequence[float] | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        allowed = ("mean",) if gamma is None else ("mean", "class_mean")
        if reduction not in allowed:
            raise ConfigError(f"expected reduction in {allowed}, got {reduction!r}")
        if gamma is None:
            check_lambda(lam)
        else:
            lam, gamma = check_pairs(lam, gamma)
        self.lam, self.gamma, self.reduction = lam, gamma, reduction

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy plus the penalty."""
        _check_logits(logits, single=self.gamma is not None)
        f = _at_least_float32(logits)
        if f.ndim == 2 and f.shape[1] > 1:
            _check_classes(logits, targets)
            return F.cross_entropy(f, targets) + spectral_decoupling(f, self.lam)
        _check_targets(logits, targets)
        cross_entropy = F.binary_cross_entropy_with_logits(f, targets.reshape(f.shape).to(f.dtype))
        if self.gamma is None:
            return cross_entropy + spectral_decoupling(f, self.lam)
        return cross_entropy + targeted_spectral_decoupling(
            f, targets, self.lam, self.gamma, self.reduction
        )

    def extra_repr(self) -> str:
        """Show the settings when the module is printed."""
        return f"lam={self.lam}, gamma={self.gamma}, reduction={self.reduction!r}"


def _at_least_float32(logits: Tensor) -> Tensor:
    # Squares overflow float16 beyond 256 and lose their digits in bfloat16.
    return logits if logits.dtype == torch.float64 else logits.float()


def _reduce(each: Tensor, reduction: str, extra: tuple[str, ...] = ()) -> Tensor:
    if reduction == "mean":
        return each.mean()
    if reduction == "sum":
        return each.sum()
    if reduction == "none":
        return each
    allowed = ("mean", "sum", "none", *extra)
    raise ConfigError(f"expected reduction in {allowed}, got {reduction!r}")


def _check_logits(logits: Tensor, *, single: bool) -> None:
    if not torch.is_floating_point(logits):
        raise ConfigError(f"expected floating-point logits, got {logits.dtype}")
    one = logits.ndim == 1 or (logits.ndim == 2 and logits.shape[1] == 1)
    if logits.numel() == 0 or not (one or (logits.ndim == 2 and not single)):
        wanted = "(N,) or (N, 1) for Equation 2" if single else "(N,) or (N, C)"
        raise ConfigError(f"expected non-empty logits of shape {wanted}; got {tuple(logits.shape)}")


def _check_targets(logits: Tensor, targets: Tensor) -> None:
    if targets.shape not in ((len(logits),), (len(logits), 1)):
        raise ConfigError(
            f"expected one target for each of {len(logits)} logits, "
            f"got shape {tuple(targets.shape)}"
        )
    if targets.device.type == "cpu" and not ((targets == 0) | (targets == 1)).all():
        strange = targets[(targets != 0) & (targets != 1)].flatten()[0].item()
        raise ConfigError(f"expected targets in {{0, 1}}, got {strange}")


def _check_classes(logits: Tensor, targets: Tensor) -> None:
    n, n_classes = logits.shape
    if targets.shape != (n,) or targets.dtype != torch.int64:
        raise ConfigError(
            f"expected int64 targets of shape ({n},) for {n_classes} logits an example, "
            f"got {targets.dtype} of shape {tuple(targets.shape)}"
        )
    if targets.device.type == "cpu" and not ((targets >= 0) & (targets < n_classes)).all():
        raise ConfigError(f"expected targets from 0 to {n_classes - 1}, got {targets.tolist()}")
