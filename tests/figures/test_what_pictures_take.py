"""What pictures are drawn from: the arrays of a run in full, or what sums a run up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from figure_subjects import draw, subject
from layer_runs import altered, arrays_of, build

from rnndiag.figures._steps import by_unit
from rnndiag.figures._timelines import mean_sizes
from rnndiag.figures.base import Layer
from rnndiag.figures.checkpoint import (
    gate_activity,
    preactivation_budget,
    state_spectrum,
    timescale,
    unit_activity,
)
from rnndiag.records import LayerRun


def layer_of(run: LayerRun) -> Layer:
    (layer,) = subject(run).layers
    return layer


@pytest.mark.parametrize(
    "module", [gate_activity, preactivation_budget, state_spectrum, timescale, unit_activity]
)
def test_pictures_of_sums_need_no_arrays(module: Any) -> None:
    assert len(draw(module, subject(replace(build(), arrays=None)))) == 1


def test_a_row_is_a_position_of_an_unmasked_step() -> None:
    run = build(batch=2, timesteps=3, units=2, positions=2)
    values = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(by_unit(values, run), np.arange(24).reshape(12, 2))
    mask = np.array([[True, False, False], [False, False, True]])
    masked = by_unit(values, altered(run, mask=mask))
    np.testing.assert_array_equal(masked, [[0, 1], [2, 3], [20, 21], [22, 23]])
    assert by_unit(values, altered(run, mask=np.zeros_like(mask))).shape == (0, 2)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_mean_sizes_leave_broken_values_out(broken: float) -> None:
    run = build("GRU", units=3, positions=2)
    np.testing.assert_allclose(
        mean_sizes(layer_of(run)), np.abs(by_unit(arrays_of(run).h, run)).mean(0), rtol=1e-6
    )
    h = np.ones_like(arrays_of(run).h)
    h[..., 4] = 3
    h[0, 0, 1] = broken
    h[..., [2, 5]] = broken
    sizes = mean_sizes(layer_of(altered(run, h=h)))
    # Unit 1 is 1 at one position, where a value of 240 is broken, and 3 at the other.
    np.testing.assert_allclose(sizes, [1, (239 + 3 * 240) / 479, np.nan])
