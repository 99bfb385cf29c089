"""Custom layers and functions in Keras files: never run, and never the end of the work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

from rnndiag import pipeline  # noqa: E402
from rnndiag.records import Options  # noqa: E402


@pytest.mark.parametrize("odd", [{"layers": 2}, {"layers": ["a", "b"]}, {"layer": {"x": 1}}])
def test_an_odd_configuration_of_a_custom_layer_is_its_own_affair(
    tmp_path: Path, odd: dict[str, object]
) -> None:
    @keras.saving.register_keras_serializable("odd")
    class Odd(keras.layers.Layer):
        def get_config(self) -> dict[str, object]:
            return {**super().get_config(), **odd}

        def call(self, inputs):  # type: ignore[no-untyped-def]
            return inputs

    model = keras.Sequential([keras.Input((6, 2)), keras.layers.LSTM(3, return_sequences=True)])
    model.add(Odd())
    model.add(keras.layers.GRU(2))
    model.save(tmp_path / "odd.h5")
    first, second = pipeline.inspect(
        str(tmp_path / "odd.h5"), Options(batch=2), in_full=True
    ).run.layers
    assert first.isolated is None
    assert "Odd" in str(second.isolated)


def test_a_regularizer_of_the_users_own_is_a_name_among_the_facts(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("own")
    def gentle(weights):  # type: ignore[no-untyped-def]
        return 0.0 * weights.sum()

    rnn = keras.layers.LSTM(3, kernel_regularizer=gentle)
    keras.Sequential([keras.Input((6, 2)), rnn]).save(tmp_path / "own.h5")
    report = pipeline.inspect(str(tmp_path / "own.h5"), Options(batch=2), in_full=True).report
    facts = {fact.name: fact.value for fact in report.training}
    assert "gentle" in str(facts["kernel_regularizer"])
