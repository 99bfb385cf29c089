"""Where pulses start, and what they start as, in networks with padding, pooling and states."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

from rnndiag import pipeline  # noqa: E402
from rnndiag.records import LayerRun, Options  # noqa: E402
from rnndiag.running.pulses import NOTHING_ARRIVES, NOTHING_KNOWN  # noqa: E402

layers = keras.layers
LENGTHS = (9, 3, 6, 1, 8)
STEPS = 9


def runs(folder: Path, model: keras.Model, x: np.ndarray, **options: str) -> list[LayerRun]:
    """The recurrent layers of a saved model on a saved probe."""
    file, probe = folder / "model.h5", folder / "probe.npz"
    model.save(file)
    np.savez(probe, x=x)
    done = pipeline.inspect(str(file), Options(probe=str(probe), **options), in_full=True)
    return list(done.run.layers)


def relative(layer: LayerRun, sample: int) -> np.ndarray:
    """A sample's log profile, from its last real step back."""
    logs = layer.pulse_log_norm[0, sample, layer.real[sample]][::-1]
    return logs - logs[0]


def padded_ids(*, front: bool = False) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = np.zeros((len(LENGTHS), STEPS), np.int32)
    for row, length in zip(x, LENGTHS, strict=True):
        ids = rng.integers(1, 7, length)
        row[STEPS - length :] = ids if front else row[STEPS - length :]
        row[:length] = row[:length] if front else ids
    return x


def text_model(*, mask: bool, rnn: keras.layers.Layer) -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.Input((None,)), layers.Embedding(7, 4, mask_zero=mask), rnn, layers.Dense(1)]
    )


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU, layers.SimpleRNN])
def test_a_padded_sample_has_the_pulse_it_has_alone(tmp_path: Path, kind: type) -> None:
    model = text_model(mask=True, rnn=kind(5))
    x = padded_ids()
    (together,) = runs(tmp_path, model, x)
    assert together.why_isotropic is None
    for sample, length in enumerate(LENGTHS):
        (alone,) = runs(tmp_path, model, x[sample : sample + 1, :length])
        np.testing.assert_allclose(relative(together, sample), relative(alone, 0), atol=1e-4)


def test_padding_in_front_or_behind_gives_the_same_profiles(tmp_path: Path) -> None:
    model = text_model(mask=True, rnn=layers.LSTM(5))
    (behind,) = runs(tmp_path, model, padded_ids())
    (front,) = runs(tmp_path, model, padded_ids(front=True))
    for sample in range(len(LENGTHS)):
        np.testing.assert_allclose(relative(behind, sample), relative(front, sample), atol=1e-4)


def test_both_directions_of_a_masked_layer_get_every_samples_pulse(tmp_path: Path) -> None:
    model = text_model(mask=True, rnn=layers.Bidirectional(layers.LSTM(5)))
    for layer in runs(tmp_path, model, padded_ids()):
        starts = np.take_along_axis(
            layer.pulse_log_norm[0], _last_real(layer.real)[:, None], axis=1
        )
        assert np.isfinite(starts).all()
        assert layer.why_isotropic is None


def test_unmasked_padding_is_part_of_the_way_to_the_output(tmp_path: Path) -> None:
    """A linear output has one direction, so the loss's profile is the pulse's."""
    model = text_model(mask=False, rnn=layers.LSTM(5))
    (layer,) = runs(tmp_path, model, padded_ids(), loss="mean_square")
    assert layer.arrays.gamma is not None
    norms = np.linalg.norm(np.concatenate([layer.arrays.dL_dh, layer.arrays.gamma], -1), axis=-1)
    for sample, length in enumerate(LENGTHS):
        assert layer.real[sample].sum() == length
        back = np.log(norms[sample, :length][::-1])
        np.testing.assert_allclose(relative(layer, sample), back - back[0], atol=1e-4)


def test_a_state_handed_on_starts_the_encoders_pulse(tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    source = keras.Input((STEPS, 3))
    _, h, c = layers.LSTM(4, return_state=True, name="encoder")(source)
    decoded = layers.LSTM(4, name="decoder")(layers.RepeatVector(3)(h), initial_state=[h, c])
    model = keras.Model(source, layers.Dense(1)(decoded))
    x = np.random.default_rng(3).normal(size=(4, STEPS, 3)).astype(np.float32)
    found = {layer.name: layer for layer in runs(tmp_path, model, x, loss="mean_square")}
    encoder = found["encoder"]
    assert encoder.arrays.gamma is not None
    norms = np.linalg.norm(
        np.concatenate([encoder.arrays.dL_dh, encoder.arrays.gamma], -1), axis=-1
    )
    for sample in range(len(x)):
        back = np.log(norms[sample][::-1])
        np.testing.assert_allclose(relative(encoder, sample), back - back[0], atol=1e-4)


def test_samples_that_no_pulse_reaches_do_not_count(tmp_path: Path) -> None:
    keras.utils.set_random_seed(4)
    rnn = layers.LSTM(3, return_sequences=True)
    pooled = [keras.Input((STEPS, 2)), rnn, layers.GlobalMaxPooling1D(), layers.Dense(1)]
    x = np.random.default_rng(5).normal(size=(32, STEPS, 2)).astype(np.float32)
    (layer,) = runs(tmp_path, keras.Sequential(pooled), x)
    reached = np.isfinite(layer.pulse_log_norm[0, :, -1])
    at_the_end = (layer.arrays.h.argmax(1) == STEPS - 1).any(-1)
    np.testing.assert_array_equal(reached, at_the_end)
    from rnndiag.measurements import gradient_span

    fact = gradient_span.measure(layer, Options())
    assert isinstance(fact, gradient_span.GradientSpan)
    assert fact.samples == reached.sum() < len(x)


def test_where_nothing_arrives_random_vectors_stand_in_and_it_is_said(tmp_path: Path) -> None:
    keras.utils.set_random_seed(6)
    rnn = layers.LSTM(3, return_sequences=True)
    cut = [keras.Input((STEPS, 2)), rnn, layers.Cropping1D((0, 2)), layers.LSTM(2), layers.Dense(1)]
    x = np.random.default_rng(7).normal(size=(4, STEPS, 2)).astype(np.float32)
    lower, upper = runs(tmp_path, keras.Sequential(cut), x)
    assert lower.why_isotropic == NOTHING_ARRIVES
    np.testing.assert_allclose(lower.pulse_log_norm[:, :, -1], 0, atol=1e-6)
    assert upper.why_isotropic is None


def test_a_bare_module_gets_random_vectors(tmp_path: Path) -> None:
    import torch

    module = torch.nn.LSTM(3, 4, num_layers=2)
    state = module.state_dict() | {"other": torch.zeros(7)}
    torch.save(state, tmp_path / "model.pt")
    found = pipeline.inspect(
        str(tmp_path / "model.pt"), Options(batch=2, seeds=1), in_full=True
    ).run.layers
    assert {layer.why_isotropic for layer in found} == {NOTHING_KNOWN}


def test_no_loss_is_made_of_noise(tmp_path: Path) -> None:
    from rnndiag.errors import BadOption

    @keras.saving.register_keras_serializable()
    class Custom(layers.Layer):
        def call(self, inputs):  # type: ignore[no-untyped-def]
            return inputs

    model = keras.Sequential([keras.Input((STEPS, 2)), Custom(), layers.LSTM(3), layers.Dense(1)])
    model.save(tmp_path / "model.h5")
    with pytest.raises(BadOption, match="output is not known"):
        pipeline.inspect(str(tmp_path / "model.h5"), Options(loss="mean_square"), in_full=True)


def _last_real(real: np.ndarray) -> np.ndarray:
    return real.shape[1] - 1 - real[:, ::-1].argmax(1)


def test_each_inputs_padding_stays_with_what_it_feeds(tmp_path: Path) -> None:
    keras.utils.set_random_seed(8)
    sources = [keras.Input((STEPS, 2), name=name) for name in ("short", "long")]
    rnn = layers.LSTM(3, name="shared")
    model = keras.Model(sources, layers.Dense(1)(layers.Concatenate()([rnn(x) for x in sources])))
    model.save(tmp_path / "model.h5")
    short, long = np.random.default_rng(9).normal(size=(2, 4, STEPS, 2)).astype(np.float32)
    short[:, 5:] = 0
    np.savez(tmp_path / "probe.npz", short=short, long=long)
    options = Options(probe=str(tmp_path / "probe.npz"))
    first, second = pipeline.inspect(str(tmp_path / "model.h5"), options, in_full=True).run.layers
    assert first.real.sum(1).tolist() == [5] * 4
    assert second.real.all()


def test_a_direction_that_ends_elsewhere_leaves_other_outputs_alone(tmp_path: Path) -> None:
    keras.utils.set_random_seed(10)
    source = keras.Input((STEPS, 2))
    sequence = layers.Dense(1)(layers.LSTM(3, return_sequences=True, name="seq")(source))
    ends = layers.Dense(1)(layers.Bidirectional(layers.LSTM(2), name="ends")(source))
    x = np.random.default_rng(11).normal(size=(4, STEPS, 2)).astype(np.float32)
    x[:, 4:] = 0
    alone = runs(tmp_path, keras.Model(source, sequence), x)[0]
    beside = runs(tmp_path, keras.Model(source, [sequence, ends]), x)[0]
    assert alone.real.sum(1).tolist() == beside.real.sum(1).tolist() == [4] * 4
    for sample in range(len(x)):
        np.testing.assert_allclose(relative(alone, sample), relative(beside, sample), atol=1e-4)
