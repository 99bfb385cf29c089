"""What a network takes, told by its inputs' shapes and by the layers that read them."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import chain, embedding, layer, lstm, side_by_side, source

from rnndiag.probe.inputs import InputNeed, first_sequence, needs_of
from rnndiag.records import Graph


def need(graph: Graph) -> InputNeed:
    (only,) = needs_of(graph)
    return only


def test_features_of_a_stored_shape() -> None:
    found = need(chain(source("x", [None, None, 5]), lstm("rnn", 5)))
    assert (found.name, found.axes, found.vocabulary) == ("x", (None, 5), None)
    assert found.sequence
    assert found.wanted == "(batch, any, 5)"


def test_the_batch_that_a_stateful_network_fixes_is_not_an_axis() -> None:
    assert need(chain(source("x", [4, 6, 3]), lstm("rnn", 3))).axes == (6, 3)


def test_static_features_are_no_sequence() -> None:
    found = need(chain(source("x", [None, 7]), layer("dense", "Dense", np.zeros((7, 2)))))
    assert not found.sequence
    assert found.fixed_steps is None


def test_ids_of_an_embedding_are_a_sequence() -> None:
    found = need(chain(source("x", [None, 24]), embedding("words", 100)))
    assert (found.vocabulary, found.fixed_steps, found.mask_value) == (100, 24, None)


def test_a_single_id_for_each_sample_is_no_sequence() -> None:
    assert not need(chain(source("x", [None, 1]), embedding("city", 9))).sequence


@pytest.mark.parametrize("kind", ["Dropout", "Reshape", "Masking"])
def test_ids_are_still_ids_behind(kind: str) -> None:
    found = need(chain(source("x", [None, 8]), layer("between", kind), embedding("words", 12)))
    assert found.vocabulary == 12


def test_ids_inside_wrappers_and_nested_models() -> None:
    words = layer("words", "TimeDistributed", inner=(embedding("inside", 30),))
    tower = layer("tower", "Model", graph=chain(source("inner_x", [None, 5, 6]), words))
    assert need(chain(source("x", [None, 5, 6]), tower)).vocabulary == 30


def test_a_wrapped_nested_model_is_looked_into() -> None:
    inside = chain(source("letters", [None, 6]), embedding("table", 40))
    wrapped = layer("each_word", "TimeDistributed", inner=(layer("net", "Model", graph=inside),))
    assert need(chain(source("x", [None, None, 6]), wrapped)).vocabulary == 40


def test_the_smallest_of_two_tables_bounds_the_ids() -> None:
    small, large = embedding("small", 10), embedding("large", 50)
    one, other = chain(source("x", [None, 4]), large), chain(source("x", [None, 4]), small)
    both = Graph(
        layers={**one.layers, **other.layers},
        calls=(*one.calls, *other.calls),
        inputs=one.inputs,
        outputs=(*one.outputs, *other.outputs),
    )
    assert need(both).vocabulary == 10


@pytest.mark.parametrize(
    ("reader", "axes"),
    [
        (lstm("rnn", 5), (None, 5)),
        (layer("rnn", "GRU", np.zeros((12, 7)), np.zeros((12, 4)), packing="torch"), (None, 7)),
        (layer("both", "Bidirectional", inner=(lstm("a", 6), lstm("b", 6))), (None, 6)),
        (layer("conv", "Conv1D", np.zeros((3, 8, 16)), np.zeros(16)), (None, 8)),
        (layer("dense", "Dense", np.zeros((9, 2))), (None, 9)),
        (layer("norm", "BatchNormalization", *[np.zeros(11)] * 4), (None, 11)),
        (
            layer("each", "TimeDistributed", inner=(layer("d", "Dense", np.zeros((4, 2))),)),
            (None, 4),
        ),
        (embedding("words", 20), (None,)),
        (layer("custom", "Attention2"), (None, None)),
    ],
    ids=lambda value: value.kind if hasattr(value, "kind") else "",
)
def test_a_shape_that_is_not_stored_is_inferred(reader: object, axes: object) -> None:
    assert need(chain(source("x", None), layer("mask", "Masking"), reader)).axes == axes  # type: ignore[arg-type]


def test_a_missing_number_of_features_is_inferred() -> None:
    assert need(chain(source("x", [None, 12, None]), lstm("rnn", 5))).axes == (12, 5)


@pytest.mark.parametrize("shape", ["text", [], {}, [None, "3"], [None, -1, 4], 7])
def test_a_shape_that_makes_no_sense_counts_as_missing(shape: object) -> None:
    assert need(chain(source("x", shape), lstm("rnn", 5))).axes == (None, 5)  # type: ignore[arg-type]


def test_an_input_that_nothing_reads_stays_unknown() -> None:
    assert need(chain(source("x", None))).axes is None


def test_what_the_network_masks() -> None:
    masked = layer("mask", "Masking", config={"mask_value": -1.0})
    assert need(chain(source("x", [None, 9, 3]), masked, lstm("rnn", 3))).mask_value == -1.0
    assert need(chain(source("x", [None, 9]), embedding("e", 5, mask_zero=True))).mask_value == 0.0
    assert need(chain(source("x", [None, 9, 3]), lstm("rnn", 3))).mask_value is None


def test_time_is_that_of_the_first_sequence() -> None:
    static = chain(source("age", [None, 2]), layer("dense", "Dense", np.zeros((2, 2))))
    sequence = chain(source("x", [None, 15, 3]), lstm("rnn", 3))
    assert first_sequence(needs_of(side_by_side(static, sequence))) == 1
    assert first_sequence(needs_of(static)) is None
