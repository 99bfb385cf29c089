from __future__ import annotations

from typing import Any

import pytest
from rule_reports import fires, layer, norms, quiet, skips
from rule_settings import decayed, trained

from rnndiag.records import Measured

RULE = "RNN404"


@pytest.mark.parametrize(
    "own",
    [
        decayed(1e-5, 1e-2, 0.0),
        decayed(1e-4, 1e-3, 1e-4),
        decayed(0.0, 0.0, 0.0),
        decayed(1e-3),
    ],
)
def test_quiet_within_the_range_and_at_none(own: Any) -> None:
    quiet(RULE, trained(own))


@pytest.mark.parametrize(
    ("own", "measured", "told"),
    [
        (
            decayed(0.1, 1e-3, 0.0),
            Measured(name="kernel_decay", value=0.1, worse="higher"),
            "kernel decay 0.1 is above 0.01",
        ),
        (
            decayed(1e-4, 1e-6),
            Measured(name="recurrent_decay", value=1e-6, worse="lower"),
            "recurrent decay 1e-6 is below 1e-5",
        ),
        (
            decayed(1e-4, 1e-4, 0.0101),
            Measured(name="bias_decay", value=0.0101, worse="higher"),
            "bias decay 0.0101 is above 0.01",
        ),
    ],
)
def test_fires_outside_of_it(own: Any, measured: Measured, told: str) -> None:
    found = fires(RULE, trained(own))
    assert found.severity == "warning"
    assert found.measured == measured
    assert told in found.message


def test_the_one_that_is_furthest_outside_is_measured() -> None:
    found = fires(RULE, trained(decayed(0.02, 1e-8)))
    assert found.measured is not None
    assert found.measured.name == "recurrent_decay"
    assert "kernel decay 0.02" in found.message
    found = fires(RULE, trained(decayed(1.0, 5e-6)))
    assert found.measured is not None
    assert found.measured.name == "kernel_decay"


@pytest.mark.parametrize(
    ("decay", "penalty", "severity"),
    [
        (0.1, False, "note"),
        (1.0, False, "note"),
        (1.1, False, "warning"),
        (0.1, True, "warning"),
        (1e-6, False, "warning"),
    ],
)
def test_decoupled_decay_may_be_larger(decay: float, penalty: bool, severity: str) -> None:
    found = fires(RULE, trained(decayed(decay, decay, penalty=penalty)))
    assert found.severity == severity


def test_the_advice_is_the_documents_values_by_matrix() -> None:
    made = layer(measurements={"weight_norms": norms(kernel=5.0, recurrent=10.0)})
    found = fires(RULE, trained(decayed(0.1, 0.1), made))
    assert "5e-5 on the kernel and 1e-4 on the recurrent kernel" in found.advice[0].text
    assert "5e-4 and 1e-3" in found.advice[1].text
    assert "L2(5e-4)" in found.advice[1].snippet


def test_the_cuts_can_be_set() -> None:
    made = trained(decayed(0.1, 0.1))
    quiet(RULE, made, thresholds={RULE: {"highest": 0.2}})
    found = fires(RULE, made, thresholds={RULE: {"highest": 0.05}})
    assert "above 0.05" in found.message


def test_skipped_where_the_file_does_not_tell() -> None:
    assert "--context" in skips(RULE, trained())
