"""Several inputs become one: sums, products, concatenation, dot products."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional

from rnndiag.dialects import any_mask_is_enough, merges_drop_masks
from rnndiag.layers.base import CannotRebuild, Layer, Masks
from rnndiag.records import LayerSpec, Writer


class _Merge(Layer):
    """Elementwise; inputs of lower rank get axes of size 1 behind the batch axis."""

    @abstractmethod
    def combine(self, x: Tensor, y: Tensor) -> Tensor:
        """Two inputs as one; more are taken in one after the other."""

    def forward(self, *values: Tensor) -> Tensor:
        return reduce(self.combine, _of_one_rank(values))

    def mask(self, masks: Masks, *values: Tensor) -> Tensor | None:
        given = [mask for mask in masks if mask is not None]
        if not given or merges_drop_masks(self.spec.writer):
            return None
        if any_mask_is_enough(self.spec.writer):
            return reduce(torch.logical_or, given) if len(given) == len(masks) else None
        return reduce(torch.logical_and, given)


class Add(_Merge):
    """The sum."""

    kinds = ("Add",)

    def combine(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class Subtract(_Merge):
    """The difference of two."""

    kinds = ("Subtract",)

    def combine(self, x: Tensor, y: Tensor) -> Tensor:
        return x - y


class Average(_Merge):
    """The mean."""

    kinds = ("Average",)

    def combine(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y

    def forward(self, *values: Tensor) -> Tensor:
        return super().forward(*values) / len(values)


class Multiply(_Merge):
    """The product; Keras 3.4 and later take a masked step as 1, and as 0 where all are."""

    kinds = ("Multiply",)

    def combine(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y

    def masked(self, masks: Masks, *values: Tensor) -> Tensor:
        if not _mask_each(self.spec.writer, masks, values):
            return self.forward(*values)
        whole = [
            x if mask is None else x.where(mask.unsqueeze(-1), 1.0)
            for x, mask in zip(values, masks, strict=True)
        ]
        real = self.mask(masks, *values)
        product = self.forward(*whole)
        return product if real is None else product.where(real.unsqueeze(-1), 0.0)


class _Extreme(_Merge):
    """In Keras 3.4 and later a masked step of one input does not compete."""

    def masked(self, masks: Masks, *values: Tensor) -> Tensor:
        if not _mask_each(self.spec.writer, masks, values):
            return self.forward(*values)
        output, so_far = values[0], _over_features(masks[0])
        for x, own in zip(values[1:], map(_over_features, masks[1:]), strict=True):
            there = x if own is None else x.where(own, output)
            output = output if so_far is None else output.where(so_far, there)
            so_far = None if own is None or so_far is None else own | so_far
            output = self.combine(output, there)
        return output


class Maximum(_Extreme):
    """The larger, element by element."""

    kinds = ("Maximum",)

    def combine(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.maximum(x, y)


class Minimum(_Extreme):
    """The smaller, element by element."""

    kinds = ("Minimum",)

    def combine(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.minimum(x, y)


class Concatenate(Layer):
    """Side by side along ``axis``."""

    kinds = ("Concatenate",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.axis = int(spec.config.get("axis", -1))

    def forward(self, *values: Tensor) -> Tensor:
        return torch.cat(values, self.axis)

    def mask(self, masks: Masks, *values: Tensor) -> Tensor | None:
        """An input without a mask counts as real; along time the masks follow each other."""
        if all(mask is None for mask in masks) or merges_drop_masks(self.spec.writer):
            return None
        whole = [_whole(mask, x) for mask, x in zip(masks, values, strict=True)]
        joined = torch.cat(whole, self.axis)
        return joined.any(-1) if any_mask_is_enough(self.spec.writer) else joined.all(-1)


class Dot(Layer):
    """A dot product of two inputs along one axis of each, sample by sample."""

    kinds = ("Dot",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        axes = spec.config["axes"]
        self.axes = (axes, axes) if isinstance(axes, int) else tuple(axes)
        if len(self.axes) != 2 or 0 in self.axes:
            raise CannotRebuild(f"a dot product along the axes {axes} is not Keras's")
        self.normalize = bool(spec.config.get("normalize"))

    def forward(self, *values: Tensor) -> Tensor:
        x, y = (v.movedim(axis, -1) for v, axis in zip(values, self.axes, strict=True))
        if self.normalize:
            x, y = functional.normalize(x, dim=-1), functional.normalize(y, dim=-1)
        free = (*x.shape[1:-1], *y.shape[1:-1])
        product = _rows(x) @ _rows(y).transpose(1, 2)
        return product.reshape(len(x), *(free or (1,)))


def _rows(x: Tensor) -> Tensor:
    """(B, …, K) as (B, rows, K)."""
    return x.reshape(len(x), -1, x.shape[-1])


def _of_one_rank(values: Sequence[Tensor]) -> list[Tensor]:
    rank = max(x.dim() for x in values)
    return [x[(slice(None), *(None,) * (rank - x.dim()))] for x in values]


def _mask_each(writer: Writer, masks: Masks, values: Sequence[Tensor]) -> bool:
    """Whether masks change the values; reshaped inputs have lost theirs by then."""
    of_one_rank = len({x.dim() for x in values}) == 1
    masked = any(mask is not None for mask in masks)
    return any_mask_is_enough(writer) and of_one_rank and masked


def _over_features(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else mask.unsqueeze(-1)


def _whole(mask: Tensor | None, x: Tensor) -> Tensor:
    """A mask of every element of `x`."""
    if mask is None:
        return torch.ones_like(x, dtype=torch.bool)
    return mask.unsqueeze(-1).expand_as(x) if mask.dim() < x.dim() else mask
