"""Losses as Keras means them: the mean over the batch of each sample's own mean.

With targets of the outputs' shape that is the mean over all elements; the cross-entropies
sum over the classes and average over everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rnndiag.errors import BadOption, BadProbe
from rnndiag.records import Array

_EPSILON = 1e-7
"""Keras clips probabilities to [1e-7, 1 - 1e-7]."""

Loss = Callable[[Tensor, Tensor], Tensor]


def _mse(y: Tensor, target: Tensor) -> Tensor:
    return (y - target).square().mean()


def _mae(y: Tensor, target: Tensor) -> Tensor:
    return (y - target).abs().mean()


def _binary_crossentropy(y: Tensor, target: Tensor) -> Tensor:
    p = y.clamp(_EPSILON, 1 - _EPSILON)
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean()


def _categorical_crossentropy(y: Tensor, target: Tensor) -> Tensor:
    p = (y / y.sum(-1, keepdim=True)).clamp(_EPSILON, 1 - _EPSILON)
    return -(target * p.log()).sum(-1).mean()


def _sparse_categorical_crossentropy(y: Tensor, target: Tensor) -> Tensor:
    p = y.clamp(_EPSILON, 1 - _EPSILON)
    p = p / p.sum(-1, keepdim=True)
    index = target.long()
    index = index if index.dim() == y.dim() else index.unsqueeze(-1)
    return -p.gather(-1, index).log().mean()


LOSSES: dict[str, Loss] = {
    "mse": _mse,
    "mae": _mae,
    "binary_crossentropy": _binary_crossentropy,
    "categorical_crossentropy": _categorical_crossentropy,
    "sparse_categorical_crossentropy": _sparse_categorical_crossentropy,
}


def loss_value(
    outputs: Sequence[Tensor], targets: Sequence[Array], name: str | None
) -> Tensor | None:
    """The loss to send back; None where none was asked for.

    ``mean_square`` takes no targets: the mean of the squared outputs. Several outputs'
    losses are summed. Raises `BadOption` or `BadProbe`.
    """
    if name is None:
        return None
    if not outputs:
        raise BadOption("no loss can be sent back: the network's output is not known",
                        "leave --loss and --targets out")
    if name == "mean_square":
        return sum((y.square().mean() for y in outputs[1:]), outputs[0].square().mean())
    if len(targets) != len(outputs):
        raise BadProbe(f"loss {name} needs targets for {len(outputs)} outputs, not {len(targets)}",
                       "give them with --targets FILE")
    terms = [_term(name, y, target) for y, target in zip(outputs, targets, strict=True)]
    return sum(terms[1:], terms[0])


def _term(name: str, y: Tensor, array: Array) -> Tensor:
    target = torch.from_numpy(array).to(y.device)
    wanted = tuple(y.shape[:-1]) if name.startswith("sparse") else tuple(y.shape)
    if tuple(target.shape) not in (wanted, (*wanted, 1)):
        if tuple(target.shape) != wanted[: target.dim()] or wanted[target.dim() :] != (1,):
            raise BadProbe(
                f"the targets have shape {tuple(target.shape)}, but loss {name} needs {wanted}"
            )
        target = target.unsqueeze(-1)
    if not name.startswith("sparse"):
        target = target.to(y.dtype).reshape(y.shape)
    return LOSSES[name](y, target)
