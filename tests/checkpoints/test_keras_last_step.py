"""What a Keras file tells of its optimizer: settings, steps made, and the last of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from rnndiag import checkpoints
from rnndiag.checkpoints._keras import updates
from rnndiag.checkpoints._keras.training import training_facts
from rnndiag.errors import UnreadableCheckpoint
from rnndiag.records import NO_OPTIMIZER, Array, Checkpoint, KerasModel, NamedArray

KERAS = Path(__file__).parents[1] / "data" / "keras"


def told(optimizer: Any) -> dict[str, Any]:
    """The facts of a compile configuration, by name."""
    config = {"class_name": "Sequential", "config": {"layers": []}}
    return {f.name: f.value for f in training_facts(config, {"optimizer_config": optimizer})}


# ---------------------------------------------------------------- settings


def test_every_setting_of_an_optimizer() -> None:
    optimizer = keras.optimizers.AdamW(
        0.01, weight_decay=0.02, clipnorm=1.5, use_ema=True, name="mine"
    )
    assert told(keras.saving.serialize_keras_object(optimizer)) == {
        "optimizer": "AdamW",
        "learning_rate": pytest.approx(0.01),
        "weight_decay": 0.02,
        "decoupled_weight_decay": True,
        "clipnorm": 1.5,
        "ema_momentum": 0.99,
        "use_ema": True,
    }


@pytest.mark.parametrize("key", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_each_kind_of_clipping(key: str) -> None:
    optimizer = keras.optimizers.Nadam(**{key: 0.5})
    facts = told(keras.saving.serialize_keras_object(optimizer))
    assert (facts["optimizer"], facts[key]) == ("Nadam", 0.5)
    assert "decoupled_weight_decay" not in facts


def test_a_schedule_is_a_plain_mapping() -> None:
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 1000, warmup_target=0.2, warmup_steps=9)
    rate = told(keras.saving.serialize_keras_object(keras.optimizers.SGD(schedule)))[
        "learning_rate"
    ]
    assert json.loads(json.dumps(rate)) == rate
    assert rate["class_name"] == "CosineDecay"
    assert (rate["initial_learning_rate"], rate["decay_steps"]) == (0.1, 1000)


def test_an_optimizer_within_another() -> None:
    inner = {"class_name": "Adam", "config": {"learning_rate": 0.5, "clipvalue": 2.0}}
    scaled = {"class_name": "Custom>LossScaleOptimizer", "config": {"inner_optimizer": inner}}
    assert told(scaled) == {"optimizer": "Adam", "learning_rate": 0.5, "clipvalue": 2.0}


@pytest.mark.parametrize("odd", [None, 3, {}, {"config": 3}, {"config": {"optimizer": 3}}])
def test_odd_configurations_tell_nothing(odd: Any) -> None:
    assert told(odd) == {}


def test_an_optimizer_may_be_stored_by_its_name() -> None:
    assert told("adam") == {"optimizer": "adam"}


# ---------------------------------------------------------------- the last step


def model(optimizer: Any) -> Any:
    keras.utils.set_random_seed(2)
    net = keras.Sequential(
        [
            keras.Input((6, 3)),
            keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True)),
            keras.layers.GRU(5),
            keras.layers.Dense(1),
        ]
    )
    net.compile(optimizer=optimizer, loss="mse")
    return net


def stepped(net: Any, steps: int) -> dict[str, Array]:
    """The weights before the last step."""
    rng = np.random.default_rng(0)
    for _ in range(steps):
        before = {v.path: np.array(keras.ops.convert_to_numpy(v)) for v in net.trainable_variables}
        net.train_on_batch(rng.standard_normal((8, 6, 3)), rng.standard_normal((8, 1)))
    return before


def rms(array: Array) -> float:
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))


def stored(checkpoint: Checkpoint) -> dict[str, Array]:
    assert isinstance(checkpoint.content, KerasModel)
    return {n.name: n.array for own in checkpoint.content.weights.values() for n in own}


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5:UserWarning")
@pytest.mark.parametrize(
    ("optimizer", "decay"),
    [
        (lambda: keras.optimizers.Adam(0.05), 0.0),
        (lambda: keras.optimizers.Adam(0.05, epsilon=0.1, beta_1=0.6), 0.0),
        (lambda: keras.optimizers.Adam(0.05, amsgrad=True, beta_2=0.5), 0.0),
        (lambda: keras.optimizers.AdamW(0.05, weight_decay=0.1), 0.05 * 0.1),
    ],
)
def test_the_last_update_is_the_change_of_the_weights(
    tmp_path: Path, optimizer: Any, decay: float
) -> None:
    net = model(optimizer())
    before = stepped(net, 3)
    net.save(tmp_path / "net.h5")
    checkpoint = checkpoints.read(tmp_path / "net.h5")
    after = stored(checkpoint)
    assert checkpoint.updates.keys() == after.keys() == before.keys()
    for name, array in after.items():
        update = checkpoint.updates[name]
        # The weights are float32, and the update is a difference of two of them.
        moved = rms(array - (1 - decay) * before[name])
        assert update.update_rms == pytest.approx(moved, rel=2e-5)
        assert (update.size, update.weight_rms) == (array.size, pytest.approx(rms(array)))
    facts = {fact.name: fact.value for fact in checkpoint.training}
    assert facts["optimizer_step"] == 3


@pytest.mark.parametrize("writer", ["keras-3.15", "tf-keras-2.15"])
@pytest.mark.parametrize("name", ["bidi_concat_sum", "regularized", "gru_reset_after"])
def test_moments_are_found_by_name(writer: str, name: str) -> None:
    """Each writer's own names; the running gradient is m / (1 - β₁ᵗ)."""
    path = KERAS / writer / f"{name}.h5"
    checkpoint = checkpoints.read(path)
    recurrent = [key for key in stored(checkpoint) if "recurrent_kernel" in key]
    assert recurrent
    with h5py.File(path) as file:
        group = file["optimizer_weights"]
        names = [str(key) for key in group.attrs["weight_names"]]
        step = int(group[names[0]][()])
        for key in recurrent:
            flat = key.removesuffix(":0").replace("/", "_")
            mean = [n for n in names if n.endswith((f"/m/{key}", f"/{flat}_momentum"))]
            expected = rms(group[mean[0]][()]) / (1 - 0.9**step)
            assert checkpoint.updates[key].gradient_rms == pytest.approx(expected)
            update = checkpoint.updates[key].update_rms
            assert update is not None
            assert 0 < update < 0.02


def test_names_of_the_first_tf_keras(tmp_path: Path) -> None:
    source = KERAS / "tf-keras-2.15" / "gru_reset_after.h5"

    def old(name: str) -> str:
        if name == "iteration:0":
            return "training_1/Adam/iter:0"
        kind, of = name.removeprefix("Adam/")[0], name.removeprefix("Adam/")[2:]
        return f"training_1/Adam/{of.removesuffix(':0')}/{kind}:0"

    renamed = rename(source, tmp_path / "old.h5", old)
    expected, found = (checkpoints.read(path).updates for path in (source, renamed))
    assert dict(found) == dict(expected)
    assert len(found) > 0


def rename(source: Path, target: Path, new: Any) -> Path:
    """A copy whose optimizer calls its arrays otherwise."""
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        old = file["optimizer_weights"]
        arrays = {new(str(name)): old[name][()] for name in old.attrs["weight_names"]}
        del file["optimizer_weights"]
        group = file.create_group("optimizer_weights")
        for name, array in arrays.items():
            group[name] = array
        group.attrs["weight_names"] = list(arrays)
    return target


def test_numbered_variables_tell_nothing_but_the_steps() -> None:
    checkpoint = checkpoints.read(KERAS / "keras-2.2.4" / "bidi.h5")
    assert len(checkpoint.updates) == 0
    assert "do not tell which array" in checkpoint.why_no_updates
    assert [fact.value for fact in checkpoint.training if fact.name == "optimizer_step"] == [2]


@pytest.mark.parametrize(
    ("names", "size", "matched"),
    [(["a_b"], 3, ["a_b"]), (["a/b:0"], 3, ["a/b:0"]), (["a_b", "a/b"], 3, []), (["a_b"], 4, [])],
)
def test_a_moment_is_of_the_one_array_of_its_name_and_shape(
    tmp_path: Path, names: list[str], size: int, matched: list[str]
) -> None:
    """Keras 3 writes the array's slashes as underscores, so that two may come out the same."""
    arrays = [NamedArray(name=name, array=np.ones(size, np.float32)) for name in names]
    config = {"class_name": "Adam", "config": {"beta_1": 0.9, "beta_2": 0.99}}
    with h5py.File(tmp_path / "net.h5", "w") as file:
        group = file.create_group("optimizer_weights")
        group["adam/iteration"] = 3
        for moment in ("momentum", "velocity"):
            group[f"adam/a_b_{moment}"] = np.ones(3, np.float32)
        names = ["adam/iteration", "adam/a_b_momentum", "adam/a_b_velocity"]
        group.attrs["weight_names"] = names
        known = updates.read(tmp_path / "net.h5", file, arrays, {"optimizer_config": config})
    assert list(known.updates) == matched


def test_other_optimizers_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sgd.h5"
    shutil.copy(KERAS / "keras-3.15" / "lstm_basic.h5", path)
    with h5py.File(path, "r+") as file:
        config = file.attrs["training_config"]
        file.attrs["training_config"] = config.replace('"Adam"', '"Nadam"')
    checkpoint = checkpoints.read(path)
    assert len(checkpoint.updates) == 0
    assert checkpoint.why_no_updates == "the moments of Nadam are not read; those of Adam are"


@pytest.mark.parametrize("change", [{"decay": 0.1}, {"gradient_accumulation_steps": 4}])
def test_a_learning_rate_that_is_not_known(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "net.h5"
    shutil.copy(KERAS / "tf-keras-2.15" / "gru_reset_after.h5", path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["training_config"])
        config["optimizer_config"]["config"].update(change)
        file.attrs["training_config"] = json.dumps(config)
    updates = checkpoints.read(path).updates
    name = next(name for name in updates if "recurrent" in name)
    assert updates[name].update_rms is None
    assert updates[name].gradient_rms is not None


def test_moments_elsewhere_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    shutil.copy(KERAS / "keras-3.15" / "lstm_basic.h5", path)
    with h5py.File(path, "r+") as file:
        del file["optimizer_weights"]
        file["optimizer_weights"] = h5py.ExternalLink("/etc/hostname", "/x")
    checkpoint = checkpoints.read(path)
    assert len(checkpoint.updates) == 0
    assert "not followed" in checkpoint.notes[-1]


def test_a_file_without_an_optimizer(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    shutil.copy(KERAS / "keras-3.15" / "lstm_basic.h5", path)
    with h5py.File(path, "r+") as file:
        del file["optimizer_weights"]
    checkpoint = checkpoints.read(path)
    assert (checkpoint.updates, checkpoint.why_no_updates) == ({}, NO_OPTIMIZER)


def test_a_file_that_is_gone_when_it_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    shutil.copy(KERAS / "keras-3.15" / "lstm_basic.h5", path)
    updates = checkpoints.read(path).updates
    path.unlink()
    with pytest.raises(UnreadableCheckpoint, match=r"net\.h5"):
        updates[next(iter(updates))]
