"""Every sample gets the finding that its README line names, as its first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import rnndiag
from rnndiag.cli import main

SAMPLES = Path(__file__).parents[1] / "samples"
ALL = sorted(path.name for path in SAMPLES.iterdir() if path.suffix in (".h5", ".pt", ".ckpt"))


def promised() -> dict[str, str | None]:
    """Sample → the code that the last column of the README's table begins with."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (SAMPLES / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    return {row[0].strip("`"): None if row[-1] == "none" else row[-1].split()[0] for row in rows}


@pytest.fixture(scope="module")
def outcome() -> dict[str, Any]:
    command = ["advise", "--config", str(SAMPLES / "advise.toml"), "--format", "json"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    reports = json.loads(result.stdout)["reports"]
    return {Path(report["checkpoint"]["path"]).name: report for report in reports}


def test_the_table_and_the_configuration_have_every_sample(outcome: dict[str, Any]) -> None:
    assert sorted(promised()) == sorted(outcome) == ALL


@pytest.mark.parametrize("name", ALL)
def test_the_first_finding_is_the_promised_one(name: str, outcome: dict[str, Any]) -> None:
    serious = [own for own in outcome[name]["findings"] if own["severity"] != "note"]
    assert (serious[0]["rule"] if serious else None) == promised()[name]
    assert not [item for item in outcome[name]["skipped"] if item["error"]]


def test_the_same_from_python() -> None:
    sample, probe = SAMPLES / "recall_default.pt", SAMPLES / "recall_default.probe.npz"
    history = str(SAMPLES / "recall_default.history.csv")
    report = rnndiag.advise(str(sample), probe=str(probe), history=history, lag=219)
    assert report.judgement is not None
    assert report.judgement.findings[0].rule == "RNN103"
    assert report.exit_code == 0


def test_a_misspelt_argument_is_told() -> None:
    with pytest.raises(TypeError, match="lagg"):
        rnndiag.advise("model.pt", lagg=3)
