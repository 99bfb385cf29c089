"""Measurements of whole networks whose answers are known: see ``tests/data/gradients``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rnndiag import pipeline
from rnndiag.records import LayerReport, Options

FILES = Path(__file__).parents[1] / "data" / "gradients"


def measured(name: str, **options) -> LayerReport:
    (layer,) = pipeline.diagnose(str(FILES / f"{name}.h5"), Options(device="cpu", **options)).layers
    return layer


def probed(name: str, **options) -> LayerReport:
    return measured(name, probe=str(FILES / f"{name}.npz"), **options)


def test_three_of_eight_relu_units_are_dead():
    activity = probed("oracle_dead3of8_relu").measurements["unit_activity"]
    assert activity.dead_units == (1, 4, 6)
    assert activity.dead_share == 3 / 8


def test_a_linear_recurrence_decays_by_its_factor():
    span = probed("oracle_linear_s0.9").measurements["gradient_span"]
    assert span.decay_per_step == pytest.approx(0.9, abs=1e-4)
    assert span.half_life == pytest.approx(np.log(0.5) / np.log(0.9), rel=1e-3)
    assert span.log10_profile == pytest.approx(np.log10(0.9) * np.arange(24), abs=1e-5)
    assert (span.span, span.censored, span.cotangent) == (24, True, "output")


def test_its_loss_decays_alike_from_the_norm_that_keras_gives():
    probe = str(FILES / "oracle_linear_s0.9.npz")
    with np.load(probe) as arrays:
        norms = np.linalg.norm(arrays["rnn/fwd/dL_dh_total"][:, -1], axis=1)
    layer = probed("oracle_linear_s0.9", loss="mse", targets=probe, targets_key=("y",))
    fact = layer.measurements["loss_gradient"]
    assert fact.decay_per_step == pytest.approx(0.9, abs=1e-4)
    assert fact.log10_norm == pytest.approx(np.log10(norms.mean()), abs=1e-5)
