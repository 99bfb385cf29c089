"""Short text for numbers, shares, names and profiles."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rnndiag import wording
from rnndiag.records import CheckpointReport, LayerReport


def layer(name: str, **fields: object) -> LayerReport:
    values = {"direction": "forward", "index": 0, "input_size": 1, "hidden_size": 1}
    return LayerReport(name=name, id=name, kind="LSTM", analysed=True, **{**values, **fields})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (0.0, "0.00"),
        (0.0312, "0.03"),
        (0.00004, "4.0e-05"),
        (1.5, "1.50"),
        (12.34, "12.3"),
        (212.4, "212"),
        (4.2e7, "4.2e+07"),
        (-0.15, "-0.15"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(None, "–"), (0.0, "0 %"), (0.001, "<1 %"), (0.375, "38 %"), (1.0, "100 %")]
)
def test_percent(share: float | None, text: str) -> None:
    assert wording.percent(share) == text


def test_title_keeps_place_call_and_direction_when_it_is_cut() -> None:
    long = layer("bidirectional_encoder_12", direction="backward", call=1)
    assert wording.title(long) == "bidirectional_encoder_12#1 ←"
    cut = wording.title(long, 16)
    assert len(cut) == 16
    assert cut.startswith("bid")
    assert cut.endswith("er_12#1 ←")


@pytest.mark.parametrize(
    ("size", "text"), [(999, "999 bytes"), (2048, "2.0 KB"), (3 << 20, "3.0 MB")]
)
def test_byte_count(size: int, text: str) -> None:
    assert wording.byte_count(size) == text


def test_sparkline_falls_from_full_to_empty_and_marks_the_span() -> None:
    within, beyond = wording.sparkline([-0.5 * k for k in range(12)], span=5, width=40)
    assert within == "█▇▆▅▅┊"
    assert beyond == "▄▃▂▁▁▁▁"


def test_sparkline_of_a_censored_span_has_no_mark() -> None:
    assert wording.sparkline([0.0] * 4, span=4, width=40) == ("████", "")


def test_sparkline_fits_its_width_and_shows_a_vanished_gradient_as_empty() -> None:
    within, beyond = wording.sparkline([0.0] * 50 + [None] * 450, span=50, width=20)
    assert len(within + beyond) == 20
    assert set(beyond) == {"▁"}


@pytest.mark.parametrize(
    ("version", "assumed", "told"),
    [
        ("3.11", False, "Keras 3.11"),
        ("3.11", True, "Keras (taken for 3.11)"),
        (None, False, "Keras"),
    ],
)
def test_who_wrote_a_file(version: str | None, assumed: bool, told: str) -> None:
    file = CheckpointReport(
        path="m.weights.h5",
        format="keras-weights",
        framework="keras",
        framework_version=version,
        framework_version_assumed=assumed,
        sha256="",
        bytes=1,
        parameters=1,
    )
    assert wording.written_by(file) == told
    assert wording.written_by(replace(file, framework="torch", framework_version=None)) == "PyTorch"
