"""Probes and targets from files: which array is which, and whether it fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import chain, embedding, layer, lstm, side_by_side, source
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from rnndiag import probe
from rnndiag.errors import BadOption, BadProbe
from rnndiag.probe.files import _padding
from rnndiag.probe.inputs import InputNeed
from rnndiag.records import Array, Graph, Options, Probe

NETWORK = chain(source("x_in", [None, None, 5]), lstm("rnn", 5), layer("head", "Dense"))
WORDS = chain(source("ids", [None, None]), embedding("words", 10), lstm("rnn", 3))
STATIC = chain(source("age", [None, 2]), layer("dense", "Dense", np.zeros((2, 2))))
BOTH = side_by_side(chain(source("series", [None, None, 5]), lstm("rnn", 5)), STATIC)
X = np.random.default_rng(0).normal(size=(4, 12, 5)).astype(np.float32)
AGE = np.ones((4, 2), np.float32)


def load(path: Path, graph: Graph = NETWORK, **options: Any) -> Probe:
    return probe.make(graph, Options(probe=str(path), **options))


def saved(tmp_path: Path, **arrays: Any) -> Path:
    path = tmp_path / "probe.npz"
    np.savez(path, **arrays)
    return path


def loaded(tmp_path: Path, array: Any, graph: Graph = NETWORK) -> Array:
    return load(saved(tmp_path, x=array), graph).inputs[0]


def refused(tmp_path: Path, array: Any, graph: Graph = NETWORK) -> BadProbe:
    with pytest.raises(BadProbe) as raised:
        loaded(tmp_path, array, graph)
    assert str(tmp_path / "probe.npz") in raised.value.message
    assert raised.value.hint
    return raised.value


# ---------------------------------------------------------------- which array is which


def test_a_probe_from_a_file(tmp_path: Path) -> None:
    found = load(saved(tmp_path, x=X))
    np.testing.assert_array_equal(found.inputs[0], X)
    assert (found.source, found.batch, found.timesteps, found.seeds) == ("file", 4, 12, 1)
    assert set(found.paddings) == {None}
    assert not found.notes


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["x0"], "x0"),
        (["x"], "x"),
        (["x_in"], "x_in"),
        (["anything"], "anything"),
        (["x0", "x1", "x"], "x0"),
        (["x0", "x_in"], "x_in"),
        (["x", "y", "dx0", "h/rnn#0"], "x"),
    ],
)
def test_an_only_input_is_found(tmp_path: Path, names: list[str], expected: str) -> None:
    arrays = {name: X + k for k, name in enumerate(names)}
    found = load(saved(tmp_path, **arrays))
    np.testing.assert_array_equal(found.inputs[0], arrays[expected])


@pytest.mark.parametrize(("first", "second"), [("series", "age"), ("x0", "x1"), ("x", "x1")])
def test_several_inputs_are_found(tmp_path: Path, first: str, second: str) -> None:
    found = load(saved(tmp_path, **{second: AGE, first: X, "other": X}), BOTH)
    np.testing.assert_array_equal(found.inputs[0], X)
    np.testing.assert_array_equal(found.inputs[1], AGE)


def test_keys_name_arrays_in_the_order_of_the_inputs(tmp_path: Path) -> None:
    path = saved(tmp_path, b=AGE, a=X, x0=X + 1, x1=AGE + 1)
    found = load(path, BOTH, probe_key=("a", "b"))
    np.testing.assert_array_equal(found.inputs[0], X)
    np.testing.assert_array_equal(found.inputs[1], AGE)


def test_no_array_for_the_input(tmp_path: Path) -> None:
    with pytest.raises(BadProbe, match=r"no array for input 'x_in'; it holds 'a', 'b'") as raised:
        load(saved(tmp_path, a=X, b=X))
    assert "--probe-key NAME" in raised.value.hint


def test_no_array_for_several_inputs(tmp_path: Path) -> None:
    with pytest.raises(BadProbe, match="no array for inputs series, age") as raised:
        load(saved(tmp_path, x0=X), BOTH)
    assert "numpy.savez(FILE, series=…, age=…)" in raised.value.hint
    with pytest.raises(BadProbe, match="no array for inputs series, age") as raised:
        load(saved(tmp_path, p=X, q=X), BOTH)
    assert raised.value.hint.count("--probe-key NAME") == 2


def test_a_key_that_is_not_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(BadProbe, match="no array 'b'; it holds 'a'"):
        load(saved(tmp_path, a=X), probe_key=("b",))


def test_a_wrong_number_of_keys(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="--probe-key is given 1 times, but the network has 2"):
        load(saved(tmp_path, x0=X, x1=AGE), BOTH, probe_key=("x0",))


def test_a_long_listing_is_cut(tmp_path: Path) -> None:
    with pytest.raises(BadProbe, match=r"'a11' and 28 more$"):
        load(saved(tmp_path, **{f"a{k}": X for k in range(40)}))


# ---------------------------------------------------------------- types and shapes


@pytest.mark.parametrize("dtype", ["float64", "float16", ">f4", "int8", "uint16", "bool"])
def test_features_become_float32(tmp_path: Path, dtype: str) -> None:
    array = (X > 0).astype(dtype)
    found = loaded(tmp_path, array)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, array.astype(np.float32))


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float32", "float64"])
def test_ids_become_int64(tmp_path: Path, dtype: str) -> None:
    ids = np.arange(10).reshape(2, 5).astype(dtype)
    found = loaded(tmp_path, ids, WORDS)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, ids)


@pytest.mark.parametrize(
    ("array", "what"),
    [
        (np.array([["a", "b"]]), "<U1"),
        (X.astype(np.complex64), "complex64"),
        (X.astype("M8[s]"), "datetime64"),
        (np.zeros(3, [("a", "f4")]), "('a', '<f4')"),
    ],
)
def test_other_types_are_refused(tmp_path: Path, array: Array, what: str) -> None:
    assert f"holds {what}" in refused(tmp_path, array).message.replace("[", "").replace("]", "")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    told = refused(tmp_path, np.array([Trap(tmp_path / "trap")], dtype=object))
    assert "holds Python objects" in told.message
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((4, 12, 6), "axes are batch, timesteps, features"),
        ((12, 5), "x[None]"),
        ((4, 5, 12), "x.transpose(0, 2, 1)"),
        ((4, 12), "axes are"),
        ((4, 12, 5, 1), "axes are"),
        ((), "axes are"),
    ],
)
def test_a_shape_that_does_not_fit(tmp_path: Path, shape: tuple[int, ...], hint: str) -> None:
    told = refused(tmp_path, np.ones(shape))
    assert f"has shape {shape}" in told.message
    assert "input 'x_in' takes features of shape (batch, any, 5)" in told.message
    assert hint in told.hint


def test_a_single_feature_without_its_axis(tmp_path: Path) -> None:
    graph = chain(source("x", [None, 12, 1]), lstm("rnn", 1))
    assert "x[..., None]" in refused(tmp_path, np.ones((4, 12)), graph).hint


def test_one_hot_vectors_for_ids(tmp_path: Path) -> None:
    told = refused(tmp_path, np.eye(10)[[[1, 2]]], WORDS)
    assert "takes token ids of shape (batch, any)" in told.message
    assert "argmax" in told.hint


def test_a_length_that_the_network_fixes(tmp_path: Path) -> None:
    graph = chain(source("x", [None, 24, 5]), lstm("rnn", 5))
    told = refused(tmp_path, X, graph)
    assert "takes features of shape (batch, 24, 5)" in told.message
    assert "takes 24 timesteps, no more and no fewer" in told.hint


@pytest.mark.parametrize(
    ("shape", "what"), [((0, 12, 5), "no samples"), ((4, 0, 5), "no timesteps")]
)
def test_an_empty_axis(tmp_path: Path, shape: tuple[int, ...], what: str) -> None:
    assert what in refused(tmp_path, np.ones(shape)).message


@pytest.mark.parametrize("shape", [(1, 12, 5), (4, 1, 5), (1, 1, 5)])
def test_one_sample_and_one_timestep_are_enough(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert loaded(tmp_path, np.ones(shape)).shape == shape


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number(tmp_path: Path, value: float) -> None:
    array = X.copy()
    array[2, 3, 1] = array[3, 0, 0] = value
    told = refused(tmp_path, array)
    assert "NaN or infinite at 2 of 240 places, first at [2, 3, 1]" in told.message


def test_a_value_too_large_for_float32(tmp_path: Path) -> None:
    assert "too large for float32" in refused(tmp_path, X.astype(float) + 1e39).message


@pytest.mark.parametrize(("bad", "told"), [(10, "10"), (-1, "-1"), (2**40, str(2**40))])
def test_ids_outside_the_vocabulary(tmp_path: Path, bad: int, told: str) -> None:
    ids = np.zeros((2, 5), np.int64)
    ids[1, 2] = bad
    message = refused(tmp_path, ids, WORDS).message
    assert f"holds token id {told}, but input 'ids' takes ids from 0 to 9" in message


def test_fractions_are_no_ids(tmp_path: Path) -> None:
    assert "holds fractions" in refused(tmp_path, np.full((2, 5), 1.5), WORDS).message


def test_inputs_with_different_numbers_of_samples(tmp_path: Path) -> None:
    with pytest.raises(BadProbe, match="number of samples: 'x0' has 4, 'x1' has 3"):
        load(saved(tmp_path, x0=X, x1=AGE[:3]), BOTH)


def test_an_input_of_unknown_shape_takes_what_there_is(tmp_path: Path) -> None:
    graph = chain(source("x", None), layer("custom", "Attention2"))
    assert loaded(tmp_path, X, graph).shape == X.shape
    assert refused(tmp_path, np.ones(3), graph)


def test_a_length_beside_a_file_is_not_silently_dropped(tmp_path: Path) -> None:
    (note,) = load(saved(tmp_path, x=X), timesteps=50).notes
    assert "--timesteps" in note


# ---------------------------------------------------------------- targets


@pytest.mark.parametrize("name", ["head", "y", "y0", "targets", "anything"])
def test_targets_are_found(tmp_path: Path, name: str) -> None:
    y = np.arange(4.0)
    np.save(tmp_path / "x.npy", X)
    found = load(tmp_path / "x.npy", targets=str(saved(tmp_path, **{name: y})))
    np.testing.assert_array_equal(found.targets[0], y)
    assert found.targets[0].dtype == np.float32


def test_probe_and_targets_in_one_file(tmp_path: Path) -> None:
    path = saved(tmp_path, x=X, y=np.array([1, 0, 1, 1]))
    found = load(path, targets=str(path))
    assert found.targets[0].dtype == np.int64


def test_targets_of_several_outputs(tmp_path: Path) -> None:
    path = saved(tmp_path, x0=X, x1=AGE, dense=AGE, rnn=X, y0=X + 1, y1=AGE + 1)
    by_name = load(path, BOTH, targets=str(path)).targets
    np.testing.assert_array_equal(by_name[0], X)
    by_key = load(path, BOTH, targets=str(path), targets_key=("y0", "y1")).targets
    np.testing.assert_array_equal(by_key[1], AGE + 1)


def test_no_array_for_the_output(tmp_path: Path) -> None:
    path = saved(tmp_path, x=X, labels=AGE)
    with pytest.raises(BadProbe, match="no array for output 'head'; it holds 'x', 'labels'"):
        load(path, targets=str(path))


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        (np.zeros(3), "the probe has 4 samples"),
        (np.float64(1), "the probe has 4 samples"),
        (np.array([1, 2, np.nan, 3]), "NaN or infinite"),
        (np.array(list("abcd")), "not real numbers"),
    ],
    ids=["number", "scalar", "nan", "words"],
)
def test_targets_that_do_not_fit(tmp_path: Path, targets: Array, told: str) -> None:
    path = saved(tmp_path, x=X, y=targets)
    with pytest.raises(BadProbe, match=told):
        load(path, targets=str(path))


def test_targets_of_a_network_without_known_output(tmp_path: Path) -> None:
    graph = Graph(layers=NETWORK.layers, calls=NETWORK.calls, inputs=NETWORK.inputs, outputs=())
    path = saved(tmp_path, x=X, y=X)
    with pytest.raises(BadOption, match="output is not known"):
        load(path, graph, targets=str(path))


# ---------------------------------------------------------------- padding


def padded() -> Array:
    array = X.copy()
    array[0, 8:] = array[3, 2:] = 0
    array[1] = 0
    return array


def test_trailing_zeros_are_padding(tmp_path: Path) -> None:
    found = load(saved(tmp_path, x=padded()))
    expected = np.zeros((4, 12), bool)
    expected[0, 8:] = expected[3, 2:] = True
    np.testing.assert_array_equal(found.paddings[0], expected)
    assert not found.packed
    (note,) = found.notes
    assert "at the end of 2 of 4 samples are taken as padding: gradients start before it" in note


def test_padding_of_a_state_dict_is_packed(tmp_path: Path) -> None:
    assumed = chain(source("x", [None, None, 5]), lstm("rnn", 5), wiring="assumed")
    found = load(saved(tmp_path, x=padded()), assumed)
    assert found.packed
    (note,) = found.notes
    assert "skipped, as packed sequences are" in note
    assert not load(saved(tmp_path, x=X), assumed).packed


def test_padding_of_ids(tmp_path: Path) -> None:
    ids = np.array([[3, 0, 4, 0, 0], [1, 2, 3, 4, 5]])
    assumed = chain(source("ids", [None, None]), embedding("words", 10), wiring="assumed")
    found = load(saved(tmp_path, x=ids), assumed)
    np.testing.assert_array_equal(found.paddings[0], [[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]])
    assert not found.packed


def test_a_network_that_masks_says_itself_what_padding_is(tmp_path: Path) -> None:
    masked = layer("mask", "Masking", config={"mask_value": -1.0})
    graph = chain(source("x", [None, None, 5]), masked, lstm("rnn", 5))
    array = padded()
    array[2, 9:] = -1
    found = load(saved(tmp_path, x=array), graph)
    assert found.paddings[0] is not None
    np.testing.assert_array_equal(found.paddings[0].sum(1), [0, 0, 3, 0])
    assert not found.notes


def test_padding_is_that_of_the_sequence_and_not_of_static_features(tmp_path: Path) -> None:
    found = load(saved(tmp_path, x0=padded(), x1=np.zeros((4, 2))), BOTH)
    sequence, static = found.paddings
    assert sequence is not None
    assert sequence.shape == (4, 12)
    assert static is None


@given(arrays_of.arrays(np.int64, (3, 6, 2), elements=st.integers(0, 1)))
def test_padding_step_by_step(array: Array) -> None:
    expected = np.zeros((3, 6), bool)
    for sample in range(3):
        for step in range(6):
            expected[sample, step] = array[sample].any() and not array[sample, step:].any()
    found = _padding(array, InputNeed(name="x", axes=(None, 2)))
    np.testing.assert_array_equal(expected if found is None else found, expected)
    assert (found is None) == (not expected.any())


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)
