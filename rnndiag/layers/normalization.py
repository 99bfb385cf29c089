"""Normalisation with the stored statistics, or along the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnndiag.layers.base import CannotRebuild, Layer, PassesMask
from rnndiag.records import Array, LayerSpec

_EPSILON = 1e-3
"""Keras's default; PyTorch's is 1e-5."""


class BatchNormalization(PassesMask, Layer):
    """Ioffe & Szegedy 2015, with the moving mean and variance."""

    kinds = ("BatchNormalization", "SyncBatchNormalization")
    mean: Tensor
    variance: Tensor
    gamma: Tensor
    beta: Tensor

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        axis = spec.config.get("axis", -1)
        self.axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
        if not isinstance(self.axis, int):
            raise CannotRebuild(f"normalisation along the axes {axis} is not supported")
        *affine, mean, variance = spec.weights
        gamma, beta = _scale_and_center(spec.config, affine)
        self._keep("mean", mean)
        self._keep("variance", variance)
        self._keep("gamma", np.ones_like(mean) if gamma is None else gamma)
        self._keep("beta", np.zeros_like(mean) if beta is None else beta)
        self.epsilon = _epsilon(spec)

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (*_affine_variables(config), False, False)

    def forward(self, *values: Tensor) -> Tensor:
        x = values[0].movedim(self.axis, -1)
        factor = self.gamma / (self.variance + self.epsilon).sqrt()
        return ((x - self.mean) * factor + self.beta).movedim(-1, self.axis)


class LayerNormalization(PassesMask, Layer):
    """Ba et al. 2016: each sample by its own mean and variance along some axes."""

    kinds = ("LayerNormalization",)
    gamma: Tensor | None
    beta: Tensor | None

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        axis = spec.config.get("axis", -1)
        self.axes = sorted(axis) if isinstance(axis, list) else [axis]
        self.epsilon = _epsilon(spec)
        self.only_variance = bool(spec.config.get("rms_scaling"))
        gamma, beta = _scale_and_center(spec.config, spec.weights)
        self._keep_or_none("gamma", gamma)
        self._keep_or_none("beta", beta)

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return _affine_variables(config)

    def forward(self, *values: Tensor) -> Tensor:
        x = values[0]
        variance, mean = torch.var_mean(x, self.axes, correction=0, keepdim=True)
        y = (x if self.only_variance else x - mean) / (variance + self.epsilon).sqrt()
        # Along the other axes the stored arrays are the same.
        along = [axis % x.dim() for axis in self.axes]
        shape = [size if axis in along else 1 for axis, size in enumerate(x.shape)]
        if self.gamma is not None:
            y = y * self.gamma.view(shape)
        return y if self.beta is None else y + self.beta.view(shape)


def _epsilon(spec: LayerSpec) -> float:
    return float(spec.config.get("epsilon", _EPSILON))


def _affine_variables(config: Mapping[str, Any]) -> tuple[bool, ...]:
    if config.get("rms_scaling"):
        return (True,)
    return (True,) * (bool(config.get("scale", True)) + bool(config.get("center", True)))


def _scale_and_center(
    config: Mapping[str, Any], arrays: Sequence[Array]
) -> tuple[Array | None, Array | None]:
    """Gamma and beta where there are any; the configuration tells which a single one is."""
    if len(arrays) > 2:
        raise CannotRebuild(f"{len(arrays)} arrays of scale and center are not Keras's")
    if len(arrays) == 2:
        return arrays[0], arrays[1]
    if not arrays:
        return None, None
    is_scale = config.get("rms_scaling") or config.get("scale", True)
    return (arrays[0], None) if is_scale else (None, arrays[0])
