"""Bad input to `rnndiag advise`: one message, status 2, no traceback, and nothing written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from advise_runs import FAST, advise, complains, network, run

from rnndiag.records import Report

BASELINE = '{"baseline_version": 1, "checkpoints": {}}'
DEEP = "[" * 5000 + "]" * 5000


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder but for a checkpoint, whose report could be written."""
    monkeypatch.chdir(tmp_path)
    network(tmp_path / "model.pt")
    return Path()


def test_a_probe_for_a_network_without_recurrent_layers(here: Path) -> None:
    torch.save(torch.nn.Linear(3, 2).state_dict(), here / "dense.pt")
    np.save(here / "x.npy", np.zeros((2, 5, 3), np.float32))
    result = advise("dense.pt", "--probe", "x.npy")
    assert (result.exit_code, result.stderr) == (3, "")
    assert "no recurrent layer" in result.stdout


def refused(here: Path, *arguments: object, told: Sequence[object]) -> None:
    """The call is refused, and leaves the folder as it was."""
    before = {path: path.read_bytes() for path in here.iterdir()}
    outputs = ("--output", "report.txt", "--write-baseline", "new.json")
    complains(advise(*arguments, *outputs), *told)
    assert {path: path.read_bytes() for path in here.iterdir()} == before


def written(here: Path, name: str, content: str | bytes) -> Path:
    path = here / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# ---------------------------------------------------------------- configuration and rules


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("select = [", ["broken TOML"]),
        ("selct = ['RNN1']", ["line 1: unknown key selct", "did you mean select"]),
        ("\nselect = ['vanishing']", ["line 2: there is no rule", "vanishing-gradient"]),
        ("fail-on = 'errors'", ["error, warning, note, never"]),
        ("[severity]\nRNN101 = 'fatal'", ["line 2"]),
        ("[thresholds.RNN101]\nwarnings = 3", ["line 2", "did you mean warning"]),
        ("[[checkpoint]]\nprobe = 'x.npz'", ["a checkpoint without path"]),
        ("checkpoints = ['runs/*.pt']", ["no file is like"]),
        ("checkpoints = []", ["no checkpoint to look at", "rnndiag.toml"]),
        (b"select = ['\xff']", ["UTF-8"]),
    ],
)
def test_a_configuration_that_makes_no_sense(
    here: Path, content: str | bytes, told: list[str]
) -> None:
    written(here, "rnndiag.toml", content)
    refused(here, told=["rnndiag.toml", *told])


@pytest.mark.parametrize("command", ["advise", "inspect"])
def test_a_broken_configuration_ends_every_command_that_reads_it(here: Path, command: str) -> None:
    written(here, "rnndiag.toml", "probe = ")
    complains(run(command, "model.pt"), "rnndiag.toml", "broken TOML")
    complains(run(command, "model.pt", "--config", "none.toml"), "none.toml: cannot be read")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--select", "vanishing"], ["no rule 'vanishing'", "did you mean vanishing-gradient"]),
        (["--select", ""], ["no rule ''"]),
        (["--select", "RNN1,,RNN2"], ["no rule ''"]),
        (["--ignore", "RNN9"], ["no rule 'RNN9'"]),
        (["--severity", "RNN101"], ["--severity RNN101", "RULE=LEVEL"]),
        (["--severity", "RNN101=bad"], ["error, warning, note"]),
        (["--severity", "RNN199=note"], ["no rule 'RNN199'"]),
        (["--threshold", "RNN101=3"], ["RULE.NAME=NUMBER"]),
        (["--threshold", "RNN101.warning=many"], ["RNN101.warning=many"]),
        (["--threshold", "RNN101.warnin=3"], ["did you mean warning"]),
        (["--threshold", "RNN199.warning=3"], ["no rule 'RNN199'"]),
    ],
)
def test_rules_that_there_are_not(here: Path, options: list[str], told: list[str]) -> None:
    refused(here, "model.pt", *options, told=told)


@pytest.mark.parametrize(
    "options",
    [
        ["--fail-on", "fatal"],
        ["--profile", "c"],
        ["--lag", "0"],
        ["--format", "xml"],
        ["--nothing"],
    ],
)
def test_usage_errors(here: Path, options: list[str]) -> None:
    result = advise("model.pt", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")


def test_no_checkpoint_at_all(here: Path) -> None:
    refused(here, told=["no checkpoint to look at", "rnndiag.toml"])


# ---------------------------------------------------------------- evidence


@pytest.mark.parametrize(
    ("option", "name", "content"),
    [
        ("--history", "none.csv", None),
        ("--history", "history.csv", "epoch,speed\n1,2\n"),
        ("--history", "history.json", '{"loss": "low"}'),
        ("--history", "history.json", "[[["),
        ("--history", "history.bin", b"\x80\x04\x95\x00\xff"),
        ("--trials", "none.csv", None),
        ("--trials", "trials.csv", "dropout\n.1\n"),
        ("--trials", "trials.json", "{"),
        pytest.param("--trials", "trials.json", DEEP, id="deep trials"),
        ("--context", "none.toml", None),
        ("--context", "run.toml", "weight_decay = "),
        ("--context", "run.toml", "wieght_decay = 1e-4"),
        ("--context", "run.toml", "[layers.lstm_9]\ndropout = 0.1"),
        ("--baseline", "none.json", None),
        ("--baseline", "known.json", "{"),
        ("--baseline", "known.json", "{}"),
        ("--baseline", "known.json", '{"baseline_version": 1, "checkpoints": {"a.pt": [{}]}}'),
        ("--baseline", "known.json", BASELINE.replace("1,", "99,")),
        pytest.param("--baseline", "known.json", DEEP, id="deep baseline"),
        ("--series", "none.pt", None),
        ("--series", "notes.txt", "no checkpoint"),
    ],
)
def test_evidence_that_cannot_be_read(
    here: Path, option: str, name: str, content: str | bytes | None
) -> None:
    if content is not None:
        written(here, name, content)
    refused(here, "model.pt", *FAST, option, name, told=[name])


def test_a_history_without_the_column_that_is_asked_for(here: Path) -> None:
    written(here, "history.csv", "epoch,loss\n1,2\n2,1\n")
    column = ("--val-column", "val_los")
    refused(here, "model.pt", "--history", "history.csv", *column, told=["val_los"])


# ---------------------------------------------------------------- checkpoints and reports


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"loss": [3, 2, 1]}', "is JSON, but no report"),
        ('[{"loss": 3}]', "is JSON, but no report"),
        (BASELINE, "is JSON, but no report"),
        ('{"schema_version": 1, "layers": []', "is no JSON"),
        ('{"schema_version": 1, "layers": []}', "missing required field"),
        ('{"schema_version": 1, "reports": []}', "holds no report"),
        ('{"schema_version": "1", "layers": []}', "schema_version"),
        pytest.param(f'{{"schema_version": 1, "layers": {DEEP}}}', "nested too deeply", id="deep"),
        (f'{{"schema_version": {Report.schema_version + 1}, "layers": []}}', "a newer rnndiag"),
    ],
)
def test_json_that_is_no_report(here: Path, content: str, told: str) -> None:
    written(here, "report.json", content)
    refused(here, "report.json", told=["report.json: ", told])


def test_a_report_that_lost_a_part(here: Path) -> None:
    report = json.loads(run("inspect", "model.pt", *FAST, "--format", "json").stdout)
    del report["layers"][0]["measurements"]["gradient_span"]["growth"]
    written(here, "report.json", json.dumps(report))
    refused(here, "report.json", told=["report.json: ", "gradient_span", "growth"])


def test_a_checkpoint_that_is_none(here: Path) -> None:
    written(here, "notes.txt", "nothing of the kind")
    refused(here, "notes.txt", told=["notes.txt: not a checkpoint"])
    refused(here, "none.pt", told=["none.pt: no such file"])


# ---------------------------------------------------------------- places


@pytest.mark.parametrize("option", ["--output", "--write-baseline"])
@pytest.mark.parametrize("place", ["none/file", "model.pt", "history.csv", "rnndiag.toml"])
def test_places_that_cannot_be_written(here: Path, option: str, place: str) -> None:
    written(here, "history.csv", "epoch,loss\n1,2\n2,1\n")
    written(here, "rnndiag.toml", "seeds = 1\n")
    before = {path: path.read_bytes() for path in here.iterdir()}
    complains(advise("model.pt", "--history", "history.csv", option, place), place)
    assert {path: path.read_bytes() for path in here.iterdir()} == before


def test_a_report_never_takes_the_place_of_a_baseline(here: Path) -> None:
    written(here, "known.json", BASELINE)
    complains(advise("model.pt", "--baseline", "known.json", "--output", "known.json"), "known")
    complains(advise("model.pt", "--write-baseline", "new", "--output", "new"), "new: is used")
    assert sorted(path.name for path in here.iterdir()) == ["known.json", "model.pt"]
    assert (here / "known.json").read_text(encoding="utf-8") == BASELINE


def test_a_full_disk(here: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    complains(advise("model.pt", *FAST, "--output", full), full, "cannot be written")
