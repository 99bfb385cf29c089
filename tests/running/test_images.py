"""Networks that read images: what of a probe is run, what is said, and the arrays that come out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from rnndiag import pipeline
from rnndiag.pipeline import Diagnosis
from rnndiag.records import Array, Options
from rnndiag.running import affording
from tests import keras_networks

STEPS, ROWS, COLUMNS, FILTERS = 7, 5, 4, 3
L = keras.layers


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A network that answers once, its .keras file, and beside it the other kinds."""
    folder = tmp_path_factory.mktemp("images")
    model = keras.Sequential(
        [
            keras.Input((STEPS, ROWS, COLUMNS, 2)),
            L.ConvLSTM2D(FILTERS, 3, padding="same", return_sequences=True, name="low"),
            L.ConvLSTM2D(2, 2, name="high"),
        ]
    )
    model.compile("adam", "mse")
    x = normal(6, STEPS, ROWS, COLUMNS, 2)
    model.fit(x, np.zeros((6, ROWS - 1, COLUMNS - 1, 2)), verbose=0)
    keras_networks.randomize(model)
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    model.save_weights(folder / "model.weights.h5")
    (folder / "architecture.json").write_text(model.to_json())
    np.savez(folder / "probe.npz", x=x)
    return model, folder


def normal(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def inspect(folder: Path, name: str = "model.keras", **options: Any) -> Diagnosis:
    return pipeline.inspect(str(folder / name), Options(**options), in_full=True)


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5"])
def test_every_kind_of_file(saved: tuple[Any, Path], name: str) -> None:
    model, folder = saved
    more = {"architecture": str(folder / "architecture.json")} if "weights" in name else {}
    done = inspect(folder, name, probe=str(folder / "probe.npz"), **more)
    want = model.predict(normal(6, STEPS, ROWS, COLUMNS, 2), verbose=0)
    np.testing.assert_allclose(done.run.outputs[0], want, rtol=0, atol=1e-6)
    told = [(own.kind, own.input_size, own.hidden_size) for own in done.report.layers]
    assert told == [("ConvLSTM2D", 2, FILTERS), ("ConvLSTM2D", FILTERS, 2)]
    low = done.run.layers[0]
    assert low.arrays.h.shape == low.arrays.dL_dh.shape == (6, STEPS, ROWS * COLUMNS * FILTERS)
    (wide,) = (note for note in done.report.notes if "positions" in note)
    assert wide.startswith("low (20 positions x 3 filters), high (12 positions x 2 filters): ")


def test_states_are_keras_s_own_in_its_order(saved: tuple[Any, Path]) -> None:
    model, folder = saved
    done = inspect(folder, probe=str(folder / "probe.npz"))
    low = keras.Model(model.inputs, model.get_layer("low").output)
    want = low.predict(normal(6, STEPS, ROWS, COLUMNS, 2), verbose=0).reshape(6, STEPS, -1)
    np.testing.assert_allclose(done.run.layers[0].arrays.h, want, rtol=0, atol=1e-6)


def test_a_pulse_starts_from_the_whole_image(saved: tuple[Any, Path]) -> None:
    """The output (B, rows, columns, channels) has no timesteps of which one would be the last."""
    _, folder = saved
    high = inspect(folder, probe=str(folder / "probe.npz")).run.layers[1]
    assert high.why_isotropic is None
    assert (high.arrays.dL_dh[:, -1] != 0).all()


def test_as_many_samples_as_are_affordable(
    saved: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = saved
    each = STEPS * (ROWS * COLUMNS * FILTERS + (ROWS - 1) * (COLUMNS - 1) * 2)
    whole = inspect(folder, batch=4, seeds=3).run
    monkeypatch.setattr(affording, "_OF_IMAGES", 7 * each)
    part = inspect(folder, batch=4, seeds=3)
    assert (part.report.probe.batch, part.report.probe.seeds) == (2, 3)
    rows = [0, 1, 4, 5, 8, 9]
    np.testing.assert_array_equal(part.run.probe.inputs[0], whole.probe.inputs[0][rows])
    np.testing.assert_allclose(
        part.run.layers[1].arrays.h, whole.layers[1].arrays.h[rows], atol=1e-6
    )
    assert f"6 of 12 samples are run, 2 of each seed: the states of one are {each:,} values" in (
        part.report.notes
    )
    monkeypatch.setattr(affording, "_OF_IMAGES", 2 * each)
    fewer = inspect(folder, batch=4, seeds=3).report.probe
    assert (fewer.batch, fewer.seeds) == (1, 2)
    monkeypatch.setattr(affording, "_OF_IMAGES", 1)
    targets = folder / "targets.npz"
    np.savez(targets, y=normal(6, ROWS - 1, COLUMNS - 1, 2))
    real = inspect(folder, probe=str(folder / "probe.npz"), targets=str(targets), loss="mse")
    assert (real.report.probe.batch, real.run.probe.targets[0].shape[0]) == (1, 1)


def test_other_networks_are_not_run_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affording, "_OF_IMAGES", 1)
    path = Path(__file__).parents[1] / "data/networks/keras-2.2.4/encoder_decoder.h5"
    report = pipeline.diagnose(str(path), Options(batch=3, seeds=2))
    assert (report.probe.batch, report.probe.seeds) == (3, 2)
    assert not [note for note in report.notes if "positions" in note]


def test_a_layer_whose_input_is_lost_is_fed_made_up_images(tmp_path: Path) -> None:
    source = keras.Input((STEPS, ROWS, COLUMNS, 2))
    x = L.ConvLSTM2D(FILTERS, (3, 2), name="behind")(L.Lambda(lambda x: x)(source))
    path = tmp_path / "model.keras"
    keras.Model(source, x).save(path)
    report = pipeline.diagnose(str(path), Options())
    (layer,) = report.layers
    assert layer.analysed
    assert layer.reason is not None
    (note,) = (note for note in report.notes if "positions" in note)
    # Made-up images are 8 x 8, of which windows of 3 x 2 leave 6 x 7.
    assert note.startswith(f"behind (42 positions x {FILTERS} filters)")


def test_a_configuration_that_fits_no_kernel_is_no_crash(saved: tuple[Any, Path]) -> None:
    _, folder = saved
    told = json.loads((folder / "architecture.json").read_text())
    told["config"]["layers"][1]["config"]["kernel_size"] = [9, 9]
    wrong = folder / "wrong.json"
    wrong.write_text(json.dumps(told))
    report = inspect(folder, "model.weights.h5", architecture=str(wrong)).report
    assert [own.analysed for own in report.layers if own.name == "low"] == [False]


def test_weights_alone_with_the_layer_s_own_configuration(saved: tuple[Any, Path]) -> None:
    """Without one, nothing tells strides and padding."""
    model, folder = saved
    alone = folder / "alone"
    alone.mkdir(exist_ok=True)
    path = alone / "some.weights.h5"
    path.write_bytes((folder / "model.weights.h5").read_bytes())
    bare = pipeline.diagnose(str(path), Options())
    assert [own.analysed for own in bare.layers] == [False, False]
    assert all("strides and padding" in str(own.reason) for own in bare.layers)
    told = json.loads((folder / "architecture.json").read_text())
    config = alone / "layer.json"
    config.write_text(json.dumps(told["config"]["layers"][1]))
    np.save(alone / "x.npy", normal(6, STEPS, ROWS, COLUMNS, 2))
    options = Options(architecture=str(config), probe=str(alone / "x.npy"))
    done = pipeline.inspect(str(path), options, in_full=True)
    analysed = {own.kind: own for own in done.report.layers if own.analysed}
    assert len(done.run.layers) == len(analysed) == 1
    low = keras.Model(model.inputs, model.get_layer("low").output)
    want = low.predict(normal(6, STEPS, ROWS, COLUMNS, 2), verbose=0).reshape(6, STEPS, -1)
    np.testing.assert_allclose(done.run.layers[0].arrays.h, want, rtol=0, atol=1e-6)
