"""Every path of every ladder, worked out by hand from document A's "what to do" 1-5."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest

from rnndiag import ladders
from rnndiag.errors import BadOption
from rnndiag.ladders import LADDERS, Next
from rnndiag.records import Trial, Trials


def trials(*tried: tuple[Mapping[str, object], float], lower: bool = True) -> Trials:
    listed = tuple(Trial(settings=settings, metric=metric) for settings, metric in tried)
    metric = "val_loss" if lower else "val_accuracy"
    return Trials(source="trials.csv", trials=listed, metric=metric, lower_is_better=lower)


def climb(ladder: str, metrics: Mapping[float, float], lower: bool = True) -> Next:
    """The next step after one trial of each value; 0 is a trial that does not name the setting."""
    tried = (({ladder: value} if value else {}, metric) for value, metric in metrics.items())
    return ladders.next_step(ladder, trials(*tried, lower=lower))


PATHS = [
    # value → metric, lower is better; what to try next; what to keep
    ("dropout", {}, 0, None),
    ("dropout", {0.1: 1}, 0, None),
    ("dropout", {0: 5}, 0.1, None),
    ("dropout", {0: 5, 0.2: 4}, 0.1, None),
    ("dropout", {0: 5, 0.1: 6}, None, "scrap"),
    ("dropout", {0: 5, 0.1: 5}, None, "scrap"),
    ("dropout", {0: 5, 0.1: 4}, 0.2, None),
    ("dropout", {0: 5, 0.1: 4, 0.2: 3}, None, 0.2),
    ("dropout", {0: 5, 0.1: 4, 0.2: 4}, None, 0.1),
    ("dropout", {0: 5, 0.1: 4, 0.2: 6}, None, 0.1),
    ("dropout", {0: 5, 0.1: 6, 0.2: 4}, None, 0.2),
    ("dropout", {0: 5, 0.1: 6, 0.3: 4}, None, 0.3),
    ("recurrent_dropout", {}, 0, None),
    ("recurrent_dropout", {0: 9}, 0.2, None),
    ("recurrent_dropout", {0: 9, 0.2: 9}, None, "scrap"),
    ("recurrent_dropout", {0: 9, 0.2: 8}, 0.4, None),
    ("recurrent_dropout", {0: 9, 0.2: 8, 0.4: 7}, 0.5, None),
    ("recurrent_dropout", {0: 9, 0.2: 8, 0.4: 8}, 0.3, None),
    ("recurrent_dropout", {0: 9, 0.2: 8, 0.4: 8.5}, 0.3, None),
    ("recurrent_dropout", {0: 9, 0.2: 8, 0.4: 7, 0.5: 6}, None, 0.5),
    ("recurrent_dropout", {0: 9, 0.2: 8, 0.4: 7, 0.5: 7.5}, None, 0.4),
    ("recurrent_dropout", {0: 9, 0.2: 8, 0.4: 8.5, 0.3: 7}, None, 0.3),
    ("recurrent_dropout", {0: 9, 0.2: 8, 0.4: 8.5, 0.3: 8.2}, None, 0.2),
    ("recurrent_dropout", {0: 9, 0.2: 8, 0.3: 7}, 0.4, None),
    ("batch_normalization", {}, False, None),
    ("batch_normalization", {0: 2}, True, None),
    ("batch_normalization", {0: 2, True: 1}, None, True),
    ("batch_normalization", {0: 2, True: 2}, None, "scrap"),
]
PATHS += [
    ("recurrent_batch_normalization", *path[1:])
    for path in PATHS
    if path[0] == "batch_normalization"
]
PATHS += [
    (ladder, *path)
    for ladder in ("kernel_decay", "recurrent_decay")
    for path in (
        ({}, 0, None),
        ({0: 5}, 1e-3, None),
        ({0: 5, 1e-3: 6}, 1e-4, None),
        ({0: 5, 1e-3: 4}, 1e-4, None),
        ({0: 5, 1e-4: 4}, 1e-3, None),
        ({0: 5, 1e-3: 4, 1e-4: 3}, None, 1e-4),
        ({0: 5, 1e-3: 3, 1e-4: 4}, None, 1e-3),
        ({0: 5, 1e-3: 6, 1e-4: 4}, None, 1e-4),
        ({0: 5, 1e-3: 5, 1e-4: 6}, None, "scrap"),
        ({1e-4: 5}, 1e-3, None),
        ({1e-5: 5}, 1e-4, None),
        ({0: 6, 1e-5: 5}, 1e-4, None),
        ({1e-5: 5, 1e-4: 4}, 1e-3, None),
        ({1e-3: 5, 1e-4: 4}, None, 1e-4),
        ({1e-3: 4, 1e-4: 5, 3e-3: 3}, None, 3e-3),
    )
]


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize(("ladder", "metrics", "value", "keep"), PATHS)
def test_paths(
    ladder: str, metrics: dict[float, float], value: object, keep: object, lower: bool
) -> None:
    signed = {tried: metric if lower else -metric for tried, metric in metrics.items()}
    got = climb(ladder, signed, lower)
    assert (got.value, got.keep) == (value, keep)
    assert (got.ladder, got.source) == (ladder, LADDERS[ladder].section)


@pytest.mark.parametrize("ladder", LADDERS)
def test_every_ladder_ends_and_keeps_the_best_that_was_tried(ladder: str) -> None:
    """Followed step by step, whatever order the values come out in."""
    values = {0, *LADDERS[ladder].rungs, *filter(None, [LADDERS[ladder].fallback])}
    for order in itertools.permutations(range(len(values))):
        metric = dict(zip(sorted(values), order, strict=True))
        tried: dict[float, float] = {}
        step = climb(ladder, tried)
        while step.value is not None:
            assert step.keep is None
            assert step.value not in tried
            tried[step.value] = metric[step.value]
            step = climb(ladder, tried)
        best = min(tried, key=tried.__getitem__)
        assert step.keep == (best or "scrap")


@pytest.mark.parametrize("off", [{}, {"dropout": 0.0}, {"dropout": 0}, {"dropout": None}])
def test_what_counts_as_without(off: dict[str, object]) -> None:
    assert ladders.next_step("dropout", trials((off, 1.0))).value == 0.1


def test_like_is_compared_with_like() -> None:
    """The best of all baselines is of a larger network; that of the same size is worse."""
    got = ladders.next_step(
        "dropout",
        trials(
            ({"units": 256}, 1.0),
            ({"units": 64}, 5.0),
            ({"units": 64.0, "dropout": 0.1}, 4.0),
        ),
    )
    assert got.value == 0.2
    assert got.reason == (
        "val_loss 4 with dropout 0.1 is better than 5 without dropout: try with dropout 0.2 next"
    )


def test_the_pair_with_the_best_upper_trial_counts() -> None:
    """At 256 units dropout helps, at 64 it does not; 256 is where the best trial with it is."""
    pairs = [({"units": 64}, 2.0), ({"units": 64, "dropout": 0.1}, 3.0)]
    pairs += [({"units": 256}, 5.0), ({"units": 256, "dropout": 0.1}, 1.0)]
    got = ladders.next_step("dropout", trials(*pairs))
    assert got.value == 0.2
    assert got.reason.startswith("val_loss 1 with dropout 0.1 is better than 5 without dropout")


def test_a_trial_without_its_like_counts_less_than_a_pair() -> None:
    """The best trial with dropout has no baseline of its size."""
    tried = [({"units": 64}, 5.0), ({"units": 64, "dropout": 0.1}, 6.0)]
    got = ladders.next_step("dropout", trials(*tried, ({"units": 512, "dropout": 0.1}, 1.0)))
    assert got.keep == "scrap"


def test_unlike_trials_are_compared_where_there_are_no_others_and_that_is_said() -> None:
    tried = [({"units": 64}, 5.0), ({"units": 128, "dropout": 0.1}, 4.0)]
    got = ladders.next_step("dropout", trials(*tried))
    assert got.value == 0.2
    assert "though other settings differ too" in got.reason


@pytest.mark.parametrize("name", ["seed", "trial", "trial_id", "number", "Unnamed: 0", "column 1"])
def test_bookkeeping_is_no_difference(name: str) -> None:
    tried = [({name: 1}, 5.0), ({name: 2}, 3.0), ({name: 3, "dropout": 0.1}, 4.0)]
    got = ladders.next_step("dropout", trials(*tried))
    assert (got.keep, got.reason) == (
        "scrap",
        "val_loss 4 with dropout 0.1 is no better than 3 without dropout",
    )


def test_the_best_of_several_trials_counts() -> None:
    tried = [({}, 5.0), ({}, 6.0), ({"dropout": 0.1}, 9.0), ({"dropout": 0.1}, 4.5)]
    assert ladders.next_step("dropout", trials(*tried)).value == 0.2


def test_what_is_off_is_as_good_as_absent() -> None:
    off = {"zoneout": 0.0, "batch_normalization": False}
    got = ladders.next_step("dropout", trials((off, 5.0), ({"dropout": 0.1}, 4.0)))
    assert "differ" not in got.reason


def test_one_weight_decay_stands_for_all_three() -> None:
    """A trial of both decays at once is one of the kernel's, but not like the baseline."""
    tried = [({}, 5.0), ({"weight_decay": 1e-3}, 4.0)]
    got = ladders.next_step("kernel_decay", trials(*tried))
    assert got.value == 1e-4
    separate = {"recurrent_decay": 1e-3, "bias_decay": 1e-3}
    tried += [(separate, 6.0), ({"weight_decay": 1e-3, "kernel_decay": 1e-4}, 3.0)]
    done = ladders.next_step("kernel_decay", trials(*tried))
    assert done.keep == 1e-4
    assert done.reason == (
        "val_loss 3 with kernel decay 0.0001 is better than 6 without kernel decay; "
        "val_loss 3 with kernel decay 0.0001 is better than 4 with kernel decay 0.001"
    )


def test_kernel_and_recurrent_decay_are_tried_separately() -> None:
    tried = trials(({}, 5.0), ({"kernel_decay": 1e-3}, 4.0))
    assert ladders.next_step("kernel_decay", tried).value == 1e-4
    assert ladders.next_step("recurrent_decay", tried).value == 1e-3


def test_decays_that_were_never_left_out_are_compared_with_each_other() -> None:
    assert climb("kernel_decay", {1e-5: 5, 1e-4: 4}).reason == (
        "val_loss is 4 with kernel decay 0.0001: try with kernel decay 0.001 next"
    )
    assert climb("kernel_decay", {1e-5: 3, 1e-4: 4}).reason == (
        "val_loss is 3 with kernel decay 1e-05: try with kernel decay 0.001 next"
    )
    assert climb("kernel_decay", {1e-3: 5, 1e-4: 4}).reason == (
        "val_loss 4 with kernel decay 0.0001 is better than 5 with kernel decay 0.001"
    )


def test_values_that_are_nearly_a_rung() -> None:
    assert climb("recurrent_dropout", {0: 9, 0.2: 8, 0.4: 8.5, 0.1 + 0.2: 7}).keep == 0.3


def test_two_diverged_trials_are_no_improvement() -> None:
    assert climb("dropout", {0: float("inf"), 0.1: float("inf")}).keep == "scrap"


def test_what_the_sentences_say() -> None:
    assert climb("dropout", {0.1: 1}).reason == (
        "no trial is without dropout yet: try without dropout next"
    )
    assert climb("batch_normalization", {0: 0.51234}).reason == (
        "val_loss is 0.5123 without batch normalization: try with batch normalization next"
    )
    assert climb("recurrent_dropout", {0: 9, 0.2: 8, 0.4: 8.5}).reason == (
        "val_loss 8.5 with recurrent dropout 0.4 is no better than 8 with recurrent dropout 0.2: "
        "try with recurrent dropout 0.3 next"
    )
    assert climb("dropout", {0: 0.5, 0.1: 0.75, 0.2: 0.875}, lower=False).reason == (
        "val_accuracy 0.875 with dropout 0.2 is better than 0.5 without dropout; "
        "val_accuracy 0.875 with dropout 0.2 is better than 0.75 with dropout 0.1"
    )


@pytest.mark.parametrize(
    ("name", "hint"), [("recurent_dropout", "recurrent_dropout"), ("x", "known")]
)
def test_an_unknown_ladder(name: str, hint: str) -> None:
    with pytest.raises(BadOption, match="no ladder") as caught:
        ladders.next_step(name, trials())
    assert hint in caught.value.hint
