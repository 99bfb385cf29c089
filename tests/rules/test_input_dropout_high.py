from __future__ import annotations

from dataclasses import replace

import pytest
from rule_reports import fires, layer, quiet, report, skips

from rnndiag.records import (
    Finding,
    LayerSettings,
    Measured,
    Report,
    Setting,
    Settings,
    Surrounding,
    Trial,
    Trials,
)

RULE = "RNN406"
INPUT = Surrounding(name="x", kind="InputLayer")
LSTM = Surrounding(name="lstm", kind="LSTM")


def dropping(rate: float | None, *network: Surrounding, wiring: str = "exact") -> Report:
    own = LayerSettings() if rate is None else LayerSettings(dropout=told(rate))
    made = report(network=network, settings=Settings(layers={"lstm": own}))
    return wired(made, wiring)


def wired(made: Report, wiring: str) -> Report:
    return replace(made, probe=replace(made.probe, wiring=wiring))


def told(rate: float) -> Setting[float]:
    return Setting(value=rate, source="config")


def dropout(rate: float, kind: str = "Dropout") -> Surrounding:
    return Surrounding(name="drop", kind=kind, arguments={"rate": rate})


def trials(**metrics: float) -> Trials:
    """By rate in tenths: ``t0``, ``t1``, ``t5``."""
    tried = [
        Trial(settings={"dropout": int(name[1:]) / 10}, metric=metric)
        for name, metric in metrics.items()
    ]
    return Trials(source="trials.csv", trials=tuple(tried), metric="val_loss")


def steps(found: Finding) -> list[str]:
    return [step.text for step in found.advice]


@pytest.mark.parametrize("rate", [0, 0.1, 0.2])
def test_quiet_up_to_the_cut(rate: float) -> None:
    quiet(RULE, dropping(rate))


@pytest.mark.parametrize("rate", [0.21, 0.3, 0.5, 0.6])
def test_fires_above_it(rate: float) -> None:
    found = fires(RULE, dropping(rate))
    assert (found.severity, found.confidence) == ("warning", "high")
    assert found.measured == Measured(name="dropout", value=rate, worse="higher")


def test_the_message_names_the_conflict_of_the_documents() -> None:
    assert "A's 0.2 (B has 0.3 to 0.5" in fires(RULE, dropping(0.4)).message
    assert "A's 0.2 (and than B's 0.5)" in fires(RULE, dropping(0.6)).message


def test_profile_b_moves_the_cut() -> None:
    quiet(RULE, dropping(0.5), profile="b")
    found = fires(RULE, dropping(0.6), profile="b")
    assert "B's 0.5" in found.message
    assert "0.3" in steps(found)[0]
    assert "dropout=0.3" in found.advice[0].snippet


def test_a_dropout_layer_just_before_fires_less_surely() -> None:
    found = fires(RULE, dropping(0, INPUT, dropout(0.4), LSTM))
    assert (found.severity, found.confidence) == ("warning", "medium")
    assert "just before" in found.message
    assert "in the place of drop" in steps(found)[0]


@pytest.mark.parametrize("kind", ["SpatialDropout1D", "GaussianDropout"])
def test_relatives_of_dropout_count(kind: str) -> None:
    fires(RULE, dropping(0, INPUT, dropout(0.4, kind), LSTM))


def test_quiet_where_the_dropout_stands_elsewhere() -> None:
    quiet(RULE, dropping(0, INPUT, LSTM, dropout(0.5)))
    dense = Surrounding(name="dense", kind="Dense")
    quiet(RULE, dropping(0, INPUT, dropout(0.5), dense, LSTM))


def test_float32_noise_is_no_excess() -> None:
    quiet(RULE, dropping(0, INPUT, dropout(0.20000000298023224), LSTM))


@pytest.mark.parametrize(("rate", "severity"), [(0.5, "note"), (0.55, "warning")])
def test_between_recurrent_layers_b_has_its_say(rate: float, severity: str) -> None:
    upper = layer(name="upper", id="upper", input_size=64)
    network = (INPUT, LSTM, dropout(rate), Surrounding(name="upper", kind="LSTM"))
    known = {name: LayerSettings(dropout=told(0.0)) for name in ("lstm", "upper")}
    made = report(upper, layer(analysed=False), network=network, settings=Settings(layers=known))
    found = fires(RULE, made)
    assert found.severity == severity
    assert "between recurrent layers" in found.message


DENSE = Surrounding(name="dense", kind="Dense")
MERGED = Surrounding(name="merged", kind="Concatenate")
OTHER = Surrounding(name="other", kind="LSTM")
UPPER = Surrounding(name="upper", kind="LSTM")


def stacked(*network: Surrounding, input_size: int, wiring: str = "exact") -> Report:
    """`upper` drops 0.3 of its own inputs; ``lstm`` and ``other`` have 64 units each."""
    below = [
        layer(name=name, id=name, analysed=False, hidden_size=size)
        for name, size in (("lstm", 64), ("other", None))
    ]
    upper = layer(name="upper", id="upper", input_size=input_size)
    settings = Settings(layers={"upper": LayerSettings(dropout=told(0.3))})
    return wired(report(*below, upper, network=network, settings=settings), wiring)


@pytest.mark.parametrize("wiring", ["exact", "isolated"])
@pytest.mark.parametrize(
    ("network", "input_size"),
    [
        ((INPUT, LSTM, UPPER), 64),
        ((INPUT, LSTM, Surrounding(name="norm", kind="LayerNormalization"), UPPER), 64),
        ((INPUT, LSTM, OTHER, MERGED, UPPER), 128),
        ((INPUT, OTHER, UPPER), 16),  # how much it gives is not known
        ((INPUT, LSTM, OTHER, MERGED, DENSE, UPPER), 128),  # another branch in between
    ],
)
def test_a_layer_s_own_dropout_on_what_recurrent_layers_give_is_a_note(
    network: tuple[Surrounding, ...], input_size: int, wiring: str
) -> None:
    found = fires(RULE, stacked(*network, input_size=input_size, wiring=wiring))
    assert (found.severity, found.confidence) == ("note", "medium")
    assert "between recurrent layers" in found.message
    assert found.doubt == "where it stands is told by the order of the calls alone"


@pytest.mark.parametrize(
    ("network", "input_size"),
    [
        ((INPUT, UPPER), 16),
        ((INPUT, UPPER, LSTM), 64),
        ((INPUT, LSTM, DENSE, UPPER), 64),
        ((INPUT, LSTM, OTHER, MERGED, DENSE, UPPER), 100),  # the dense layer's 100
        ((INPUT, LSTM, DENSE, MERGED, UPPER), 64),
        ((INPUT, DENSE, MERGED, UPPER), 128),
        ((INPUT, LSTM, UPPER), 16),  # side by side: it takes 16 features, and not 64
        ((), 64),
    ],
)
def test_on_anything_else_it_is_a_warning(
    network: tuple[Surrounding, ...], input_size: int
) -> None:
    found = fires(RULE, stacked(*network, input_size=input_size))
    assert (found.severity, found.confidence) == ("warning", "high")


def test_both_directions_below_count_together() -> None:
    below = [
        layer(name="lstm", id="lstm", direction=direction, analysed=False)
        for direction in ("forward", "backward")
    ]
    upper = layer(name="upper", id="upper", input_size=128)
    settings = Settings(layers={"upper": LayerSettings(dropout=told(0.3))})
    made = report(*below, upper, network=(INPUT, LSTM, UPPER), settings=settings)
    assert fires(RULE, made).severity == "note"


def test_an_upper_layer_of_a_stack_in_pytorch_is_told_by_its_index() -> None:
    settings = Settings(layers={"lstm": LayerSettings(dropout=told(0.3))})
    for index, severity in ((0, "warning"), (1, "note")):
        made = report(layer(index=index), framework="torch", settings=settings)
        assert fires(RULE, made).severity == severity


def test_the_larger_of_two_counts() -> None:
    found = fires(RULE, dropping(0.25, INPUT, dropout(0.4), LSTM))
    assert found.measured == Measured(name="dropout", value=0.4, worse="higher")


def test_skipped_where_nothing_is_known() -> None:
    assert "--context" in skips(RULE, dropping(None))
    # The order of a state dict's layers is a guess.
    skips(RULE, dropping(None, INPUT, dropout(0.4), LSTM, wiring="assumed"))


def test_trials_say_what_comes_next() -> None:
    found = fires(RULE, dropping(0.4), trials(t0=5, t4=6))
    assert "try with dropout 0.1 next" in steps(found)[0]
    assert "dropout=0.1" in found.advice[0].snippet
    found = fires(RULE, dropping(0.4), trials(t0=5, t1=6, t4=6))
    assert steps(found)[0].startswith("none: ")
    assert "dropout=0" in found.advice[0].snippet


def test_quiet_where_trials_have_shown_it_to_be_best() -> None:
    quiet(RULE, dropping(0.3), trials(t0=5, t1=4, t2=3, t3=2))
    fires(RULE, dropping(0.4), trials(t0=5, t1=4, t2=3, t3=2))


def test_recurrent_dropout_is_offered_only_where_there_is_none() -> None:
    assert any("recurrent dropout" in text for text in steps(fires(RULE, dropping(0.4))))
    own = LayerSettings(dropout=told(0.4), recurrent_dropout=told(0.2))
    made = report(settings=Settings(layers={"lstm": own}))
    assert not any("recurrent dropout" in text for text in steps(fires(RULE, made)))


def test_a_threshold_can_be_set() -> None:
    quiet(RULE, dropping(0.3), thresholds={RULE: {"inputs": 0.3}})
