from __future__ import annotations

from typing import Any

import pytest
from rule_reports import fires, quiet, skips
from rule_settings import decayed, trained

from rnndiag.records import Measured

RULE = "RNN405"
PENALIZED = decayed(1e-3, 1e-4, 0.0, penalty=True)


@pytest.mark.parametrize("name", ["Adam", "Nadam", "RMSprop", "Adagrad", "Adadelta", "Adamax"])
def test_fires_on_adaptive_optimizers(name: str) -> None:
    found = fires(RULE, trained(PENALIZED, optimizer=name))
    assert found.severity == "note"
    assert f"{name} rescales" in found.message
    assert "(kernel 1e-3, recurrent 1e-4)" in found.message
    assert found.measured == Measured(name="decay", value=1e-3, worse="higher")


def test_fires_on_a_penalty_beside_decoupled_decay() -> None:
    assert fires(RULE, trained(PENALIZED, optimizer="AdamW", decoupled=True))


@pytest.mark.parametrize("name", ["SGD", "SGDW", "LBFGS", "Mine"])
def test_quiet_on_others(name: str) -> None:
    quiet(RULE, trained(PENALIZED, optimizer=name))


def test_quiet_without_a_penalty() -> None:
    quiet(RULE, trained(decayed(1e-3, 1e-3, penalty=False), optimizer="Adam"))


def test_a_choice_of_optimizers_counts_where_all_of_it_is_adaptive() -> None:
    assert fires(RULE, trained(PENALIZED, optimizer="Adam or AdamW"))
    quiet(RULE, trained(PENALIZED, optimizer="Adam or SGD"))


def test_a_penalty_of_unknown_size_is_one() -> None:
    found = fires(RULE, trained(decayed(penalty=True), optimizer="Adam"))
    assert found.message.endswith("gradient")
    assert found.measured is None


@pytest.mark.parametrize(
    ("own", "network", "reason"),
    [
        (PENALIZED, {}, "the optimizer"),
        (decayed(1e-3, 1e-3), {"optimizer": "Adam"}, "a penalty"),
        (decayed(), {}, "the optimizer"),
    ],
)
def test_skipped_where_the_file_does_not_tell(
    own: Any, network: dict[str, Any], reason: str
) -> None:
    said = skips(RULE, trained(own, **network))
    assert reason in said
    assert "--context" in said


def test_the_decay_to_start_with_follows_from_the_updates() -> None:
    found = fires(RULE, trained(PENALIZED, optimizer="Adam", steps=10_000, learning_rate=2e-3))
    # .025 / √10000 = 2.5e-4; over the learning rate .125, in two digits .12.
    assert "AdamW with a decoupled decay of 2.5e-4" in found.advice[0].text
    assert "= 10000" in found.advice[0].text
    assert "weight_decay=2.5e-4" in found.advice[0].snippet
    assert "up to 0.12" in found.advice[1].text
    assert "weight_decay=0.12" in found.advice[1].snippet


def test_without_the_updates_the_formula_is_left() -> None:
    found = fires(RULE, trained(PENALIZED, optimizer="Adam", learning_rate=2e-3))
    (only,) = found.advice
    assert "decay of 1e-4" in only.text
    assert "0.025 · √(1 / steps)" in only.text
    assert "does not tell" in only.text


def test_a_schedule_that_ended_at_0_tells_no_rate_to_divide_by() -> None:
    network = {"optimizer": "Adam", "steps": 10_000, "learning_rate": 0.0}
    assert len(fires(RULE, trained(PENALIZED, **network)).advice) == 1


def test_lambda_norm_can_be_set() -> None:
    made = trained(PENALIZED, optimizer="Adam", steps=10_000)
    found = fires(RULE, made, thresholds={RULE: {"normalized": 0.05}})
    assert "decay of 5e-4" in found.advice[0].text


def test_nadam_stays_nadam() -> None:
    found = fires(RULE, trained(PENALIZED, optimizer="Nadam"))
    assert "NadamW" in found.advice[0].text
    assert "keras.optimizers.Nadam(" in found.advice[0].snippet


def test_pytorch_gets_its_own_optimizer() -> None:
    found = fires(RULE, trained(PENALIZED, optimizer="Adam", framework="torch", steps=100))
    assert "torch.optim.AdamW" in found.advice[0].snippet
    assert "weight_decay=2.5e-3" in found.advice[0].snippet
