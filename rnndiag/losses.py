"""Losses as Keras means them, and which of them is sent back.

Each gives one value for each sample, or each sample's timestep; training takes their mean,
over the real timesteps where the output has a mask. So do the losses of PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rnndiag.errors import BadOption, BadProbe
from rnndiag.records import Array, Options, TrainingFact

_EPSILON = 1e-7
"""Keras clips probabilities to [1e-7, 1 - 1e-7]."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""Output (B, …, C) and targets, (B, …, C) or the classes (B, …), to a value for each (B, …)."""


def _mse(y: Tensor, target: Tensor) -> Tensor:
    return (y - target).square().mean(-1)


def _mae(y: Tensor, target: Tensor) -> Tensor:
    return (y - target).abs().mean(-1)


def _binary_crossentropy(y: Tensor, target: Tensor) -> Tensor:
    p = y.clamp(_EPSILON, 1 - _EPSILON)
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean(-1)


def _binary_crossentropy_from_logits(y: Tensor, target: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(y, target, reduction="none").mean(-1)


def _categorical_crossentropy(y: Tensor, target: Tensor) -> Tensor:
    return -(target * _log_probabilities(y)).sum(-1)


def _categorical_crossentropy_from_logits(y: Tensor, target: Tensor) -> Tensor:
    return -(target * y.log_softmax(-1)).sum(-1)


def _sparse_categorical_crossentropy(y: Tensor, target: Tensor) -> Tensor:
    return -_log_probabilities(y).gather(-1, target.unsqueeze(-1)).squeeze(-1)


def _sparse_categorical_crossentropy_from_logits(y: Tensor, target: Tensor) -> Tensor:
    return -y.log_softmax(-1).gather(-1, target.unsqueeze(-1)).squeeze(-1)


def _log_probabilities(y: Tensor) -> Tensor:
    return (y / y.sum(-1, keepdim=True)).clamp(_EPSILON, 1 - _EPSILON).log()


WITHOUT_TARGETS = "mean_square"
LOSSES: dict[str, Loss] = {
    "mse": _mse,
    "mae": _mae,
    "binary_crossentropy": _binary_crossentropy,
    "binary_crossentropy_from_logits": _binary_crossentropy_from_logits,
    "categorical_crossentropy": _categorical_crossentropy,
    "categorical_crossentropy_from_logits": _categorical_crossentropy_from_logits,
    "sparse_categorical_crossentropy": _sparse_categorical_crossentropy,
    "sparse_categorical_crossentropy_from_logits": _sparse_categorical_crossentropy_from_logits,
}
_SYNONYMS = {
    "meansquarederror": "mse",
    "mseloss": "mse",
    "meanabsoluteerror": "mae",
    "l1loss": "mae",
    "bce": "binary_crossentropy",
    "bceloss": "binary_crossentropy",
    "bcewithlogitsloss": "binary_crossentropy_from_logits",
    "crossentropyloss": "sparse_categorical_crossentropy_from_logits",
}


# ---------------------------------------------------------------- which loss


def choose(options: Options, training: Sequence[TrainingFact], outputs: Sequence[str]) -> Options:
    """The options with the loss to send back: the one asked for, else the one trained with.

    `outputs` are the names of the network's outputs, whose losses count as they did in
    training. Without targets there is no loss by default. Raises `BadOption` where the loss
    is not known, or needs targets.
    """
    if options.targets is not None:
        options = replace(options, loss_weights=_weights(training, outputs))
    if options.loss is None:
        return options if options.targets is None else replace(options, loss=_trained(training))
    name = _known(options.loss)
    if name is None:
        raise BadOption(f"--loss {options.loss}: no loss that rnndiag knows", _choices())
    if name != WITHOUT_TARGETS and options.targets is None:
        raise BadOption(f"--loss {options.loss} needs targets", "give them with --targets FILE")
    return replace(options, loss=name)


def _trained(training: Sequence[TrainingFact]) -> str:
    """The loss that the checkpoint tells of."""
    names = {name for fact in training if fact.name == "loss" for name in _names(fact.value)}
    known = {_known(name) for name in names}
    if not names:
        raise BadOption("--targets: the checkpoint does not tell its loss", _choices())
    if len(known) == 1 and (only := known.pop()) is not None:
        return only
    raise BadOption(
        f"--targets: the network was trained with {', '.join(sorted(names))}, "
        "which rnndiag does not send back by itself",
        _choices(),
    )


def _weights(training: Sequence[TrainingFact], outputs: Sequence[str]) -> tuple[float, ...]:
    """The compiled ``loss_weights``: a list by place, or a dictionary by name."""
    told = next((fact.value for fact in training if fact.name == "loss_weights"), None)
    if isinstance(told, Mapping):
        told = [told.get(name, 1.0) for name in outputs]
    if not isinstance(told, (list, tuple)) or len(told) != len(outputs):
        return ()
    return tuple(float(weight) for weight in told)


def _choices() -> str:
    return f"choose a --loss: {', '.join((WITHOUT_TARGETS, *LOSSES))}"


def _known(name: str) -> str | None:
    """The loss by any of its names: ``MeanSquaredError``, ``mean_squared_error``, ``MSE``."""
    flat = {known.replace("_", ""): known for known in (WITHOUT_TARGETS, *LOSSES)}
    return {**flat, **_SYNONYMS}.get(name.rsplit(">", 1)[-1].replace("_", "").lower())


def _names(value: Any) -> Iterator[str]:
    """Every name in a fact: networks with several outputs have a list or a dictionary."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _names(item)


# ---------------------------------------------------------------- its value


def check_range(outputs: Sequence[Tensor], name: str | None) -> None:
    """Raises `BadOption` where a loss of probabilities meets an output that is none.

    A state dict keeps no softmax or sigmoid, so an assumed output may well be the logits.
    """
    if name is None or "crossentropy" not in name or name.endswith("_from_logits"):
        return
    if any(bool((y < 0).any() or (y > 1).any()) for y in outputs):
        raise BadOption(
            f"--loss {name} takes probabilities, but the assumed output leaves 0 to 1",
            f"is it the logits? --loss {name}_from_logits",
        )


def loss_value(
    outputs: Sequence[Tensor],
    targets: Sequence[Array],
    name: str | None,
    masks: Sequence[Tensor | None] = (),
    weights: Sequence[float] = (),
) -> Tensor | None:
    """The loss to send back, a scalar; None where none was asked for.

    ``mean_square`` takes no targets: the mean of the squared outputs. Several outputs'
    losses are summed, each times its weight; `masks` (B, T) tell each output's real
    timesteps. Raises `BadOption` where the outputs are not known, `BadProbe` where targets
    do not fit them.
    """
    if name is None:
        return None
    if not outputs:
        raise BadOption(
            "no loss can be sent back: the network's output is not known",
            "leave --loss and --targets out",
        )
    if name == WITHOUT_TARGETS:
        return torch.stack([y.square().mean() for y in outputs]).sum()
    if len(targets) != len(outputs):
        raise BadProbe(
            f"loss {name} needs targets for {len(outputs)} outputs, not for {len(targets)}",
            "name one array for each output with --targets-key",
        )
    aligned = [_aligned(name, y, target) for y, target in zip(outputs, targets, strict=True)]
    values = map(LOSSES[name], outputs, aligned)
    padded = (*masks, *[None] * (len(outputs) - len(masks)))
    means = [_mean(v, mask) for v, mask in zip(values, padded, strict=True)]
    factors = weights or [1.0] * len(means)
    return torch.stack([w * mean for w, mean in zip(factors, means, strict=True)]).sum()


def _aligned(name: str, y: Tensor, array: Array) -> Tensor:
    """The targets in the shape and type that the loss takes; a last axis of 1 may lack."""
    sparse = name.startswith("sparse")
    wanted = tuple(y.shape[:-1] if sparse else y.shape)
    if _without_ones(array.shape) != _without_ones(wanted):
        raise _unfit(name, array.shape, wanted)
    target = torch.from_numpy(array).to(y.device).reshape(wanted)
    if not sparse:
        return target.to(y.dtype)
    return _classes(target, y.shape[-1])


def _unfit(name: str, shape: Sequence[int], wanted: Sequence[int]) -> BadProbe:
    other = name.removeprefix("sparse_") if name.startswith("sparse") else f"sparse_{name}"
    return BadProbe(
        f"the targets have shape {shape}, but loss {name} takes {wanted} for this output",
        f"or is it --loss {other}?" if other in LOSSES else "check which array is the target",
    )


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without its last axes of size 1."""
    kept = tuple(shape)
    while kept and kept[-1] == 1:
        kept = kept[:-1]
    return kept


def _classes(target: Tensor, count: int) -> Tensor:
    bad = target[(target < 0) | (target >= count) | (target != target.floor())]
    if len(bad):
        raise BadProbe(
            f"the targets hold {bad[0].item():g}, but the output has classes 0 to {count - 1}",
            "sparse_categorical_crossentropy takes class numbers",
        )
    return target.long()


def _mean(values: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None or mask.shape != values.shape[:2]:
        return values.mean()
    real = mask.reshape(*mask.shape, *[1] * (values.dim() - 2)).expand_as(values)
    return torch.where(real, values, 0.0).sum() / real.sum().clamp(min=1)
