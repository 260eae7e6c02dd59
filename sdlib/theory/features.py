"""The feature matrix of a network and its decomposition into features.

Near its present parameters theta a network is linear in them: ``yhat(theta + d) = yhat + Phi d``
with ``Phi[i] = d yhat_i / d theta``, the neural tangent random features. The singular vectors of
``Y Phi`` are the features of :mod:`sdlib.theory.dual`, and its singular values are their strengths.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from sdlib.errors import ConfigError

__all__ = ["Features", "decompose", "feature_matrix", "responses"]


class Features(NamedTuple):
    """The decomposition of a feature matrix, ``Y Phi = u @ diag(s) @ vt``.

    Attributes
    ----------
    u : torch.Tensor
        (n, k), how strongly each of n examples has each of k features.
    s : torch.Tensor
        (k,), strengths of the features, descending.
    vt : torch.Tensor
        (k, p), directions of the features in the space of the p parameters.
    """

    u: Tensor
    s: Tensor
    vt: Tensor


def feature_matrix(model: nn.Module, x: Tensor) -> Tensor:
    """Compute the feature matrix: the gradient of every example's logit.

    Parameters
    ----------
    model : torch.nn.Module
        Maps (n, ...) to one logit per example, (n,) or (n, 1). Examples must not interact, as they
        do in batch normalisation in training mode.
    x : torch.Tensor
        (n, ...), inputs.

    Returns
    -------
    torch.Tensor
        (n, p), p parameters in the order of ``model.parameters()``.

    Raises
    ------
    ConfigError
        A model with more than one logit per example.

    Examples
    --------
    >>> model = nn.Linear(2, 1)
    >>> feature_matrix(model, torch.tensor([[3.0, 4.0]]))  # the inputs and, for the bias, a one
    tensor([[3., 4., 1.]])
    """
    parameters = {name: value.detach() for name, value in model.named_parameters()}

    def logit(own: dict[str, Tensor], example: Tensor) -> Tensor:
        output = functional_call(model, own, (example[None],))
        if output.numel() != 1:
            raise ConfigError(
                f"expected one logit per example, got {output.numel()}: choose one output first"
            )
        return output.reshape(())

    rows = vmap(grad(logit), in_dims=(None, 0))(parameters, x)
    return torch.cat([rows[name].flatten(start_dim=1) for name in parameters], dim=1)


def decompose(phi: Tensor, y: Tensor) -> Features:
    """Decompose a feature matrix into features, by the singular values of ``Y Phi``.

    Parameters
    ----------
    phi : torch.Tensor
        (n, p), from :func:`feature_matrix`.
    y : torch.Tensor
        (n,), targets, 0 or 1.

    Returns
    -------
    Features
        With k = min(n, p).

    Raises
    ------
    ConfigError
        Targets of another length or outside {0, 1}.

    Examples
    --------
    >>> features = decompose(torch.eye(2), torch.tensor([1, 1]))
    >>> features.s
    tensor([1., 1.])
    """
    u, s, vt = torch.linalg.svd(phi * _signs(phi, y)[:, None], full_matrices=False)
    # The signs of singular vectors are arbitrary. With columns of u that sum to at least 0, a
    # growing response raises the margins on balance.
    flip = torch.where(u.sum(dim=0) < 0, -1.0, 1.0).to(u.dtype)
    return Features(u * flip, s, vt * flip[:, None])


def responses(u: Tensor, logits: Tensor, y: Tensor) -> Tensor:
    """Compute the responses of the features to logits, ``z = U^T Y yhat``.

    Parameters
    ----------
    u : torch.Tensor
        (n, k), from :func:`decompose`.
    logits : torch.Tensor
        (..., n).
    y : torch.Tensor
        (n,), targets, 0 or 1.

    Returns
    -------
    torch.Tensor
        (..., k).

    Raises
    ------
    ConfigError
        Targets of another length or outside {0, 1}.

    Examples
    --------
    >>> responses(torch.eye(2), torch.tensor([3.0, 5.0]), torch.tensor([0, 1]))
    tensor([-3.,  5.])
    """
    return (logits * _signs(logits.movedim(-1, 0), y)) @ u


def _signs(rows: Tensor, y: Tensor) -> Tensor:
    """The diagonal of Y, -1 or 1 per row, in the dtype of the rows."""
    if y.shape != rows.shape[:1] or not ((y == 0) | (y == 1)).all():
        raise ConfigError(
            f"expected {len(rows)} targets in {{0, 1}}, got {tuple(y.shape)}: {y.unique().tolist()}"
        )
    return (2 * y - 1).to(rows.dtype)
