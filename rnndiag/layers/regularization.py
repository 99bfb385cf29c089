"""Layers that only act in training: dropout, noise, activity regularisation."""

from __future__ import annotations

from torch import Tensor

from rnndiag.layers.base import Layer, PassesMask


class TrainingOnly(PassesMask, Layer):
    """In evaluation these hand their input on."""

    kinds = (
        "Dropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "GaussianDropout",
        "GaussianNoise",
        "AlphaDropout",
        "ActivityRegularization",
        "Identity",
    )

    def forward(self, *values: Tensor) -> Tensor:
        return values[0]
