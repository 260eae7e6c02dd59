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
    """Penalty of Equation 1, as Algorithm 1 writes it: ``lam / 2 * mean(logits ** 2)``.

    Parameters
    ----------
    logits : torch.Tensor
        Floating point, (N,) or (N, C), on any device.
    lam : float
        Strength in Algorithm 1's convention, finite and at least 0.
    reduction : {"mean", "sum", "none"}
        ``"mean"`` is over batch and classes; ``"none"`` keeps the shape of the logits.

    Returns
    -------
    torch.Tensor
        float32, also for half-precision logits and under autocast; float64 for float64 logits. A
        scalar, or (N,) or (N, C) with ``"none"``.

    Raises
    ------
    ConfigError
        A wrong shape or dtype, an empty batch, a negative or non-finite ``lam``, an unknown
        reduction.

    Examples
    --------
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
    """Penalty of Equation 2: each class of a binary task is pulled towards a logit of its own.

    With ``"mean"`` every example counts once, ``mean_i lam[y_i] / 2 * (f_i - gamma[y_i]) ** 2``:
    equal lambdas and gammas of 0 give Equation 1, and the optimum does not depend on the class
    shares of the batch (see :func:`resting_logits`). ``"class_mean"`` adds the means of the two
    classes, as the original gradient-starvation code does for CelebA; on a balanced batch it equals
    ``"mean"`` with both lambdas doubled. With either, an absent class contributes 0.

    Parameters
    ----------
    logits : torch.Tensor
        Floating point, (N,) or (N, 1): one logit per example.
    targets : torch.Tensor
        (N,) or (N, 1), bool, integer or floating point, 0 (negative) or 1 (positive). Values are
        checked on the CPU only.
    lam : sequence of float
        (negative, positive) strengths, finite and at least 0.
    gamma : sequence of float
        (negative, positive) target logits, finite.
    reduction : {"mean", "class_mean", "sum", "none"}
        ``"none"`` keeps the shape of the logits.

    Returns
    -------
    torch.Tensor
        float32, or float64 for float64 logits; a scalar, or the shape of the logits.

    Raises
    ------
    ConfigError
        Wrong shapes, dtypes or targets, an empty batch, ``lam`` or ``gamma`` not a pair of such
        numbers, an unknown reduction.

    Examples
    --------
    >>> logits, targets = torch.tensor([0.0, 2.0]), torch.tensor([0, 1])
    >>> targeted_spectral_decoupling(logits, targets, lam=(0.1, 0.2), gamma=(1.0, 1.0))
    tensor(0.0750)
    """
    (lam_neg, lam_pos), (gamma_neg, gamma_pos) = check_pairs(lam, gamma)
    _check_logits(logits, single=True)
    _check_targets(logits, targets)
    f = _at_least_float32(logits)
    positive = targets.reshape(logits.shape) > 0.5
    towards_pos = (f - gamma_pos).square() * (lam_pos / 2)
    towards_neg = (f - gamma_neg).square() * (lam_neg / 2)
    each = torch.where(positive, towards_pos, towards_neg)
    if reduction != "class_mean":
        return _reduce(each, reduction, extra=("class_mean",))
    # Sums divided by counts of at least 1: the mean of an absent class would be 0 / 0.
    n_pos = positive.sum()
    sum_pos = torch.where(positive, each, 0.0).sum()
    sum_neg = torch.where(positive, 0.0, each).sum()
    return sum_neg / (each.numel() - n_pos).clamp(min=1) + sum_pos / n_pos.clamp(min=1)


class SpectralDecouplingLoss(nn.Module):
    """Loss of cross-entropy plus spectral decoupling, called as ``criterion(logits, targets)``.

    Logits (N,) or (N, 1) take binary cross-entropy, (N, C) with C of 2 or more softmax
    cross-entropy (Equation 1 only). Everything is computed in float32, or in float64 for float64
    logits.

    Parameters
    ----------
    lam : float or sequence of float
        Strength of Equation 1, or with ``gamma`` the (negative, positive) pair of Equation 2;
        finite and at least 0.
    gamma : sequence of float, optional
        (negative, positive) target logits of Equation 2; None means Equation 1.
    reduction : {"mean", "class_mean"}
        How the penalty is averaged; ``"class_mean"`` is for Equation 2.

    Raises
    ------
    ConfigError
        On construction for bad settings, on call for bad logits or targets.

    Examples
    --------
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
        """Compute the mean cross-entropy plus the penalty.

        Parameters
        ----------
        logits : torch.Tensor
            Floating point, (N,), (N, 1) or (N, C).
        targets : torch.Tensor
            (N,) or (N, 1), 0 or 1; for (N, C) int64 (N,), 0 to C - 1.

        Returns
        -------
        torch.Tensor
            A scalar.
        """
        _check_logits(logits, single=self.gamma is not None)
        f = _at_least_float32(logits)
        if f.ndim == 2 and f.shape[1] > 1:
            _check_classes(logits, targets)
            return F.cross_entropy(f, targets) + spectral_decoupling(f, self.lam)
        _check_targets(logits, targets)
        # Targets (N, 1) next to logits (N,) would broadcast to (N, N) without an error.
        cross_entropy = F.binary_cross_entropy_with_logits(f, targets.reshape(f.shape).to(f.dtype))
        if self.gamma is None:
            return cross_entropy + spectral_decoupling(f, self.lam)
        return cross_entropy + targeted_spectral_decoupling(
            f, targets, self.lam, self.gamma, self.reduction
        )

    def extra_repr(self) -> str:
        """The settings, shown when the module is printed."""
        return f"lam={self.lam}, gamma={self.gamma}, reduction={self.reduction!r}"


def _at_least_float32(logits: Tensor) -> Tensor:
    """Logits in single precision, or double where they are."""
    # Squares overflow float16 beyond 256 and lose their digits in bfloat16.
    return logits if logits.dtype == torch.float64 else logits.float()


def _reduce(each: Tensor, reduction: str, extra: tuple[str, ...] = ()) -> Tensor:
    """Reduce a penalty per example; ``extra`` are reductions that the caller allows as well."""
    if reduction == "mean":
        return each.mean()
    if reduction == "sum":
        return each.sum()
    if reduction == "none":
        return each
    allowed = ("mean", "sum", "none", *extra)
    raise ConfigError(f"expected reduction in {allowed}, got {reduction!r}")


def _check_logits(logits: Tensor, *, single: bool) -> None:
    """Raise ConfigError unless logits are a batch, with one logit per example where ``single``."""
    if not isinstance(logits, Tensor):
        raise ConfigError(
            f"expected logits as a tensor, got {type(logits).__name__}: pass torch.tensor(logits)"
        )
    if not torch.is_floating_point(logits):
        raise ConfigError(f"expected floating-point logits, got {logits.dtype}")
    one = logits.ndim == 1 or (logits.ndim == 2 and logits.shape[1] == 1)
    if logits.numel() == 0 or not (one or (logits.ndim == 2 and not single)):
        wanted = "(N,) or (N, 1) for Equation 2" if single else "(N,) or (N, C)"
        raise ConfigError(f"expected non-empty logits of shape {wanted}; got {tuple(logits.shape)}")


def _check_targets(logits: Tensor, targets: Tensor) -> None:
    """Raise ConfigError unless there is a target of 0 or 1 for each logit."""
    _check_tensor(targets)
    if targets.shape not in ((len(logits),), (len(logits), 1)):
        raise ConfigError(
            f"expected one target for each of {len(logits)} logits, "
            f"got shape {tuple(targets.shape)}"
        )
    # On a GPU, looking at the values would make every step wait for the device.
    if targets.device.type == "cpu" and not ((targets == 0) | (targets == 1)).all():
        strange = targets[(targets != 0) & (targets != 1)].flatten()[0].item()
        raise ConfigError(f"expected targets in {{0, 1}}, got {strange}")


def _check_classes(logits: Tensor, targets: Tensor) -> None:
    """Raise ConfigError unless there is a class for each row of logits."""
    _check_tensor(targets)
    n, n_classes = logits.shape
    if targets.shape != (n,) or targets.dtype != torch.int64:
        raise ConfigError(
            f"expected int64 targets of shape ({n},) for {n_classes} logits per example, "
            f"got {targets.dtype} of shape {tuple(targets.shape)}"
        )
    if targets.device.type == "cpu" and not ((targets >= 0) & (targets < n_classes)).all():
        strange = targets[(targets < 0) | (targets >= n_classes)][0].item()
        raise ConfigError(f"expected targets from 0 to {n_classes - 1}, got {strange}")


def _check_tensor(targets: Tensor) -> None:
    """Raise ConfigError unless targets are a tensor."""
    if not isinstance(targets, Tensor):
        raise ConfigError(
            f"expected targets as a tensor, got {type(targets).__name__}: "
            "pass torch.tensor(targets)"
        )
