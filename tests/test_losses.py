"""Losses against Keras's own, and which of them is chosen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rnndiag import checkpoints, pipeline
from rnndiag.errors import BadOption, BadProbe
from rnndiag.losses import LOSSES, choose, loss_value
from rnndiag.records import Array, Options, TrainingFact

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RNG = np.random.default_rng(3)
KERAS_LOSSES = {
    "mse": keras.losses.MeanSquaredError(),
    "mae": keras.losses.MeanAbsoluteError(),
    "binary_crossentropy": keras.losses.BinaryCrossentropy(),
    "binary_crossentropy_from_logits": keras.losses.BinaryCrossentropy(from_logits=True),
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy(),
    "categorical_crossentropy_from_logits": keras.losses.CategoricalCrossentropy(from_logits=True),
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy(),
    "sparse_categorical_crossentropy_from_logits": keras.losses.SparseCategoricalCrossentropy(
        from_logits=True
    ),
}
SHAPES = [(6, 4), (1, 4), (6, 5, 4), (1, 1, 4), (6, 1), (6, 5, 1)]
CASES = [
    (name, shape)
    for name in KERAS_LOSSES
    for shape in SHAPES
    if shape[-1] > 1 or "categorical" not in name  # Keras wants more than one class
]


def example(name: str, shape: tuple[int, ...]) -> tuple[Tensor, Array]:
    """An output and targets as a network and a data set would have them."""
    y = torch.tensor(RNG.normal(size=shape), dtype=torch.float32)
    if "from_logits" not in name and "crossentropy" in name:
        y = y.sigmoid() if name.startswith("binary") else y.softmax(-1)
    classes = RNG.integers(shape[-1], size=shape[:-1])
    if name.startswith("sparse"):
        return y, classes
    if name.startswith("categorical"):
        return y, np.eye(shape[-1], dtype=np.float32)[classes]
    if name.startswith("binary"):
        return y, RNG.integers(2, size=shape)
    return y, RNG.normal(size=shape).astype(np.float32)


def ours(name: str, y: Tensor, target: Array, mask: Tensor | None = None) -> tuple[float, Array]:
    leaf = y.clone().requires_grad_()
    loss = loss_value([leaf], [target], name, [mask])
    assert loss is not None
    loss.backward()
    assert leaf.grad is not None
    return float(loss.detach()), leaf.grad.numpy()


def theirs(name: str, y: Tensor, target: Array, mask: Tensor | None = None) -> tuple[float, Array]:
    leaf = y.clone().requires_grad_()
    if mask is not None:
        leaf._keras_mask = mask
    loss = KERAS_LOSSES[name](torch.from_numpy(target), leaf)
    loss.backward()
    assert leaf.grad is not None
    return float(loss.detach()), leaf.grad.numpy()


def agree(one: tuple[float, Array], other: tuple[float, Array]) -> None:
    assert one[0] == pytest.approx(other[0], rel=1e-5, abs=1e-7)
    np.testing.assert_allclose(one[1], other[1], rtol=1e-4, atol=1e-7)


def test_every_loss_has_its_reference() -> None:
    assert set(KERAS_LOSSES) == set(LOSSES)


@pytest.mark.parametrize(("name", "shape"), CASES, ids=str)
def test_value_and_gradient_are_those_of_keras(name: str, shape: tuple[int, ...]) -> None:
    y, target = example(name, shape)
    agree(ours(name, y, target), theirs(name, y, target))


@pytest.mark.parametrize("name", LOSSES)
def test_more_axes_are_more_positions(name: str) -> None:
    y, target = example(name, (2, 3, 5, 4))
    flat = target.reshape(6, *target.shape[2:])
    value, gradient = theirs(name, y.reshape(6, 5, 4), flat)
    agree(ours(name, y, target), (value, gradient.reshape(y.shape)))


@pytest.mark.parametrize("name", LOSSES)
def test_masked_timesteps_do_not_count(name: str) -> None:
    y, target = example(name, (6, 5, 4))
    mask = torch.arange(5) < torch.tensor([[5], [1], [3], [5], [2], [4]])
    agree(ours(name, y, target, mask), theirs(name, y, target, mask))


def test_a_mask_of_nothing_gives_no_loss() -> None:
    y, target = example("mse", (2, 3, 1))
    value, gradient = ours("mse", y, target, torch.zeros(2, 3, dtype=torch.bool))
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy"])
def test_certainties_are_clipped_as_keras_clips_them(name: str) -> None:
    y = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    target = np.array([[1.0, 0.0], [1.0, 0.0]], np.float32)
    agree(ours(name, y, target), theirs(name, y, target))


@pytest.mark.parametrize("name", ["mse", "mae", "binary_crossentropy"])
@pytest.mark.parametrize("shape", [(6, 1), (6, 5, 1)], ids=str)
def test_targets_may_lack_a_last_axis_of_one(name: str, shape: tuple[int, ...]) -> None:
    y, target = example(name, shape)
    agree(ours(name, y, target[..., 0]), theirs(name, y, target))


@pytest.mark.parametrize("shape", [(6, 4), (6, 5, 4)], ids=str)
def test_classes_may_have_a_last_axis_of_one(shape: tuple[int, ...]) -> None:
    name = "sparse_categorical_crossentropy"
    y, target = example(name, shape)
    agree(ours(name, y, target[..., None]), theirs(name, y, target))
    agree(ours(name, y, target.astype(np.float32)), theirs(name, y, target))


def test_several_outputs_are_summed() -> None:
    (y, target), (z, other) = example("mse", (6, 2)), example("mse", (6, 5, 3))
    loss = loss_value([y, z], [target, other], "mse")
    assert float(loss) == pytest.approx(ours("mse", y, target)[0] + ours("mse", z, other)[0])


def test_mean_square_takes_no_targets_and_no_mask() -> None:
    y, z = torch.tensor([[1.0, 2.0]]), torch.tensor([[[3.0]]])
    nothing = torch.zeros(1, 1, dtype=torch.bool)
    assert float(loss_value([y, z], [], "mean_square", [None, nothing])) == 2.5 + 9.0


def test_no_loss_is_asked_for() -> None:
    assert loss_value([torch.ones(2, 2)], [], None) is None


def test_the_losses_of_pytorch() -> None:
    """Their names stand for the same numbers."""
    y, target = example("sparse_categorical_crossentropy_from_logits", (6, 4))
    name = chosen("CrossEntropyLoss")
    assert ours(name, y, target)[0] == pytest.approx(
        float(nn.CrossEntropyLoss()(y, torch.from_numpy(target))), rel=1e-6
    )
    y, target = example("binary_crossentropy_from_logits", (6, 4))
    wanted = nn.BCEWithLogitsLoss()(y, torch.from_numpy(target).float())
    assert ours(chosen("BCEWithLogitsLoss"), y, target)[0] == pytest.approx(float(wanted), rel=1e-6)


# ---------------------------------------------------------------- targets that do not fit


@pytest.mark.parametrize(
    ("name", "output", "target", "told"),
    [
        ("mse", (4, 2), np.zeros(4), r"shape \(4,\), but loss mse takes \(4, 2\)"),
        ("mse", (4, 5, 2), np.zeros((4, 2)), r"takes \(4, 5, 2\)"),
        ("categorical_crossentropy", (4, 3), np.zeros(4), r"takes \(4, 3\)"),
        ("sparse_categorical_crossentropy", (4, 3), np.eye(4)[:, :3], r"takes \(4,\)"),
        ("sparse_categorical_crossentropy", (4, 3), np.array([0, 1, 2, 3]), "hold 3, but"),
        ("sparse_categorical_crossentropy", (4, 3), np.array([0, -1, 2, 0]), "hold -1, but"),
        ("sparse_categorical_crossentropy", (4, 3), np.array([0, 0.5, 2, 0]), "hold 0.5, but"),
    ],
)
def test_targets_that_do_not_fit(
    name: str, output: tuple[int, ...], target: Array, told: str
) -> None:
    with pytest.raises(BadProbe, match=told) as raised:
        loss_value([torch.ones(output)], [target], name)
    assert raised.value.hint


def test_the_other_cross_entropy_is_suggested() -> None:
    with pytest.raises(BadProbe) as raised:
        loss_value([torch.ones(4, 3)], [np.zeros(4)], "categorical_crossentropy")
    assert "--loss sparse_categorical_crossentropy" in raised.value.hint


def test_too_few_targets() -> None:
    y = torch.ones(4, 1)
    with pytest.raises(BadProbe, match="needs targets for 2 outputs, not for 1"):
        loss_value([y, y], [np.ones((4, 1))], "mse")


def test_an_output_that_is_not_known() -> None:
    with pytest.raises(BadOption, match="output is not known"):
        loss_value([], [], "mean_square")


# ---------------------------------------------------------------- which loss


def fact(value: Any) -> tuple[TrainingFact, ...]:
    other = TrainingFact(name="learning_rate", value=0.1, source="training_config")
    return other, TrainingFact(name="loss", value=value, source="training_config")


def chosen(loss: str | None, trained: Any = None, targets: str | None = "y.npz") -> str:
    name = choose(Options(loss=loss, targets=targets), fact(trained), ("y",)).loss
    assert name is not None
    return name


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("MSE", "mse"),
        ("mean_squared_error", "mse"),
        ("MeanSquaredError", "mse"),
        ("MSELoss", "mse"),
        ("MAE", "mae"),
        ("mean_absolute_error", "mae"),
        ("BinaryCrossentropy", "binary_crossentropy"),
        ("keras.losses>CategoricalCrossentropy", "categorical_crossentropy"),
        ("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy"),
        ("mean_square", "mean_square"),
        *((name, name) for name in LOSSES),
    ],
)
def test_a_loss_has_many_names(name: str, known: str) -> None:
    assert chosen(name) == known
    assert chosen(None, name) == known


def test_keras_calls_its_losses_by_names_that_are_known() -> None:
    for name, loss in KERAS_LOSSES.items():
        assert chosen(type(loss).__name__) == name.removesuffix("_from_logits")
        assert chosen(loss.name) == name.removesuffix("_from_logits")


def test_the_loss_asked_for_goes_before_the_loss_trained_with() -> None:
    assert chosen("mae", "mse") == "mae"


def test_no_loss_without_targets() -> None:
    assert choose(Options(), fact("mse"), ("y",)).loss is None


@pytest.mark.parametrize("value", [["mse", "MeanSquaredError"], {"a": "mse", "b": "mse"}])
def test_outputs_trained_with_the_same_loss(value: Any) -> None:
    assert chosen(None, value) == "mse"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("huber", "trained with huber, which"),
        (["mse", "mae"], "trained with mae, mse, which"),
        ({"a": "mse", "b": "my_loss"}, "trained with mse, my_loss, which"),
        (None, "does not tell its loss"),
        ({}, "does not tell its loss"),
    ],
)
def test_a_trained_loss_that_cannot_be_chosen(value: Any, told: str) -> None:
    with pytest.raises(BadOption, match=told) as raised:
        chosen(None, value)
    assert all(name in raised.value.hint for name in ("--loss", "mean_square", *LOSSES))


def test_a_checkpoint_that_tells_nothing() -> None:
    with pytest.raises(BadOption, match="does not tell its loss"):
        choose(Options(targets="y.npz"), (), ("y",))


def test_an_unknown_loss() -> None:
    with pytest.raises(BadOption, match="--loss msse: no loss that rnndiag knows") as raised:
        chosen("msse")
    assert "mean_square, mse, mae" in raised.value.hint


def test_a_loss_that_lacks_targets() -> None:
    with pytest.raises(BadOption, match="--loss mse needs targets"):
        chosen("mse", targets=None)
    assert chosen("mean_square", targets=None) == "mean_square"


# ---------------------------------------------------------------- the loss in a checkpoint


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_that_keras_saved_is_chosen(name: str, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2, 3)), keras.layers.SimpleRNN(2)])
    model.compile("sgd", KERAS_LOSSES[name])
    model.save(tmp_path / "model.h5")
    facts = checkpoints.read(tmp_path / "model.h5").training
    assert choose(Options(targets="y.npz"), facts, ("a", "b")).loss == name


def test_two_outputs_trained_with_one_loss(tmp_path: Path) -> None:
    x = keras.Input((2, 3))
    outputs = [keras.layers.SimpleRNN(2, name="a")(x), keras.layers.SimpleRNN(2, name="b")(x)]
    model = keras.Model(x, outputs)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile("sgd", {"a": loss, "b": loss})
    model.save(tmp_path / "model.h5")
    facts = checkpoints.read(tmp_path / "model.h5").training
    assert (
        choose(Options(targets="y.npz"), facts, ("a", "b")).loss
        == "binary_crossentropy_from_logits"
    )


@pytest.mark.parametrize("sequences", [True, False], ids=["each step", "last step"])
def test_the_loss_of_a_masked_network_is_what_keras_evaluates(
    sequences: bool, tmp_path: Path
) -> None:
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Embedding(9, 3, mask_zero=True),
            keras.layers.LSTM(4, return_sequences=sequences),
            keras.layers.Dense(5, "softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    path, probe = tmp_path / "model.h5", tmp_path / "probe.npz"
    model.save(path)
    ids = RNG.integers(1, 9, (4, 6)) * (np.arange(6) < [[6], [3], [1], [4]])
    classes = RNG.integers(5, size=(4, 6) if sequences else 4)
    np.savez(probe, x=ids, y=classes)
    done = pipeline.inspect(str(path), Options(probe=str(probe), targets=str(probe)))
    assert done.run.loss == pytest.approx(model.evaluate(ids, classes, verbose=0), rel=1e-5)


@pytest.mark.parametrize("weights", [[1.0, 100.0], {"a": 1.0, "b": 100.0}])
def test_outputs_count_as_they_did_in_training(tmp_path: Path, weights: Any) -> None:
    keras.utils.set_random_seed(3)
    x = keras.Input((5, 2))
    outputs = {name: keras.layers.SimpleRNN(2, name=name)(x) for name in ("a", "b")}
    targets = {name: np.ones((4, 2), np.float32) for name in outputs}
    model = keras.Model(x, outputs if isinstance(weights, dict) else list(outputs.values()))
    loss = "mean_squared_error"
    each = dict.fromkeys(outputs, loss) if isinstance(weights, dict) else [loss, loss]
    model.compile(loss=each, loss_weights=weights)
    batch = np.random.default_rng(1).normal(size=(4, 5, 2)).astype(np.float32)
    wanted = targets if isinstance(weights, dict) else list(targets.values())
    expected = model.evaluate(batch, wanted, verbose=0, return_dict=True)["loss"]
    model.save(tmp_path / "model.h5")
    np.savez(tmp_path / "probe.npz", x=batch)
    np.savez(tmp_path / "targets.npz", **targets)
    options = Options(probe=str(tmp_path / "probe.npz"), targets=str(tmp_path / "targets.npz"))
    found = pipeline.inspect(str(tmp_path / "model.h5"), options).run.loss
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (lambda: keras.losses.MeanSquaredError(reduction="sum"), "reduction=sum"),
        (lambda: keras.losses.BinaryCrossentropy(label_smoothing=0.2), "label_smoothing=0.2"),
    ],
)
def test_a_loss_that_is_more_than_its_name_is_not_guessed(
    tmp_path: Path, loss: Any, told: str
) -> None:
    model = keras.Sequential([keras.Input((2, 3)), keras.layers.LSTM(1)])
    model.compile("sgd", loss())
    model.save(tmp_path / "model.h5")
    facts = checkpoints.read(tmp_path / "model.h5").training
    with pytest.raises(BadOption, match=told):
        choose(Options(targets="y.npz", probe="x.npz"), facts, ("y",))


def test_a_loss_with_a_name_of_its_own_is_known_by_its_class(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2, 3)), keras.layers.LSTM(1)])
    model.compile("sgd", keras.losses.MeanSquaredError(name="mine"))
    model.save(tmp_path / "model.h5")
    facts = checkpoints.read(tmp_path / "model.h5").training
    assert choose(Options(targets="y.npz"), facts, ("y",)).loss == "mse"


@pytest.mark.parametrize(("classes", "steps"), [(4, 6), (4, 4)])
@pytest.mark.parametrize("sparse", [True, False])
def test_an_assumed_output_is_compared_where_its_targets_are(
    tmp_path: Path, classes: int, steps: int, sparse: bool
) -> None:
    rnn = torch.nn.GRU(3, 5, batch_first=True)
    head = torch.nn.Linear(5, classes)
    net = torch.nn.ModuleDict({"rnn": rnn, "head": head})
    torch.save(net.state_dict(), tmp_path / "model.pt")
    x = torch.randn(4, steps, 3, generator=torch.Generator().manual_seed(0))
    logits = head(rnn(x)[0])
    labels = torch.tensor([0, 3, 1, 2])
    y = labels.numpy() if sparse else np.eye(classes, dtype=np.float32)[labels]
    np.savez(tmp_path / "data.npz", x=x.numpy(), y=y)
    file = str(tmp_path / "data.npz")
    name = ("sparse_" if sparse else "") + "categorical_crossentropy_from_logits"

    def loss(kind: str) -> float | None:
        options = Options(probe=file, targets=file, loss=kind)
        return pipeline.inspect(str(tmp_path / "model.pt"), options).run.loss

    expected = torch.nn.functional.cross_entropy(logits[:, -1], labels).item()
    assert loss(name) == pytest.approx(expected, rel=1e-5)
    assert loss("mean_square") == pytest.approx(logits.square().mean().item(), rel=1e-5)
    with pytest.raises(BadOption, match="takes probabilities"):
        loss(name.removesuffix("_from_logits"))
