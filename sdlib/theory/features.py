"""The feature matrix of a network and its decomposition into features.

Near its present parameters a network is linear in them: ``yhat(theta + d) = yhat + Phi d`` with
``Phi[i] = d yhat_i / d theta``, the neural tangent random features. The singular vectors of
``Y Phi`` are the features of :mod:`sdlib.theory.dual`, its singular values their strengths.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from sdlib.errors import ConfigError

__all__ = ["Features", "decompose", "feature_matrix", "responses"]


class Features(NamedTuple):
    """``Y Phi = u @ diag(s) @ vt``: u ``(n, k)``, s ``(k,)`` descending, vt ``(k, p)``."""

    u: Tensor
    s: Tensor
    vt: Tensor


def feature_matrix(model: nn.Module, x: Tensor) -> Tensor:
    """Gradients of every example's logit: ``(n, p)``, p parameters in ``model.parameters()`` order.

    Args:
        model: maps ``(n, ...)`` to one logit an example, ``(n,)`` or ``(n, 1)``; examples must not
            interact (no batch normalisation in training mode).
        x: inputs ``(n, ...)``.

    Raises:
        ConfigError: a model with more than one logit an example.

    >>> model = nn.Linear(2, 1)
    >>> feature_matrix(model, torch.tensor([[3.0, 4.0]]))  # the inputs and, for the bias, a one
    tensor([[3., 4., 1.]])
    """
    parameters = {name: value.detach() for name, value in model.named_parameters()}

    def logit(own: dict[str, Tensor], example: Tensor) -> Tensor:
        output = functional_call(model, own, (example[None],))
        if output.numel() != 1:
            raise ConfigError(
                f"expected one logit an example, got {output.numel()}: choose one output first"
            )
        return output.reshape(())

    rows = vmap(grad(logit), in_dims=(None, 0))(parameters, x)
    return torch.cat([rows[name].flatten(start_dim=1) for name in parameters], dim=1)


def decompose(phi: Tensor, y: Tensor) -> Features:
    """Singular value decomposition of ``Y Phi``; ``phi`` is ``(n, p)``, ``y`` ``(n,)`` 0 or 1.

    Signs are chosen so that each column of u sums to at least 0: a growing response then raises
    the margins on balance.

    Raises:
        ConfigError: targets of another length or outside {0, 1}.
    """
    u, s, vt = torch.linalg.svd(phi * _signs(phi, y)[:, None], full_matrices=False)
    flip = torch.where(u.sum(dim=0) < 0, -1.0, 1.0).to(u.dtype)
    return Features(u * flip, s, vt * flip[:, None])


def responses(u: Tensor, logits: Tensor, y: Tensor) -> Tensor:
    """``z = U^T Y yhat``: ``(..., k)`` for logits ``(..., n)``, u ``(n, k)`` and y ``(n,)``."""
    return (logits * _signs(logits.movedim(-1, 0), y)) @ u


def _signs(rows: Tensor, y: Tensor) -> Tensor:
    if y.shape != rows.shape[:1] or not ((y == 0) | (y == 1)).all():
        raise ConfigError(
            f"expected {len(rows)} targets in {{0, 1}}, got {tuple(y.shape)}: {y.unique().tolist()}"
        )
    return (2 * y - 1).to(rows.dtype)
