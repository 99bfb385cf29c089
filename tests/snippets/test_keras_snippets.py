"""Keras's snippets, run on real networks."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from rnndiag import snippets
from rnndiag.pipeline import diagnose
from rnndiag.records import LayerReport, Options, Report, Settings, TrainingFact
from rnndiag.snippets.base import Snippets
from tests import rule_reports
from tests.snippet_runs import check_lines, known, run

L = keras.layers
FEATURES, UNITS, LAG = 6, 8, 100

LAYERS: dict[str, Callable[[], Any]] = {
    "lstm": lambda: L.LSTM(UNITS, name="memory"),
    "lstm sequences": lambda: L.LSTM(
        UNITS, return_sequences=True, unit_forget_bias=False, activation="relu"
    ),
    "gru": lambda: L.GRU(UNITS, return_sequences=True),
    "gru reset before": lambda: L.GRU(UNITS, reset_after=False),
    "rnn": lambda: L.SimpleRNN(UNITS, activation="sigmoid"),
    "rnn backwards": lambda: L.SimpleRNN(UNITS, go_backwards=True, return_sequences=True),
    "rnn backwards to one": lambda: L.SimpleRNN(UNITS, go_backwards=True),
    "no bias": lambda: L.LSTM(UNITS, use_bias=False),
    "both ways": lambda: L.Bidirectional(L.LSTM(UNITS, return_sequences=True), name="both"),
    "both ways summed": lambda: L.Bidirectional(L.GRU(UNITS), merge_mode="sum"),
    "cell": lambda: L.RNN(L.GRUCell(UNITS), return_sequences=True, name="looped"),
    "cell both ways": lambda: L.Bidirectional(L.RNN(L.LSTMCell(UNITS)), merge_mode="mul"),
    "regularized": lambda: L.LSTM(
        UNITS,
        return_sequences=True,
        kernel_initializer=keras.initializers.HeNormal(seed=3),
        recurrent_initializer=keras.initializers.Orthogonal(gain=0.5),
        bias_initializer=keras.initializers.RandomUniform(-0.25, 0.25),
        kernel_regularizer=keras.regularizers.L1L2(0.01, 0.02),
        recurrent_regularizer=keras.regularizers.L2(0.03),
        bias_regularizer=keras.regularizers.L1(0.04),
        activity_regularizer=keras.regularizers.L2(0.5),
        kernel_constraint=keras.constraints.MaxNorm(2, axis=1),
        recurrent_constraint=keras.constraints.UnitNorm(),
        bias_constraint=keras.constraints.NonNeg(),
        dropout=0.1,
        recurrent_dropout=0.2,
    ),
}
GATED = [name for name in LAYERS if not name.startswith("rnn")]


def network(*names: str) -> Any:
    """A compiled network of these layers."""
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((None, FEATURES)), *(LAYERS[name]() for name in names)])
    made.compile("adam", "mse")
    return made


def told(layer: Any) -> dict[str, Any]:
    """A layer's arguments as a report tells them."""
    if isinstance(layer, (L.Bidirectional, L.RNN)) and type(layer) in (L.Bidirectional, L.RNN):
        inner = layer.forward_layer if isinstance(layer, L.Bidirectional) else layer.cell
        own = layer.get_config()
        around = {k: v for k, v in own.items() if k not in ("layer", "cell", "backward_layer")}
        return within(told(inner), type(layer).__name__, around)
    return {**layer.get_config(), "class_name": type(layer).__name__}


def within(arguments: dict[str, Any], wrapper: str, around: dict[str, Any]) -> dict[str, Any]:
    if "wrapper" in arguments:
        outer = within(arguments["wrapper_arguments"], wrapper, around)
        return {**arguments, "wrapper_arguments": outer}
    return {**arguments, "wrapper": wrapper, "wrapper_arguments": around}


def layer_report(layer: Any) -> LayerReport:
    arguments = told(layer)
    return rule_reports.layer(
        arguments["class_name"].removesuffix("Cell"),
        name=layer.name,
        id=layer.name,
        input_size=FEATURES,
        hidden_size=UNITS,
        arguments=arguments,
    )


def report_of(model: Any, settings: Settings | None = None, **more: Any) -> Report:
    return rule_reports.report(*map(layer_report, model.layers), settings=settings, **more)


def of(*names: str, settings: Settings | None = None, **more: Any) -> Snippets:
    return snippets.for_(report_of(network(*names), settings, **more), None)


def layer(snippet: str) -> Any:
    """The layer that the snippet's only expression makes, having run on data."""
    (made,), _ = run(snippet, keras=keras)
    made(data())
    return made


def flow(snippet: str, steps: int | None = None) -> Any:
    """A network of what the snippet puts `x` through."""
    inputs = keras.Input((steps, FEATURES))
    _, names = run(snippet, keras=keras, x=inputs)
    return keras.Model(inputs, names["x"])


def data(steps: int = 5, batch: int = 3) -> Any:
    rng = np.random.default_rng(0)
    return rng.normal(size=(batch, steps, FEATURES)).astype(np.float32)


def array(tensor: Any) -> Any:
    return keras.ops.convert_to_numpy(keras.ops.stop_gradient(tensor))


def plain_config(made: Any) -> Any:
    """A layer's configuration without names that Keras gives."""

    def cleaned(config: Any) -> Any:
        if isinstance(config, dict):
            hidden = ("name", "build_config", "backward_layer")
            return {k: cleaned(v) for k, v in config.items() if k not in hidden}
        return config

    return cleaned(made.get_config())


def cells_of(made: Any) -> list[Any]:
    """The cells of a layer, of both its directions."""
    if isinstance(made, L.Bidirectional):
        return [made.forward_layer.cell, made.backward_layer.cell]
    return [made.cell]


# ---------------------------------------------------------------- text


@pytest.mark.parametrize("name", LAYERS)
def test_lines_are_narrow_and_valid(name: str) -> None:
    check_lines(of(name), () if name in GATED else ("chrono",))


def test_lines_for_many_layers_are_narrow_and_valid() -> None:
    settings = known(
        optimizer="AdamW",
        learning_rate=0.0001234567,
        weight_decay=0.004999999888,
        clipping="global_clipnorm 1.5",
        batch_size=16,
    )
    check_lines(of("lstm sequences", "gru", "both ways", "regularized", settings=settings))


def test_a_network_without_layers_has_nothing_to_paste() -> None:
    nothing = snippets.for_(rule_reports.report(rule_reports.layer(analysed=False)), None)
    for snippet in (nothing.decay(1, 1, 1), nothing.chrono(9), nothing.zoneout(0.1)):
        assert snippet == ""
    for snippet in (nothing.residual(), nothing.units(3), nothing.layer_normalization()):
        assert snippet == ""


def test_the_layer_of_the_brief_reads_as_people_write_it() -> None:
    report = rule_reports.layer(
        arguments={
            "class_name": "LSTM",
            "name": "lstm_1",
            "units": 64,
            "return_sequences": True,
            "kernel_regularizer": {"class_name": "L2", "config": {"l2": 9.999999747e-05}},
        }
    )
    own = snippets.for_(rule_reports.report(report), None)
    assert own.dropout(0.2) == (
        "keras.layers.LSTM(\n"
        "    64,\n"
        "    return_sequences=True,\n"
        "    kernel_regularizer=keras.regularizers.L2(1e-4),\n"
        "    dropout=0.2,\n"
        '    name="lstm_1",\n'
        ")"
    )
    assert own.decay(0, 0, 0) == 'keras.layers.LSTM(64, return_sequences=True, name="lstm_1")'


# ---------------------------------------------------------------- the layer itself


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_comes_back_with_all_its_arguments(name: str) -> None:
    """Changed to what it is."""
    model = network(name)
    made = layer(snippets.for_(report_of(model), None).units(UNITS))
    assert made.name == model.layers[0].name
    assert plain_config(made) == plain_config(model.layers[0])


def test_what_no_file_tells_is_told_by_the_layer() -> None:
    bare = rule_reports.layer("GRU", arguments={}, hidden_size=UNITS)
    made = layer(snippets.for_(rule_reports.report(bare), None).dropout(0.2))
    assert (type(made), made.units, made.dropout) == (L.GRU, UNITS, 0.2)


def test_old_files_say_less() -> None:
    """Keras 2.0 has no reset_after, and Glorot's initializer is what it is made of."""
    scaling = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}
    old = {
        "class_name": "GRU",
        "units": UNITS,
        "recurrent_activation": "hard_sigmoid",
        "kernel_initializer": {"class_name": "VarianceScaling", "config": scaling},
        "batch_input_shape": [None, 7, 3],
        "implementation": 1,
    }
    own = snippets.for_(rule_reports.report(rule_reports.layer("GRU", arguments=old)), None)
    assert own.units(9) == (
        'keras.layers.GRU(9, recurrent_activation="hard_sigmoid", reset_after=False)'
    )
    cudnn = {**old, "class_name": "CuDNNGRU"}
    del cudnn["recurrent_activation"]
    own = snippets.for_(rule_reports.report(rule_reports.layer("GRU", arguments=cudnn)), None)
    assert own.units(9) == "keras.layers.GRU(9)"
    assert own.chrono(LAG).endswith("\nkeras.layers.GRU(8, bias_initializer=chrono_gru)")


def test_objects_of_the_users_own_keep_their_names() -> None:
    mine = {"class_name": "mine>Bound", "config": {"most": 0.5}, "registered_name": "mine>Bound"}
    function = {"class_name": "function", "config": "swish", "registered_name": "swish"}
    arguments = {"class_name": "LSTM", "kernel_constraint": mine, "activation": function}
    own = snippets.for_(rule_reports.report(rule_reports.layer(arguments=arguments)), None)
    assert own.units(9) == (
        "keras.layers.LSTM(9, activation=swish, kernel_constraint=Bound(most=0.5))"
    )


def test_a_cell_of_a_stack_comes_alone() -> None:
    around = {"wrapper": "RNN", "wrapper_arguments": {"name": "rnn"}}
    arguments = {"class_name": "LSTMCell", "units": 4, "wrapper": "StackedRNNCells"}
    report = rule_reports.layer(arguments={**arguments, "wrapper_arguments": around})
    own = snippets.for_(rule_reports.report(report), None)
    assert own.dropout(0.2) == "keras.layers.LSTMCell(4, dropout=0.2)"
    assert own.residual() == own.layer_normalization() == ""


@pytest.mark.parametrize("name", LAYERS)
def test_one_argument_changes(name: str) -> None:
    own = of(name)
    for cell in cells_of(layer(own.units(5))):
        assert cell.units == 5
    for cell in cells_of(layer(own.dropout(0.25))):
        assert cell.dropout == 0.25
    for cell in cells_of(layer(own.recurrent_dropout(0.25))):
        assert cell.recurrent_dropout == 0.25
    for cell in cells_of(layer(own.activation("softsign"))):
        assert cell.activation is keras.activations.softsign
    for cell in cells_of(layer(own.with_bias())):
        assert cell.bias is not None
    assert layer(own.without_activity_regularizer()).activity_regularizer is None


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "regularized"])
def test_decay_is_a_penalty_of_its_own_for_each_part(name: str) -> None:
    made = layer(of(name).decay(1e-2, 2e-3, 5e-3))
    expected = 0.0
    for cell in cells_of(made):
        cell.kernel.assign(cell.kernel + 0.5)
        if cell.bias is not None:
            cell.bias.assign(cell.bias + 0.25)
            expected += 5e-3 * np.square(array(cell.bias)).sum()
        expected += 1e-2 * np.square(array(cell.kernel)).sum()
        expected += 2e-3 * np.square(array(cell.recurrent_kernel)).sum()
    assert sum(float(array(loss)) for loss in made.losses) == pytest.approx(expected, rel=1e-5)


def test_decay_leaves_an_l1_penalty() -> None:
    made = layer(of("regularized").decay(1e-2, 2e-3, 5e-3))
    kernel, bias = made.cell.kernel_regularizer, made.cell.bias_regularizer
    assert [float(kernel.l1), float(kernel.l2)] == pytest.approx([0.01, 1e-2])
    assert [float(bias.l1), float(bias.l2)] == pytest.approx([0.04, 5e-3])
    assert type(made.cell.recurrent_regularizer) is keras.regularizers.L2


def test_decay_of_nothing_takes_the_penalties_away() -> None:
    made = layer(of("regularized").decay(0, 0, 0))
    assert made.cell.recurrent_regularizer is None
    assert type(made.cell.kernel_regularizer) is keras.regularizers.L1


def step_without_gradient(model: Any) -> dict[str, float]:
    """By how much each variable shrinks in an update by the optimizer's own decay alone."""
    for variable in model.trainable_variables:
        variable.assign(keras.ops.ones_like(variable))
    zeros = [keras.ops.zeros_like(v.value) for v in model.trainable_variables]
    model.optimizer.apply(zeros, model.trainable_variables)
    return {v.path: float(array(v).max()) for v in model.trainable_variables}


def test_decay_takes_the_place_of_the_optimizers_own() -> None:
    settings = known(optimizer="AdamW", learning_rate=0.5, weight_decay=0.2)
    model = network("lstm sequences", "lstm")
    first = snippets.for_(report_of(model, settings), report_of(model).layers[1])
    run(first.decay(1e-4, 2e-5, 2e-5), keras=keras, model=model)
    shares = step_without_gradient(model)
    for path, share in shares.items():
        assert share == pytest.approx(1.0 if "memory" in path else 0.9), path


def test_a_scaled_penalty_is_pointed_out() -> None:
    spoken = of("lstm", settings=known(optimizer="Adam")).decay(1e-4, 2e-5, 2e-5)
    assert spoken.startswith("# Adam scales a penalty")
    assert "Adam" not in of("lstm", settings=known(optimizer="SGD")).decay(1e-4, 2e-5, 2e-5)
    assert "Adam" not in of("lstm", settings=known(optimizer="Adam")).decay(0, 0, 0)


def columns(weight: Any) -> Any:
    return np.linalg.norm(array(weight), axis=0)


def bounded(made: Any) -> Any:
    """The layer after an update that would have made every weight large."""
    optimizer = keras.optimizers.SGD(100.0)
    slopes = [-keras.ops.ones_like(v.value) for v in made.trainable_variables]
    optimizer.apply(slopes, made.trainable_variables)
    return made


@pytest.mark.parametrize("name", LAYERS)
def test_no_column_exceeds_its_bound(name: str) -> None:
    for cell in cells_of(bounded(layer(of(name).constraint(1.5)))):
        for weight in (cell.kernel, cell.recurrent_kernel):
            assert columns(weight).max() <= 1.5 + 1e-5
            assert columns(weight).max() > 1.49


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "no bias"])
def test_the_biases_stay_within_their_bound(name: str) -> None:
    for cell in cells_of(bounded(layer(of(name).constraint(1.5, bias=True)))):
        assert np.linalg.norm(array(cell.bias)) == pytest.approx(1.5, rel=1e-4)
        assert columns(cell.kernel).max() > 1.5 or name == "regularized"


def test_what_has_no_biases_needs_no_bound_on_them() -> None:
    own = of("no bias")
    assert own.constraint(1.5, bias=True) == own.units(UNITS)


# ---------------------------------------------------------------- starting values


def keeping(cell: Any) -> tuple[Any, Any]:
    """What remains of a state of ones where only biases speak, and what is let in of ones."""
    cell.kernel.assign(keras.ops.zeros_like(cell.kernel))
    cell.recurrent_kernel.assign(keras.ops.zeros_like(cell.recurrent_kernel))
    cell.activation = keras.ops.ones_like
    ones, zeros = keras.ops.ones((1, UNITS)), keras.ops.zeros((1, UNITS))
    x = keras.ops.zeros((1, FEATURES))
    before = [zeros] * (len(keras.tree.flatten(cell.state_size)) - 1)
    whole, let_in = (array(cell.call(x, [*before, c])[1][-1]) for c in (ones, zeros))
    return whole - let_in, let_in


@pytest.mark.parametrize("name", GATED)
def test_chrono_keeps_states_as_long_as_it_says(name: str) -> None:
    """σ(ln u) = u / (1 + u) with u in [1, 99], and 1 - σ(ln u) is let in."""
    for cell in cells_of(layer(of(name).chrono(LAG))):
        kept, let_in = keeping(cell)
        steps = kept / (1 - kept)
        assert steps.min() >= 1 - 1e-4
        assert steps.max() <= LAG - 1 + 1e-2
        assert steps.std() > LAG / 10
        np.testing.assert_allclose(let_in, 1 - kept, atol=1e-6)


def test_chrono_leaves_the_other_biases_at_zero() -> None:
    i, f, c, o = np.split(array(layer(of("lstm").chrono(LAG)).cell.bias), 4)
    assert 0 <= f.min() <= f.max() <= math.log(LAG - 1)
    np.testing.assert_array_equal(i, -f)
    assert not c.any()
    assert not o.any()


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_chrono_of_next_to_no_lag_is_a_bias_of_zero(lag: int) -> None:
    assert not array(layer(of("lstm").chrono(lag)).cell.bias).any()


def test_chrono_leaves_alone_what_has_no_forget_gate() -> None:
    assert of("rnn").chrono(LAG) == ""
    (only,), _ = run(of("rnn backwards", "lstm").chrono(LAG), keras=keras)
    assert type(only) is L.LSTM


@pytest.mark.parametrize("name", LAYERS)
def test_recurrent_kernels_start_orthogonal(name: str) -> None:
    for cell in cells_of(layer(of(name).orthogonal())):
        rows = array(cell.recurrent_kernel)
        np.testing.assert_allclose(rows @ rows.T, np.eye(UNITS), atol=1e-5)
        bound = math.sqrt(6 / sum(cell.kernel.shape))
        assert 0.8 * bound < np.abs(array(cell.kernel)).max() <= bound


# ---------------------------------------------------------------- training


@pytest.mark.parametrize("settings", [{}, {"optimizer": "SGD", "learning_rate": 1.0}])
def test_gradients_are_clipped_together(settings: dict[str, Any]) -> None:
    model = network("lstm")
    run(of("lstm", settings=known(**settings)).clipping(0.5), keras=keras, model=model)
    assert model.optimizer.global_clipnorm == 0.5
    if settings:
        before = [array(v) for v in model.trainable_variables]
        large = [1e3 * keras.ops.ones_like(v.value) for v in model.trainable_variables]
        model.optimizer.apply(large, model.trainable_variables)
        moved = [array(v) - b for v, b in zip(model.trainable_variables, before, strict=True)]
        total = math.sqrt(sum(np.square(m).sum() for m in moved))
        assert total == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize(
    ("asked", "settings", "expected"),
    [
        (("AdamW", None, None), {}, {"learning_rate": 1e-3, "weight_decay": 1e-4}),
        (("AdamW", 2e-3, 1e-5), {}, {"learning_rate": 2e-3, "weight_decay": 1e-5}),
        (
            ("AdamW", None, 1e-4),
            {"optimizer": "Adam", "learning_rate": 0.004999999888, "clipping": "clipnorm 2.0"},
            {"learning_rate": 0.005, "weight_decay": 1e-4, "clipnorm": 2.0},
        ),
        # A learning rate of SGD's would make Adam leap.
        (
            ("AdamW", None, None),
            {"optimizer": "SGD", "learning_rate": 0.5, "weight_decay": 3e-4},
            {"learning_rate": 1e-3, "weight_decay": 3e-4},
        ),
        (
            ("Nadam", None, None),
            {"optimizer": "adam", "learning_rate": 2e-3, "clipping": ""},
            {"learning_rate": 2e-3, "weight_decay": None, "clipnorm": None},
        ),
        (("NadamW", None, 1e-4), {}, {"weight_decay": 1e-4}),
    ],
)
def test_an_optimizer_keeps_what_is_known(
    asked: Any, settings: dict[str, Any], expected: dict[str, Any]
) -> None:
    model = network("lstm")
    run(of("lstm", settings=known(**settings)).optimizer(*asked), keras=keras, model=model)
    assert type(model.optimizer).__name__ == asked[0].replace("NadamW", "Nadam")
    config = model.optimizer.get_config()
    rate = config.pop("learning_rate")
    assert rate == pytest.approx(expected.get("learning_rate", 1e-3))
    assert {k: config[k] for k in expected if k in config} == {
        k: v for k, v in expected.items() if k in config
    }
    model.fit(data(), np.zeros((3, UNITS)), verbose=0)


def test_a_decay_of_the_optimizers_replaces_the_layers_penalties() -> None:
    snippet = of("regularized").optimizer("AdamW", None, 1e-4)
    values, _ = run(snippet, keras=keras, model=network("regularized"))
    assert values[1].cell.recurrent_regularizer is None
    assert len(values) == 2
    assert (
        len(run(of("lstm").optimizer("AdamW", None, 1e-4), keras=keras, model=network("lstm"))[0])
        == 1
    )


@pytest.mark.parametrize("optimizer", [None, "Nadam", "SGD"])
def test_the_learning_rate_changes(optimizer: str | None) -> None:
    model = network("lstm")
    settings = known(optimizer=optimizer) if optimizer else None
    momentum = TrainingFact(name="momentum", value=0.75, source="training_config")
    own = of("lstm", settings=settings, training=(momentum,))
    run(own.learning_rate(3e-4), keras=keras, model=model)
    assert float(model.optimizer.learning_rate) == pytest.approx(3e-4)
    assert type(model.optimizer).__name__ == (optimizer or "Adam")
    if optimizer == "SGD":
        assert model.optimizer.momentum == 0.75


@pytest.mark.parametrize(
    ("loss", "written"),
    [
        ("mse", '"mse"'),
        ("MeanSquaredError", '"MeanSquaredError"'),
        ("SparseCategoricalCrossentropy_from_logits", "model.loss"),
        (["mse", "mae"], "model.loss"),
    ],
)
def test_the_loss_stays(loss: Any, written: str) -> None:
    fact = TrainingFact(name="loss", value=loss, source="training_config")
    snippet = of("lstm", training=(fact,)).optimizer("Nadam", 1e-3, None)
    assert f"loss={written}" in snippet
    model = network("lstm")
    run(snippet, keras=keras, model=model)
    loss = model.evaluate(data(), np.zeros((3, UNITS)), verbose=0)
    assert loss == pytest.approx(
        float(np.square(model.predict(data(), verbose=0)).mean()), rel=1e-4
    )


def test_early_stopping_stops_and_goes_back() -> None:
    model = network("lstm")
    model.compile(keras.optimizers.SGD(0.5), "mse")
    _, names = run(of("lstm").early_stopping(3), keras=keras)
    targets = np.full((3, UNITS), 5.0)
    worse = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(val_loss=[3.0, 2.0, 4.0, 2.5, 2.0][epoch])
    )
    weights: list[Any] = []
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: weights.append(model.get_weights())
    )
    model.fit(
        *(data(), targets),
        epochs=50,
        verbose=0,
        callbacks=[worse, keep, *names["callbacks"]],
    )
    assert len(weights) == 5
    for now, best, last in zip(model.get_weights(), weights[1], weights[-1], strict=True):
        np.testing.assert_array_equal(now, best)
        assert not np.array_equal(now, last)


class Listener:
    """In the place of a model: keeps what it is given to train on."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def fit(self, *arrays: Any, **options: Any) -> None:
        self.heard.append((arrays, options))

    def evaluate(self, *arrays: Any) -> None:
        self.heard.append((arrays, {}))

    def get_layer(self, name: str) -> Listener:
        self.heard.append(name)
        return self

    def reset_state(self) -> None:
        self.heard.append("reset")

    def train_on_batch(self, x: Any, y: Any) -> None:
        self.heard.append((x, y))


def test_samples_come_in_new_order() -> None:
    listener = Listener()
    own = of("lstm", settings=known(batch_size=16))
    run(own.shuffling(), model=listener, x_train=1, y_train=2)
    assert listener.heard == [((1, 2), {"batch_size": 16, "shuffle": True})]


def test_stateful_windows_stay_in_order_while_sequences_change_places() -> None:
    made = L.LSTM(UNITS, stateful=True, return_sequences=True, name="carry")
    report = rule_reports.report(layer_report(made), settings=known(batch_size=2))
    snippet = snippets.for_(report, None).shuffling()
    listener = Listener()
    steps = 100 * 2 + 50
    x_train = np.arange(7)[:, None] * 1000 + np.arange(steps)
    run(snippet, model=listener, x_train=x_train, y_train=-x_train)
    seen = []
    for batch in range(3):
        name, reset, *windows = listener.heard[batch * 5 : batch * 5 + 5]
        assert (name, reset) == ("carry", "reset")
        whole = np.concatenate([x for x, _ in windows], axis=1)
        np.testing.assert_array_equal(np.concatenate([y for _, y in windows], axis=1), -whole)
        rows = whole[:, 0] // 1000
        np.testing.assert_array_equal(whole, x_train[rows])
        seen += rows.tolist()
    assert len(set(seen)) == 6
    model = keras.Sequential([keras.Input(batch_shape=(2, None, FEATURES)), made])
    model.compile("sgd", "mse")
    # On torch, Keras 3.15 cannot train stateful layers at all: it overwrites their state.
    model.train_on_batch = model.test_on_batch
    run(snippet, model=model, x_train=data(250, 5), y_train=np.zeros((5, 250, UNITS)))
    assert array(made.states[0]).any()


def test_the_split_is_disjoint_and_eighty_ten_ten() -> None:
    listener = Listener()
    samples = np.arange(50)
    run(of("lstm").split(), model=listener, samples=samples, targets=-samples)
    ((train, own), options), ((test, last), _) = listener.heard
    validation, other = options["validation_data"]
    assert [len(part) for part in (train, validation, test)] == [40, 5, 5]
    assert sorted([*train, *validation, *test]) == list(range(50))
    for part, targets in ((train, own), (validation, other), (test, last)):
        np.testing.assert_array_equal(part, -targets)
    assert train.tolist() != sorted(train)


def test_inputs_are_scaled_by_the_training_set() -> None:
    x_train = data(steps=9, batch=40) * np.array([1, 50, 1, 1, 1, 1], np.float32) + 7
    inputs = keras.Input((None, FEATURES))
    _, names = run(of("lstm").scaled_inputs(), keras=keras, x=inputs, x_train=x_train)
    scaled = keras.Model(inputs, names["x"]).predict(x_train, verbose=0)
    np.testing.assert_allclose(scaled.mean((0, 1)), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std((0, 1)), 1, atol=1e-4)


# ---------------------------------------------------------------- around the layer


@pytest.mark.parametrize("name", LAYERS)
def test_what_stands_around_a_layer_keeps_its_shape(name: str) -> None:
    own = of(name)
    expected = network(name).predict(data(), verbose=0).shape
    for snippet in (
        own.between_dropout(0.3),
        own.layer_normalization(),
        own.batch_normalization(),
        own.stacked(),
        own.residual(),
    ):
        model = flow(snippet)
        model.compile("sgd", "mse")
        model.fit(data(), np.zeros(expected), verbose=0)
        assert model.predict(data(), verbose=0).shape == expected


def test_dropout_follows_the_layer() -> None:
    (recurrent, dropout) = flow(of("gru").between_dropout(0.3)).layers[1:]
    assert (type(recurrent), type(dropout), dropout.rate) == (L.GRU, L.Dropout, 0.3)


def test_layers_are_normalized() -> None:
    output = flow(of("gru").layer_normalization()).predict(data(), verbose=0)
    np.testing.assert_allclose(output.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(output.std(-1), 1, atol=0.05)


def test_batches_are_normalized_over_samples_and_steps() -> None:
    model = flow(of("gru").batch_normalization())
    output = array(model(data(), training=True))
    np.testing.assert_allclose(output.mean((0, 1)), 0, atol=1e-5)
    assert model.layers[1].use_bias


@pytest.mark.parametrize("name", ["lstm", "gru", "both ways", "cell"])
def test_a_second_layer_is_stacked_on_top(name: str) -> None:
    first, second = flow(of(name).stacked()).layers[1:]
    assert second.name == f"{first.name}_top"
    assert plain_config(second) == plain_config(network(name).layers[0])
    if not isinstance(first, L.Bidirectional):
        assert {**plain_config(first), "return_sequences": second.return_sequences} == plain_config(
            second
        )


@pytest.mark.parametrize("name", LAYERS)
def test_the_input_is_added_to_the_output(name: str) -> None:
    """The layer's weights are zero, so that only its input is left, and what tanh gives of 0."""
    model = flow(of(name).residual())
    zeroed = [own for own in model.layers if isinstance(own, (L.RNN, L.Bidirectional))]
    for own in zeroed:
        own.set_weights([np.zeros_like(w) for w in own.get_weights()])
    dense = next(own for own in model.layers if isinstance(own, L.Dense))
    x = data()
    skipped = array(dense(x))
    if "backwards" in name:
        skipped = skipped[:, ::-1]
    sequences = model.output_shape[1] is None
    rest = model.predict(x, verbose=0) - (skipped if sequences else skipped[:, -1])
    np.testing.assert_allclose(rest, 0.5 if name == "rnn" else 0, atol=1e-5)


def test_the_input_is_added_as_it_is_where_it_fits() -> None:
    report = layer_report(L.LSTM(FEATURES, return_sequences=True, name="square"))
    report = rule_reports.layer(
        arguments=report.arguments, input_size=FEATURES, hidden_size=FEATURES
    )
    model = flow(snippets.for_(rule_reports.report(report), None).residual())
    model.layers[1].set_weights([np.zeros_like(w) for w in model.layers[1].get_weights()])
    np.testing.assert_allclose(model.predict(data(), verbose=0), data(), atol=1e-6)


@pytest.mark.parametrize(("stride", "steps"), [(2, 7), (3, 7), (4, 8), (4, 9), (5, 3)])
def test_every_so_manyth_step_is_kept(stride: int, steps: int) -> None:
    model = flow(of("gru").strided_convolution(stride))
    output = model.predict(data(steps), verbose=0)
    assert output.shape == (3, math.ceil(steps / stride), UNITS)
    assert model.layers[1].kernel_size[0] >= stride


# ---------------------------------------------------------------- zoneout


def zoned(name: str, rate: float) -> tuple[Any, Any]:
    """The plain layer, and the one with zoneout that has its weights."""
    plain = network(name).layers[0]
    report = rule_reports.report(layer_report(plain))
    made = layer(snippets.for_(report, None).zoneout(rate))
    made.set_weights(plain.get_weights())
    return plain, made


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "regularized"])
def test_zoneout_of_nothing_is_the_layer_itself(name: str) -> None:
    plain, made = zoned(name, 0.0)
    assert made.name == plain.name
    for training in (False, True):
        np.testing.assert_allclose(
            array(made(data(), training=training)), array(plain(data())), atol=1e-6
        )


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "cell"])
def test_zoneout_keeps_old_states_by_chance(name: str) -> None:
    plain, made = zoned(name, 0.25)
    x = data(steps=1, batch=500)
    full, mean = array(plain(x)), array(made(x))
    np.testing.assert_allclose(mean, 0.75 * full, atol=1e-6)
    output = array(made(x, training=True))
    assert float((output == 0).mean()) == pytest.approx(0.25, abs=0.03)
    np.testing.assert_allclose(output[output != 0], full[output != 0], atol=1e-6)


# ---------------------------------------------------------------- from a file


def test_snippets_fit_a_network_that_was_read_from_its_file(tmp_path: Path) -> None:
    model = network("both ways", "cell", "regularized")
    model.save(tmp_path / "model.h5")
    report = diagnose(str(tmp_path / "model.h5"), Options(batch=2, seeds=1, timesteps=4))
    values, _ = run(snippets.for_(report, None).units(UNITS), keras=keras)
    assert [made.name for made in values] == [own.name for own in model.layers]
    for made, own in zip(values, model.layers, strict=True):
        assert plain_config(made) == plain_config(own)


def test_the_backward_half_is_written_as_the_layer_that_keras_turns_round() -> None:
    sample = Path(__file__).parents[2] / "samples" / "brackets_bidirectional.h5"
    report = diagnose(str(sample), Options(batch=2, seeds=1))
    made = {
        own.direction: snippets.for_(report, own).recurrent_dropout(0.2) for own in report.layers
    }
    assert made["forward"] == made["backward"]
    rebuilt: Any = eval(made["backward"], {"keras": keras})
    assert rebuilt(np.zeros((2, 8, 8), np.float32)).shape == (2, 40)
    assert rebuilt.backward_layer.go_backwards
