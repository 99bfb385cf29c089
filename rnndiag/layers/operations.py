"""Operations on tensors, which stand among the layers of a functional model.

Keras 3 keeps each as an object of its own (``ops.Mean``, ``ops.GetItem``; also those by which
its layers compute masks), tf.keras as a ``TFOpLambda`` that names a function of TensorFlow
(``tf.math.reduce_mean``) or, before 2.4, as a graph's node (``tf.raw_ops.Mean``). An operation
hands no mask on, unless it gives back the tensor that it took.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rnndiag.layers._ops import elementwise, making, moving, nonlinear, products, raw_ops, reducing
from rnndiag.layers._ops.arguments import accepted, decoded, filled
from rnndiag.layers._ops.tensorflow import FUNCTIONS as _FUNCTIONS
from rnndiag.layers.base import CannotRebuild, Layer, Signal
from rnndiag.records import LayerSpec

_FAMILIES = (elementwise, making, moving, nonlinear, products, reducing)
_KERAS3 = {
    f"ops.{name}": function for family in _FAMILIES for name, function in family.FUNCTIONS.items()
}
_TENSORFLOW = {**_FUNCTIONS, **raw_ops.FUNCTIONS}
_MOVING = {*moving.FUNCTIONS.values(), *moving.TENSORFLOWS, *raw_ops.MOVING}


class Operation(Layer):
    """A function of tensors and constants, each in its place among the arguments."""

    kinds = (*_KERAS3, *(f"tf.{name}" for name in _TENSORFLOW))
    keeps_integers = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.function, names = _found(spec.kind)
        if spec.config["differs"]:
            raise CannotRebuild("its calls have different arguments")
        try:
            self.args = [decoded(value) for value in spec.config["args"]]
            given = {names.get(key, key): decoded(v) for key, v in spec.config["kwargs"].items()}
            self.kwargs = accepted(self.function, given)
            inspect.signature(self.function).bind(*self.args, **self.kwargs)
        except (TypeError, ValueError) as error:
            raise CannotRebuild(str(error)) from error

    def apply_to(self, values: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The outputs, of which most operations have one."""
        args = [filled(value, values) for value in self.args]
        kwargs = {key: filled(value, values) for key, value in self.kwargs.items()}
        try:
            found = self.function(*args, **kwargs)
        except (ArithmeticError, AttributeError, LookupError, StopIteration) as error:
            # Constants where the function wants tensors, or the other way round.
            raise ValueError(repr(error)) from error
        return found if isinstance(found, tuple) else (found,)

    def outputs(
        self, inputs: tuple[Signal, ...], values: tuple[Tensor, ...], lost: str | None
    ) -> tuple[Signal, ...]:
        found = self.apply_to(values)
        moved = self._padding(inputs, values) or (None,) * len(found)
        masks = {id(v): s.mask for v, s in zip(values, inputs, strict=True)}
        return tuple(
            Signal(value, masks.get(id(value)), lost, padding=padding)
            for value, padding in zip(found, moved, strict=True)
        )

    def _padding(
        self, inputs: tuple[Signal, ...], values: tuple[Tensor, ...]
    ) -> tuple[Tensor | None, ...] | None:
        """Where padding comes to stand: it moves as the values do."""
        if self.function not in _MOVING or all(signal.padding is None for signal in inputs):
            return None
        pairs = zip(values, inputs, strict=True)
        return tuple(map(_steps, self.apply_to([_blank(*pair) for pair in pairs])))


def _found(kind: str) -> tuple[Callable[..., Any], Any]:
    if kind in _KERAS3:
        return _KERAS3[kind], {}
    return _TENSORFLOW[kind.removeprefix("tf.")]


def _blank(value: Tensor, signal: Signal) -> Tensor:
    """True for each element that is padding; indices stay what they are."""
    padding = signal.padding
    if padding is not None and value.shape[:2] == padding.shape:
        return padding.reshape(*padding.shape, *(1,) * (value.dim() - 2)).expand(value.shape)
    return torch.zeros_like(value, dtype=torch.bool) if value.is_floating_point() else value


def _steps(blank: Tensor) -> Tensor | None:
    """(B, T) of (B, T, …): a step is padding where all of it is."""
    return blank.bool().flatten(2).all(-1) if blank.dim() > 2 else None
