"""Norms, growth since initialisation and the budget of the pre-activations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rnndiag.cells.gru import GRU
from rnndiag.cells.lstm import LSTM
from rnndiag.cells.simple_rnn import SimpleRNN
from rnndiag.measurements import initial_growth, preactivation_budget, weight_norms
from rnndiag.measurements.weight_norms import spectral_radius
from rnndiag.records import Budget, LayerSpec, LayerWeights, Options, Writer

OPTIONS = Options()


def rms(array) -> float:
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))


# ---------------------------------------------------------------- norms


def test_norms_of_the_whole_and_of_each_gate(make_run):
    run = make_run("LSTM", inputs=3, units=5)
    w = run.weights
    fact = weight_norms.measure(run, OPTIONS)
    assert fact.kernel == pytest.approx(np.linalg.norm(w.kernel), rel=1e-6)
    assert fact.recurrent == pytest.approx(np.linalg.norm(w.recurrent_kernel), rel=1e-6)
    assert fact.bias == pytest.approx(np.linalg.norm(w.bias), rel=1e-6)
    assert fact.recurrent_kernel_ratio == pytest.approx(rms(w.recurrent_kernel) / rms(w.kernel))
    assert fact.max_abs == max(np.abs(x).max() for x in (w.kernel, w.recurrent_kernel, w.bias))
    forget = fact.gates["forget"]
    block = w.recurrent_kernel[:, 5:10]
    assert forget.kernel.norm == pytest.approx(np.linalg.norm(w.kernel[:, 5:10]), rel=1e-6)
    assert forget.recurrent.rms == pytest.approx(rms(block))
    assert forget.bias.max_abs == np.abs(w.bias[5:10]).max()
    assert forget.sigma_max == pytest.approx(np.linalg.svd(block)[1][0], rel=1e-6)
    radius = np.abs(np.linalg.eigvals(block.astype(np.float64))).max()
    assert forget.spectral_radius == pytest.approx(radius, rel=1e-4)


def test_norms_that_float32_cannot_hold(make_run):
    run = make_run("SimpleRNN", inputs=3, units=4)
    large = np.full((4, 4), 3e38, np.float32)
    fact = weight_norms.measure(
        replace(run, weights=replace(run.weights, recurrent_kernel=large)), OPTIONS
    )
    (gate,) = fact.gates.values()
    assert fact.recurrent == pytest.approx(1.2e39, rel=1e-6)
    assert gate.sigma_max == pytest.approx(1.2e39, rel=1e-6)
    assert gate.spectral_radius == pytest.approx(1.2e39, rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "columns"), [("LSTM", slice(10, 20)), ("GRU", slice(5, 15)), ("SimpleRNN", slice(5))]
)
def test_the_bias_ratio_leaves_out_gates_that_are_initialised(make_run, kind, columns):
    run = make_run(kind, units=5)
    w = run.weights
    expected = rms(w.bias[columns]) / rms(w.kernel[:, columns])
    assert weight_norms.measure(run, OPTIONS).bias_kernel_ratio == pytest.approx(expected)


def test_both_biases_of_a_gru_candidate_count(make_run):
    run = make_run("GRU", units=2, inputs=2)
    apart = np.array([0, 0, 0, 0, 3, 4], np.float32)
    weights = replace(run.weights, bias=np.zeros(6, np.float32), recurrent_bias=apart)
    fact = weight_norms.measure(replace(run, weights=weights), OPTIONS)
    assert fact.bias == pytest.approx(5)
    assert fact.rms_bias == pytest.approx(np.sqrt(25 / 8))
    assert fact.gates["candidate"].bias.rms == pytest.approx(2.5)
    assert fact.gates["reset"].bias.norm == 0
    counted = rms([0, 0, 0, 0, 3, 4]) / rms(weights.kernel[:, 2:])
    assert fact.bias_kernel_ratio == pytest.approx(counted)


def test_no_bias_and_no_kernel_give_none(make_run):
    run = make_run()
    bare = replace(run.weights, bias=None)
    fact = weight_norms.measure(replace(run, weights=bare), OPTIONS)
    assert (fact.bias, fact.rms_bias, fact.bias_kernel_ratio) == (None, None, None)
    assert fact.gates["forget"].bias is None
    silent = replace(run.weights, kernel=np.zeros_like(run.weights.kernel))
    fact = weight_norms.measure(replace(run, weights=silent), OPTIONS)
    assert (fact.recurrent_kernel_ratio, fact.bias_kernel_ratio) == (None, None)


def test_a_projected_lstm_has_no_square_blocks(make_run):
    run = make_run(units=8)
    weights = replace(run.weights, recurrent_kernel=run.weights.recurrent_kernel[:3])
    fact = weight_norms.measure(replace(run, weights=weights, hidden_size=3), OPTIONS)
    assert fact.gates["input"].spectral_radius is None
    assert fact.gates["input"].sigma_max > 0


def rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@pytest.mark.parametrize(
    ("matrix", "radius"),
    [
        (np.diag([0.5, -0.9, 0.1]), 0.9),
        (1.2 * rotation(0.7), 1.2),
        (np.eye(6), 1.0),
        (np.zeros((3, 3)), 0.0),
        (np.array([[0.0, 1.0], [0.0, 0.0]]), 0.0),
        (np.array([[-2.5]]), 2.5),
        (1e30 * np.diag([1.0, 0.5]), 1e30),
        (1e-30 * np.diag([1.0, 0.5]), 1e-30),
        (3e38 * np.ones((4, 4)), 1.2e39),
    ],
)
def test_spectral_radius_in_closed_form(matrix, radius):
    assert spectral_radius(matrix.astype(np.float32)) == pytest.approx(radius, rel=1e-5)


def test_spectral_radius_of_a_defective_block_is_good_to_a_percent():
    jordan = 0.9 * np.eye(8) + np.eye(8, k=1)
    assert spectral_radius(jordan.astype(np.float32)) == pytest.approx(0.9, rel=1e-2)


@pytest.mark.parametrize("units", [1, 2, 7, 64])
def test_spectral_radius_against_eigenvalues(units):
    rng = np.random.default_rng(units)
    for _ in range(10):
        block = rng.standard_normal((units, units)).astype(np.float32)
        exact = np.abs(np.linalg.eigvals(block.astype(np.float64))).max()
        assert spectral_radius(block) == pytest.approx(exact, rel=1e-3)


# ---------------------------------------------------------------- growth


def torch_weights(kind: str, module: torch.nn.RNNBase) -> LayerWeights:
    """PyTorch's fresh arrays, unpacked by the cell as they would be from a file."""
    arrays = tuple(p.detach().numpy() for p in module.parameters())
    spec = LayerSpec(
        name="rnn", kind=kind, config={}, writer=Writer(framework="torch"), weights=arrays,
        packing="torch",
    )  # fmt: skip
    return {"LSTM": LSTM, "GRU": GRU, "SimpleRNN": SimpleRNN}[kind].from_spec(spec).stored()


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_a_fresh_torch_layer_has_not_grown(make_run, kind):
    torch.manual_seed(0)
    module = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, "SimpleRNN": torch.nn.RNN}[kind]
    weights = torch_weights(kind, module(100, 600))
    run = make_run(kind, framework="torch", weights=weights, hidden_size=600)
    fact = initial_growth.measure(run, OPTIONS)
    assert fact.kernel == pytest.approx(1, abs=0.01)
    assert fact.recurrent == pytest.approx(1, abs=0.01)
    assert fact.bias == pytest.approx(1, abs=0.05)
    assert "PyTorch" in fact.initialisation


def test_a_fresh_projected_torch_layer_has_not_grown(make_run):
    torch.manual_seed(0)
    weights = torch_weights("LSTM", torch.nn.LSTM(100, 600, proj_size=50))
    run = make_run(framework="torch", weights=weights, hidden_size=50)
    fact = initial_growth.measure(run, OPTIONS)
    assert (fact.kernel, fact.recurrent) == pytest.approx((1, 1), abs=0.01)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_a_fresh_keras_layer_has_not_grown(make_run, kind, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    layer = getattr(keras.layers, kind)(96)
    layer.build((None, 10, 300))
    arrays = tuple(layer.get_weights())
    cell = {"LSTM": LSTM, "GRU": GRU, "SimpleRNN": SimpleRNN}[kind]
    config = layer.get_config()
    spec = LayerSpec(
        name="rnn", kind=kind, config=config, writer=Writer(framework="keras"), weights=arrays
    )
    run = make_run(kind, weights=cell.from_spec(spec).stored(), hidden_size=96)
    fact = initial_growth.measure(run, OPTIONS)
    assert fact.kernel == pytest.approx(1, abs=0.01)
    assert fact.recurrent == pytest.approx(1, abs=1e-5)
    assert fact.bias == (1 if kind == "LSTM" else None)


def test_growth_is_linear_in_the_weights(make_run):
    run = make_run()
    before = initial_growth.measure(run, OPTIONS)
    scaled = replace(run.weights, kernel=2 * run.weights.kernel, bias=3 * run.weights.bias)
    after = initial_growth.measure(replace(run, weights=scaled), OPTIONS)
    assert after.kernel == pytest.approx(2 * before.kernel)
    assert after.recurrent == before.recurrent
    assert after.bias == pytest.approx(3 * before.bias)


# ---------------------------------------------------------------- the budget


def budget_of(make_run, kind, means):
    """`means`: gate → mean squares of the kernel, recurrent and bias parts."""
    parts = {
        gate: Budget(kernel=kernel, recurrent=recurrent, bias=bias)
        for gate, (kernel, recurrent, bias) in means.items()
    }
    return preactivation_budget.measure(make_run(kind, preactivations=parts), OPTIONS)


def test_the_budget_is_of_rms_values_over_the_gates_that_count(make_run):
    huge = (1e6, 1e6, 1e6)
    fact = budget_of(
        make_run,
        "LSTM",
        {"input": huge, "forget": huge, "candidate": (1, 9, 0), "output": (7, 9, 2)},
    )
    assert (fact.rms_kernel, fact.rms_recurrent, fact.rms_bias) == pytest.approx((2, 3, 1))
    assert (fact.kernel, fact.recurrent, fact.bias) == pytest.approx((2 / 6, 3 / 6, 1 / 6))
    assert fact.gates == ("candidate", "output")


def test_a_gru_leaves_out_its_update_gate(make_run):
    means = {"update": (1e6, 1e6, 1e6), "reset": (4, 1, 0), "candidate": (4, 1, 2)}
    fact = budget_of(make_run, "GRU", means)
    assert fact.gates == ("reset", "candidate")
    assert (fact.kernel, fact.recurrent, fact.bias) == pytest.approx((0.5, 0.25, 0.25))


def test_a_plain_recurrent_layer_has_one_budget(make_run):
    fact = budget_of(make_run, "SimpleRNN", {"hidden": (9, 1, 0)})
    assert (fact.kernel, fact.recurrent, fact.bias) == pytest.approx((0.75, 0.25, 0))


@pytest.mark.parametrize(
    ("means", "reason"), [((0, 0, 0), "all pre-activations are zero"), ((np.nan, 1, 1), "finite")]
)
def test_budgets_that_cannot_be_shared_out_are_skipped(make_run, means, reason):
    assert reason in budget_of(make_run, "SimpleRNN", {"hidden": means}).reason
