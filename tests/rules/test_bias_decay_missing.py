from __future__ import annotations

from typing import Any

import pytest
from rule_reports import fires, layer, norms, quiet, skips
from rule_settings import decayed, trained

from rnndiag.records import Measured

RULE = "RNN403"


def test_fires_where_kernels_are_decayed_and_biases_are_not() -> None:
    found = fires(RULE, trained(decayed(1e-3, 2e-4, 0.0)))
    assert found.severity == "note"
    assert "(1e-3 and 2e-4)" in found.message
    assert found.measured == Measured(name="bias_decay", value=0.0, worse="lower")
    assert "biases by 2e-4" in found.advice[0].text
    assert found.advice[0].snippet.count("2e-4") == 2
    # Bounded where they are: nothing says that they are too large.
    assert "at 2 (2 now)" in found.advice[1].text


@pytest.mark.parametrize("bias", [1.01e-3, 0.1])
def test_warns_where_biases_are_decayed_most(bias: float) -> None:
    found = fires(RULE, trained(decayed(1e-3, 2e-4, bias)))
    assert found.severity == "warning"
    assert found.measured == Measured(name="bias_decay", value=bias, worse="higher")
    assert len(found.advice) == 1
    assert "biases by 2e-4" in found.advice[0].text


def test_warns_where_nothing_else_is_decayed() -> None:
    found = fires(RULE, trained(decayed(0.0, 0.0, 1e-3)))
    assert found.severity == "warning"
    assert "1e-4 and 1e-4" in found.advice[0].text


@pytest.mark.parametrize("bias", [1e-5, 2e-4, 5e-4, 1e-3])
def test_quiet_where_biases_get_no_more_than_the_larger(bias: float) -> None:
    quiet(RULE, trained(decayed(1e-3, 2e-4, bias)))


def test_quiet_where_nothing_is_decayed() -> None:
    quiet(RULE, trained(decayed(0.0, 0.0, 0.0)))
    quiet(RULE, trained(decayed(1e-3, 0.0, 0.0)))
    quiet(RULE, trained(decayed(0.0, 1e-3, 0.0)))


def test_quiet_where_biases_are_bounded() -> None:
    quiet(RULE, trained(decayed(1e-3, 1e-3, 0.0, bias_constraint="MaxNorm 2")))
    assert fires(RULE, trained(decayed(1e-3, 1e-3, 0.0, bias_constraint="")))


def test_skipped_without_biases() -> None:
    bare = layer(measurements={"weight_norms": norms(bias=None, rms_bias=None)})
    assert "no biases" in skips(RULE, trained(decayed(1e-3, 1e-3, 0.0), bare))


@pytest.mark.parametrize(
    "own", [decayed(), decayed(1e-3, 1e-3), decayed(1e-3, None, 0.0), decayed(None, 1e-3, 0.0)]
)
def test_skipped_where_the_file_does_not_tell(own: Any) -> None:
    assert "--context" in skips(RULE, trained(own))
