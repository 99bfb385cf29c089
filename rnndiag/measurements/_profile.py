"""The gradient profile: how much of a gradient is left k steps back."""

from __future__ import annotations

import numpy as np

from rnndiag.records import Array


def log_profile(log_norm: Array, real: Array) -> tuple[Array, Array]:
    """(log g_k, how many samples have step k) for k = 0 … steps back.

    `log_norm` (P, B, T) are natural logarithms of ‖(δ, γ)_t‖, `real` (B, T) the steps that
    count. g_k is the arithmetic mean over pulses and samples that have step k, for k up to
    the median number of real steps; it is summed as logarithms, so it cannot underflow.
    """
    pulses, batch, _ = log_norm.shape
    lengths = real.sum(1)
    if not lengths.any():
        return np.empty(0), np.empty(0)
    steps = max(1, int(np.median(lengths[lengths > 0])))
    back = np.full((pulses, batch, steps), -np.inf)
    for sample in range(batch):
        own = log_norm[:, sample, real[sample]][:, ::-1][:, :steps]
        back[:, sample, : own.shape[1]] = own
    has = np.minimum(lengths, steps)[:, None] > np.arange(steps)
    count = has.sum(0)
    total = np.logaddexp.reduce(np.where(has, back, -np.inf), axis=(0, 1))
    return total - np.log(pulses * np.maximum(count, 1)), count
