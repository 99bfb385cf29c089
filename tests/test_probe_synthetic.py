"""Made-up probes."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import chain, embedding, layer, lstm, side_by_side, source

from rnndiag import probe
from rnndiag.errors import BadOption, BadProbe, TooLarge
from rnndiag.records import Options, Probe

FREE = chain(source("x", [None, None, 5]), lstm("rnn", 5))
FIXED = chain(source("x", [None, 24, 5]), lstm("rnn", 5))
WORDS = chain(source("ids", [None, None]), embedding("words", 6, mask_zero=True), lstm("rnn", 3))
STATIC = chain(source("age", [None, 2]), layer("dense", "Dense", np.zeros((2, 2))))


def only(made: Probe) -> np.ndarray:
    (array,) = made.inputs
    return array


def test_seeds_are_stacked_along_the_batch() -> None:
    made = probe.make(FREE, Options(batch=4, seeds=3))
    assert only(made).shape == (12, 100, 5)
    assert only(made).dtype == np.float32
    assert (made.source, made.batch, made.timesteps, made.seeds) == ("synthetic", 4, 100, 3)


def test_a_seed_gives_the_same_batch_wherever_it_stands() -> None:
    several = only(probe.make(FREE, Options(batch=4, seeds=3, seed=10)))
    third = only(probe.make(FREE, Options(batch=4, seeds=1, seed=12)))
    np.testing.assert_array_equal(several[8:], third)
    assert not np.array_equal(several[:4], several[4:8])


def test_normal_features() -> None:
    values = only(probe.make(FREE, Options(batch=64, seeds=1)))
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 1) < 0.02


def test_uniform_features() -> None:
    values = only(probe.make(FREE, Options(probe_kind="uniform", batch=64)))
    assert values.min() >= 0
    assert values.max() < 1
    assert abs(values.mean() - 0.5) < 0.01


def test_onehot_features() -> None:
    values = only(probe.make(FREE, Options(probe_kind="onehot")))
    np.testing.assert_array_equal(values.sum(-1), 1)
    np.testing.assert_array_equal(np.unique(values), [0, 1])
    assert (values.mean((0, 1)) > 0.1).all()


def test_ids_are_all_of_the_vocabulary_but_the_masked_one() -> None:
    assert set(np.unique(only(probe.make(WORDS, Options())))) == {1, 2, 3, 4, 5}


def test_ids_without_a_mask_begin_with_zero() -> None:
    graph = chain(source("ids", [None, None]), embedding("words", 6), lstm("rnn", 3))
    assert set(np.unique(only(probe.make(graph, Options())))) == {0, 1, 2, 3, 4, 5}


def test_a_vocabulary_of_one_is_drawn_from() -> None:
    graph = chain(source("ids", [None, 4]), embedding("words", 1, mask_zero=True))
    np.testing.assert_array_equal(only(probe.make(graph, Options())), 0)


def test_the_network_s_own_length_counts() -> None:
    made = probe.make(FIXED, Options(timesteps=24))
    assert only(made).shape[1] == made.timesteps == 24
    ids = probe.make(chain(source("ids", [None, 7]), embedding("words", 6)), Options())
    assert only(ids).shape == (48, 7)
    assert ids.timesteps == 7


def test_the_length_asked_for() -> None:
    assert only(probe.make(FREE, Options(timesteps=31))).shape[1] == 31


def test_a_length_that_the_network_does_not_take() -> None:
    with pytest.raises(BadOption, match=r"--timesteps 50: input 'x' takes \(batch, 24, 5\)"):
        probe.make(FIXED, Options(timesteps=50))


def test_several_inputs_have_their_own_lengths() -> None:
    other = chain(source("y", [None, 9, 2]), lstm("other", 2))
    made = probe.make(side_by_side(FIXED, other, STATIC), Options(batch=2, seeds=1))
    assert [array.shape for array in made.inputs] == [(2, 24, 5), (2, 9, 2), (2, 2)]
    assert made.timesteps == 24


def test_a_length_for_the_input_that_leaves_it_open() -> None:
    open_one = chain(source("y", [None, None, 2]), lstm("other", 2))
    made = probe.make(side_by_side(FIXED, open_one), Options(batch=2, seeds=1, timesteps=9))
    assert [array.shape for array in made.inputs] == [(2, 24, 5), (2, 9, 2)]


def test_static_features_are_not_stretched_over_time() -> None:
    made = probe.make(STATIC, Options(batch=2, seeds=1, timesteps=30))
    assert only(made).shape == (2, 2)
    assert made.timesteps == 30


def test_axes_beyond_time() -> None:
    letters = layer("letters", "TimeDistributed", inner=(embedding("table", 40),))
    made = probe.make(chain(source("x", [None, None, None]), letters), Options(batch=2, seeds=1))
    assert only(made).shape == (2, 100, 8)
    assert only(made).max() == 39
    images = layer("conv", "ConvLSTM2D", np.zeros((3, 3, 2, 16)))
    made = probe.make(chain(source("x", [None, None, None, 6, 2]), images), Options(seeds=1))
    assert only(made).shape == (16, 100, 8, 6, 2)


@pytest.mark.parametrize("kind", ["normal", "uniform", "onehot"])
def test_features_for_a_network_of_ids(kind: str) -> None:
    with pytest.raises(BadOption, match=f"--probe-kind {kind}: the network takes only token ids"):
        probe.make(WORDS, Options(probe_kind=kind))  # type: ignore[arg-type]


def test_ids_for_a_network_of_features() -> None:
    with pytest.raises(BadOption, match="--probe-kind ids: no input"):
        probe.make(FREE, Options(probe_kind="ids"))


def test_a_network_of_both_takes_a_kind_for_its_features() -> None:
    made = probe.make(side_by_side(WORDS, FREE), Options(probe_kind="onehot", batch=2, seeds=1))
    assert made.inputs[0].max() == 5
    np.testing.assert_array_equal(made.inputs[1].sum(-1), 1)


@pytest.mark.parametrize(
    "options",
    [Options(timesteps=10**9), Options(batch=10**8), Options(seeds=10**7)],
    ids=["timesteps", "batch", "seeds"],
)
def test_absurd_sizes_are_refused_at_once(options: Options) -> None:
    with pytest.raises(TooLarge, match=r"would take \d.* [GT]iB; --max-memory is") as raised:
        probe.make(FREE, options)
    assert "--timesteps" in raised.value.hint


def test_an_unknown_shape_asks_for_real_input() -> None:
    with pytest.raises(BadProbe, match="does not tell the shape of input 'x'") as raised:
        probe.make(chain(source("x", None), layer("custom", "Attention2")), Options())
    assert "--probe" in raised.value.hint


def test_targets_need_real_input() -> None:
    with pytest.raises(BadOption, match="--targets without --probe"):
        probe.make(FREE, Options(targets="y.npz"))
