"""Keras's snippets for convolutional LSTMs, run on images."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from rnndiag import snippets
from rnndiag.records import LayerReport
from rnndiag.snippets.base import Snippets
from tests import rule_reports
from tests.snippet_runs import check_lines, run

L = keras.layers
FILTERS, CHANNELS = 4, 2
PLAIN = {"filters": FILTERS, "kernel_size": 3, "name": "conv"}
SAME = {**PLAIN, "padding": "same", "return_sequences": True}


def report_of(layer: Any) -> LayerReport:
    kind = type(layer).__name__
    return rule_reports.layer(
        kind,
        name=layer.name,
        id=layer.name,
        input_size=CHANNELS,
        hidden_size=FILTERS,
        arguments={**layer.get_config(), "class_name": kind},
    )


def of(kind: str = "ConvLSTM2D", **arguments: Any) -> Snippets:
    layer = getattr(L, kind)(**arguments)
    return snippets.for_(rule_reports.report(report_of(layer)), None)


def made(snippet: str) -> Any:
    """The layer that the snippet's only expression makes, having run on images."""
    (layer,), _ = run(snippet, keras=keras)
    layer(images())
    return layer


def images(steps: int = 5) -> Any:
    return np.random.default_rng(0).normal(size=(3, steps, 6, 7, CHANNELS)).astype(np.float32)


def flow(snippet: str, steps: int | None = 5) -> Any:
    inputs = keras.Input((steps, 6, 7, CHANNELS))
    _, names = run(snippet, keras=keras, x=inputs)
    return keras.Model(inputs, names["x"])


@pytest.mark.parametrize("kind", ["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"])
def test_every_snippet_is_narrow_and_valid(kind: str) -> None:
    empty = ("zoneout", "strided_convolution") if kind == "ConvLSTM3D" else ("zoneout",)
    check_lines(of(kind, **SAME), empty=empty)


def test_a_layer_that_shrinks_images_is_not_added_to_them() -> None:
    check_lines(of(**PLAIN), empty=("zoneout", "residual", "stacked"))
    check_lines(of(**SAME, strides=2), empty=("zoneout", "residual", "stacked"))
    first = {**SAME, "data_format": "channels_first"}
    check_lines(of(**first), empty=("zoneout", "strided_convolution"))


@pytest.mark.parametrize(
    "arguments",
    [
        PLAIN,
        SAME,
        {**PLAIN, "dilation_rate": (2, 1), "padding": "same", "use_bias": False},
        {**PLAIN, "kernel_size": (3, 2), "strides": (2, 1), "go_backwards": True},
        {**PLAIN, "recurrent_activation": "hard_sigmoid", "data_format": "channels_last"},
    ],
)
def test_the_layer_is_written_with_its_own_arguments(arguments: dict[str, Any]) -> None:
    before = L.ConvLSTM2D(**arguments)
    after = made(of(**arguments).recurrent_dropout(0.2))
    changed = {**before.get_config(), "recurrent_dropout": 0.2}
    assert without_seeds(after.get_config()) == without_seeds(changed)


def without_seeds(config: dict[str, Any]) -> str:
    return str({k: v for k, v in config.items() if k != "seed"})


def test_bounds_are_of_a_filter_s_whole_window() -> None:
    layer = made(of(**PLAIN).constraint(0.5))
    layer.cell.kernel.assign(layer.cell.kernel * 100)
    bounded = layer.cell.kernel.constraint(layer.cell.kernel)
    kernel = keras.ops.convert_to_numpy(keras.ops.stop_gradient(bounded))
    norms = np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), axis=0)
    np.testing.assert_allclose(norms, 0.5, rtol=1e-3)


def test_chrono_reaches_the_gates_of_every_filter() -> None:
    layer = made_behind(of(**PLAIN).chrono(100))
    bias = keras.ops.convert_to_numpy(keras.ops.stop_gradient(layer.cell.bias))
    ingate, forget, candidate, output = np.split(bias, 4)
    assert (forget > 0).all()
    assert forget.max() <= np.log(99)
    np.testing.assert_allclose(ingate, -forget)
    assert not candidate.any()
    assert not output.any()


def made_behind(snippet: str) -> Any:
    """The same, where the snippet defines something first."""
    values, _ = run(snippet, keras=keras)
    values[-1](images())
    return values[-1]


def test_units_are_filters() -> None:
    assert made(of(**PLAIN).units(7)).filters == 7


def test_what_stands_around_the_layer_runs() -> None:
    own = of(**SAME)
    for snippet in (
        own.between_dropout(0.2),
        own.layer_normalization(),
        own.batch_normalization(),
        own.stacked(),
        own.residual(),
    ):
        assert flow(snippet).output_shape == (None, 5, 6, 7, FILTERS)


def test_a_strided_convolution_leaves_images_as_large() -> None:
    network = flow(of(**SAME).strided_convolution(4), steps=20)
    assert network.output_shape == (None, 5, 6, 7, FILTERS)
