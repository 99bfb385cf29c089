from __future__ import annotations

from typing import Any

import pytest
from rule_reports import fires, layer, norms, quiet, skips
from rule_settings import decayed, trained

from rnndiag.records import LayerReport, Measured

RULE = "RNN402"


def sized(kernel: float, recurrent: float, inputs: int = 64, **arguments: Any) -> LayerReport:
    """A layer with 64 units and these norms."""
    return layer(
        measurements={"weight_norms": norms(kernel=kernel, recurrent=recurrent)},
        input_size=inputs,
        arguments={"class_name": "LSTM", "units": 64, **arguments},
    )


def test_fires_where_the_norms_are_unlike() -> None:
    found = fires(RULE, trained(decayed(1e-3, 1e-3, 0.0), sized(5, 11)))
    assert found.severity == "note"
    assert found.measured == Measured(name="norm_apart", value=2.2, worse="higher")
    assert "the recurrent kernel has 2.2 times the norm of the kernel" in found.message
    # 5/11 of 1e-3 is 4.5e-4.
    assert "5e-4 on the kernel and 1e-3 on the recurrent kernel" in found.advice[0].text
    # The kernel's, and that of the biases.
    assert found.advice[0].snippet.count("L2(5e-4)") == 2


@pytest.mark.parametrize(("inputs", "larger"), [(31, "recurrent kernel"), (129, "kernel")])
def test_fires_where_the_shapes_are_unlike(inputs: int, larger: str) -> None:
    found = fires(RULE, trained(decayed(1e-3, 1e-3), sized(8, 10, inputs)))
    assert found.measured is not None
    assert found.measured.name == "entries_apart"
    assert f"the {larger} has" in found.message


def test_the_smaller_shape_gets_less() -> None:
    found = fires(RULE, trained(decayed(3e-4, 3e-4), sized(8, 10, 6)))
    # 6/64 of 3e-4 is less than a tenth of it, 3e-5, which is nearest to 2e-5.
    assert "2e-5 on the kernel and 3e-4 on the recurrent kernel" in found.advice[0].text


def test_a_projection_makes_the_recurrent_kernel_smaller() -> None:
    made = sized(8, 10, 64, proj_size=16)
    assert (
        "the kernel has 4 times the entries"
        in fires(RULE, trained(decayed(1e-3, 1e-3), made)).message
    )


@pytest.mark.parametrize(
    ("kernel", "recurrent", "inputs"), [(5, 10, 64), (10, 5, 64), (8, 10, 32), (8, 10, 128)]
)
def test_quiet_up_to_the_cuts(kernel: float, recurrent: float, inputs: int) -> None:
    quiet(RULE, trained(decayed(1e-3, 1e-3), sized(kernel, recurrent, inputs)))


@pytest.mark.parametrize("own", [decayed(1e-3, 1e-4), decayed(0.0, 0.0), decayed(0.0, 1e-3)])
def test_quiet_where_the_decays_differ_or_are_none(own: Any) -> None:
    quiet(RULE, trained(own, sized(5, 50)))


def test_noise_of_float32_makes_no_difference() -> None:
    assert fires(RULE, trained(decayed(1e-3, 0.0010000000474974513), sized(5, 50)))


@pytest.mark.parametrize("own", [decayed(), decayed(1e-3), decayed(None, 1e-3)])
def test_skipped_where_the_file_does_not_tell(own: Any) -> None:
    assert "--context" in skips(RULE, trained(own))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"return_sequences": True}, "returns whole sequences, so the kernel's work counts"),
        ({"return_sequences": False}, "returns its last step alone, so decay on the kernel works"),
        ({}, "where only the last step is used"),
    ],
)
def test_it_says_what_kernel_decay_does_in_this_layer(arguments: dict[str, Any], told: str) -> None:
    found = fires(RULE, trained(decayed(1e-3, 1e-3), sized(5, 50, **arguments)))
    assert told in found.advice[1].text
    assert found.advice[1].source == "A: weight decay 3"


def test_matrices_of_zeros_are_not_compared() -> None:
    quiet(RULE, trained(decayed(1e-3, 1e-3), sized(0.0, 10)))
