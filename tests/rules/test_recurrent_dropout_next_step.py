from __future__ import annotations

import pytest
from rule_reports import fires, quiet, report, skips

from rnndiag.records import LayerSettings, Report, Setting, Settings, Trial, Trials

RULE = "RNN407"


def dropping(rate: float | None, framework: str = "keras") -> Report:
    known = None if rate is None else Setting(value=rate, source="config")
    own = LayerSettings(recurrent_dropout=known)
    return report(framework=framework, settings=Settings(layers={"lstm": own}))


def trials(metrics: dict[float, float]) -> Trials:
    tried = [Trial(settings={"recurrent_dropout": r}, metric=m) for r, m in metrics.items()]
    return Trials(source="trials.csv", trials=tuple(tried), metric="val_loss")


@pytest.mark.parametrize(
    ("rate", "following"),
    [(0, 0.2), (0.1, 0.2), (0.2, 0.4), (0.25, 0.4), (0.4, 0.5), (0.45, 0.5)],
)
def test_fires_with_the_next_rung(rate: float, following: float) -> None:
    found = fires(RULE, dropping(rate))
    assert found.severity == "note"
    assert found.evidence["next"] == following
    assert f"recurrent_dropout={following:g}" in found.advice[0].snippet
    assert f"{following:g} is the next to try" in found.message


@pytest.mark.parametrize("rate", [0.3, 0.29999999999, 0.35, 0.5, 0.8])
def test_quiet_where_the_ladder_has_ended(rate: float) -> None:
    quiet(RULE, dropping(rate))


@pytest.mark.parametrize(
    ("rate", "otherwise"), [(0, "do without"), (0.2, "do without"), (0.4, "0.3 and stop there")]
)
def test_it_says_what_to_do_if_that_does_not_help(rate: float, otherwise: str) -> None:
    assert fires(RULE, dropping(rate)).advice[0].text.count(otherwise) == 1


def test_skipped_where_it_is_not_known() -> None:
    assert "recurrent_dropout" in skips(RULE, dropping(None))


@pytest.mark.parametrize(
    ("metrics", "following"),
    [
        ({0: 9}, 0.2),
        ({0: 9, 0.2: 8}, 0.4),
        ({0: 9, 0.2: 8, 0.4: 7}, 0.5),
        ({0: 9, 0.2: 8, 0.4: 8.5}, 0.3),
        ({0.2: 8}, 0.0),
    ],
)
def test_trials_lead_on_whatever_the_file_says(
    metrics: dict[float, float], following: float
) -> None:
    for rate in (None, 0.5):
        found = fires(RULE, dropping(rate), trials(metrics))
        assert found.evidence["next"] == following


@pytest.mark.parametrize("metrics", [{0: 9, 0.2: 9}, {0: 9, 0.2: 8, 0.4: 7, 0.5: 6}])
def test_quiet_where_the_trials_are_finished(metrics: dict[float, float]) -> None:
    quiet(RULE, dropping(0), trials(metrics))
    quiet(RULE, dropping(None), trials(metrics))


def test_the_price_in_keras_is_told_once_it_has_to_be_paid() -> None:
    assert "cuDNN" in fires(RULE, dropping(0)).advice[0].text
    assert "cuDNN" not in fires(RULE, dropping(0.2)).advice[0].text
    assert "cuDNN" not in fires(RULE, dropping(0, "torch")).advice[0].text
    assert "cuDNN" not in fires(RULE, dropping(0), trials({0.2: 8})).advice[0].text
