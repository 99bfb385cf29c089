"""What a layer's call would take, found out without taking it.

torch's ``meta`` device computes shapes alone. What a layer does there, with its own arrays and
inputs replaced by such shapes, it would do with numbers.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from rnndiag import memory

if TYPE_CHECKING:
    from rnndiag.layers.base import Layer, Signal

_UNTOLD = (RuntimeError, TypeError, ValueError, LookupError, AttributeError)
"""What is raised where a layer asks for numbers, or does not take these shapes: it tells so
itself when it runs."""
_PRODUCTS = ("einsum", "tensordot", "outer")
"""Operations that may keep every axis of all inputs."""
HINT = "choose smaller --batch, --seeds or --timesteps, or allow more: --max-memory SIZE"


def check(layer: Layer, inputs: Sequence[Signal], values: Sequence[Tensor]) -> None:
    """Count what a call takes as taken; raises `TooLarge` where that may not be."""
    # Loading torch's rules for shapes takes longer than most runs, and few calls need them.
    most = _at_most(layer, values)
    if most <= memory.left():
        return
    with _Counting() as counting:
        try:
            needed = _needed(layer, inputs, values, counting)
        except _UNTOLD as error:
            # Where shapes do not fit, the call goes no further either; where it depends on the
            # numbers how far it goes, nothing is known but the bound.
            needed = most if "meta" in str(error) else counting.bytes
    memory.take(needed, f"layer {layer.spec.name!r} ({layer.spec.kind})", HINT)


def _at_most(layer: Layer, values: Sequence[Tensor]) -> int:
    """Far more bytes than a call makes.

    With arrays of its own, a layer grows its inputs along two axes at the most. Without any it
    may tile and pad them along each, and set several against each other.
    """
    own = layer.most_bytes(*values)
    if own is not None:
        return own
    told = list(_numbers(layer.spec.config))
    numbers = [*told, *(n for value in values for n in value.shape)]
    numbers += [size for array in layer.buffers() for size in array.shape]
    most = sum(value.numel() for value in values) * max(numbers, default=1) ** 2
    if next(layer.buffers(), None) is None:
        most = max(most, _together(layer, values) * math.prod(n + 1 for n in told if n > 1))
    return 4 * most


def _together(layer: Layer, values: Sequence[Tensor]) -> int:
    """Numbers of what several inputs make: as large as each of their axes, or as all of them."""
    if any(name in layer.spec.kind.lower() for name in _PRODUCTS):
        return math.prod(value.numel() for value in values)
    shapes = [value.shape[::-1] for value in values]
    return math.prod(map(max, zip_longest(*shapes, fillvalue=1)))


def _numbers(value: Any) -> Iterator[int]:
    """The whole numbers in a configuration."""
    if isinstance(value, int):
        yield abs(value)
    elif isinstance(value, (list, tuple, Mapping)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _numbers(item)


def _needed(
    layer: Layer, inputs: Sequence[Signal], values: Sequence[Tensor], counting: _Counting
) -> int:
    """Bytes of all that is made on the way, and of the outputs as if none were a mere view."""
    shadow = _shadow(layer)
    signals = tuple(
        replace(
            signal,
            value=_meta(signal.value),
            mask=_meta(signal.mask),
            told=_meta(signal.told),
            padding=_meta(signal.padding),
        )
        for signal in inputs
    )
    counting.bytes = 0
    outputs = shadow.outputs(signals, tuple(map(_as_meta, values)), None)
    given: list[Tensor] = [own.value for own in outputs if own.value is not None]
    return max(int(counting.bytes), sum(own.numel() * own.element_size() for own in given))


def _meta(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else _as_meta(tensor)


def _as_meta(tensor: Tensor) -> Tensor:
    return tensor.detach().to("meta")


def _shadow(module: Any) -> Any:
    """The same module with shapes in the place of its arrays; all else is shared."""
    shadow = copy.copy(module)
    arrays = {name: _meta(array) for name, array in module._buffers.items()}
    inner = {name: _shadow(own) for name, own in module._modules.items() if own is not None}
    shadow.__dict__.update(_buffers=arrays, _modules=inner)
    assert isinstance(shadow, nn.Module)
    return shadow


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's gap
    """Adds up the storages that operations make."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's gap
        self.bytes: int = 0
        # Kept, so that no later one takes the identity of one that is gone.
        self._seen: dict[int, torch.UntypedStorage] = {}

    def __torch_dispatch__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in _tensors(made):
            storage = tensor.untyped_storage()
            if storage._cdata not in self._seen:
                self._seen[storage._cdata] = storage
                self.bytes += storage.nbytes()
        return made


def _tensors(made: Any) -> Iterator[Tensor]:
    if isinstance(made, Tensor):
        yield made
    elif isinstance(made, (list, tuple)):
        for item in made:
            yield from _tensors(item)
