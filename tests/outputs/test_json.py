"""Reports as JSON: against the schema, and what becomes of each part of an outcome."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from rnndiag import __version__
from rnndiag.outputs.reports.json import as_data, render
from rnndiag.records import (
    Advice,
    CheckpointReport,
    Failed,
    Finding,
    History,
    InputScale,
    Judgement,
    LayerReport,
    LayerSettings,
    Measured,
    NotJudged,
    Outcome,
    Passed,
    ProbeReport,
    Report,
    Series,
    Setting,
    Settings,
    Skipped,
    Surrounding,
    TrainingFact,
    Unread,
    WeightSizes,
)

SCHEMA = json.loads((resources.files("rnndiag.outputs.reports") / "schema.json").read_text("utf-8"))

LAYER = LayerReport(
    name="lstm",
    id="lstm_l1",
    kind="LSTM",
    direction="forward",
    index=1,
    input_size=3,
    hidden_size=4,
    analysed=True,
    arguments={"class_name": "LSTM", "hidden_size": 4, "kernel_regularizer": None},
    parameters={"kernel": ("lstm.weight_ih_l1",), "bias": ("lstm.bias_ih_l1", "lstm.bias_hh_l1")},
    measurements={
        "carried_context": Skipped(reason="not stateful"),
        "timescale": Failed(reason="it broke"),
        "lyapunov": {"top": -0.1, "standard_error": math.inf},
    },
)
PLAIN = Report(
    rnndiag_version=__version__,
    exit_code=0,
    checkpoint=CheckpointReport(
        path="a.pt",
        format="torch-zip",
        framework="torch",
        framework_version=None,
        sha256="0" * 64,
        bytes=10,
        parameters=5,
    ),
    probe=ProbeReport(
        source="file",
        batch=2,
        timesteps=9,
        seeds=1,
        device="cpu",
        wiring="assumed",
        inputs=(InputScale(means=(0.5, -1.0), deviations=(1.0, 2.0), largest=(2.0, 3.0)),),
    ),
    layers=(LAYER,),
    network=(Surrounding(name="drop", kind="Dropout", arguments={"rate": 0.2}),),
    training=(TrainingFact(name="lr", value=0.1, parameter="lstm.weight_ih_l1", source="it"),),
)
FINDING = Finding(
    rule="RNN101",
    name="vanishing-gradient",
    severity="warning",
    confidence="medium",
    message="the gradient reaches back 6 steps, fewer than 10",
    layer="lstm_l1",
    direction="forward",
    call=1,
    evidence={"span": 6, "profile": (0.0, -math.inf)},
    measured=Measured(name="span", value=6.0, worse="lower"),
    advice=(Advice(text="longer memory", source="A what to do 1", snippet="import torch"),),
    capped="measured on made-up input",
    known=True,
)
JUDGED = replace(
    PLAIN,
    exit_code=1,
    history=History(
        source="log.csv",
        epochs=(1, 2),
        axis="epoch",
        train=(0.5, None),
        validation=(math.nan, 0.25),
        train_column="loss",
    ),
    series=Series(
        checkpoints=("a.pt", "b.pt"),
        steps=(1.0, None),
        layers={"lstm_l1/forward": WeightSizes(kernel=(1.0, 2.0), recurrent=(None, 1.0), bias=())},
        notes=("c.pt could not be read",),
    ),
    settings=Settings(
        optimizer=Setting(value="AdamW", source="optimizer"),
        learning_rate=Setting(value=1e-3, source="optimizer"),
        decoupled=Setting(value=True, source="optimizer"),
        steps=Setting(value=500, source="run.toml"),
        split=Setting(value=(0.8, 0.1, 0.1), source="run.toml"),
        conflicts=("lr: the file says 1, run.toml 2",),
        layers={
            "lstm_l1": LayerSettings(
                kernel_decay=Setting(value=1e-4, source="config"),
                penalty=Setting(value=False, source="config"),
                bias_constraint=Setting(value="", source="config"),
            )
        },
    ),
    judgement=Judgement(
        findings=(FINDING,),
        passed=(Passed(rule="RNN605", name="no-validation"),),
        skipped=(
            NotJudged(rule="RNN103", name="memory-shorter-than-lag", reason="give --lag N"),
            NotJudged(
                rule="RNN201",
                name="dead-units",
                reason="internal error",
                layer="lstm_l1",
                direction="forward",
                error=True,
            ),
        ),
    ),
)


def data(*reports: Report, unread: tuple[Unread, ...] = ()) -> dict[str, Any]:
    """What is printed, read by another parser than the one that wrote it."""
    outcome = Outcome(reports=reports, unread=unread)
    printed = render(outcome, width=80, color=False, verbose=False)
    parsed: dict[str, Any] = json.loads(printed, parse_constant=lambda name: pytest.fail(name))
    return parsed


def errors(printed: dict[str, Any]) -> list[str]:
    """What the schema has against it; of a single report, rather than of either kind."""
    kind = "reports" if "reports" in printed else "report"
    schema = {"$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]}
    found = [error.message for error in Draft202012Validator(schema).iter_errors(printed)]
    assert Draft202012Validator(SCHEMA).is_valid(printed) == (not found)
    return found


@pytest.mark.parametrize("report", [PLAIN, JUDGED])
def test_a_single_report_stands_alone_and_follows_the_schema(report: Report) -> None:
    printed = data(report)
    assert errors(printed) == []
    assert next(iter(printed)) == "schema_version"
    assert printed["schema_version"] == 1
    assert printed["exit_code"] == report.exit_code


def test_layers_probe_and_network_are_told_in_full() -> None:
    printed = data(PLAIN)
    assert printed["layers"][0]["arguments"] == dict(LAYER.arguments)
    assert printed["layers"][0]["parameters"] == {
        "kernel": ["lstm.weight_ih_l1"],
        "bias": ["lstm.bias_ih_l1", "lstm.bias_hh_l1"],
    }
    assert printed["network"] == [{"name": "drop", "kind": "Dropout", "arguments": {"rate": 0.2}}]
    assert printed["probe"]["inputs"] == [
        {"means": [0.5, -1.0], "deviations": [1.0, 2.0], "largest": [2.0, 3.0]}
    ]
    assert printed["training"][0]["parameter"] == "lstm.weight_ih_l1"


def test_a_report_that_was_not_judged_says_so() -> None:
    printed = data(PLAIN)
    assert printed["judged"] is False
    assert printed["findings"] == printed["passed"] == []
    assert printed["history"] is printed["series"] is printed["settings"] is None
    assert "judgement" not in printed


def test_what_the_rules_said() -> None:
    printed = data(JUDGED)
    assert printed["judged"] is True
    assert printed["findings"] == [
        {
            "rule": "RNN101",
            "name": "vanishing-gradient",
            "severity": "warning",
            "confidence": "medium",
            "message": "the gradient reaches back 6 steps, fewer than 10",
            "layer": "lstm_l1",
            "direction": "forward",
            "call": 1,
            "evidence": {"span": 6, "profile": [0.0, None]},
            "measured": {"name": "span", "value": 6.0, "worse": "lower"},
            "advice": [
                {"text": "longer memory", "source": "A what to do 1", "snippet": "import torch"}
            ],
            "capped": "measured on made-up input",
            "doubt": None,
            "known": True,
        }
    ]
    network = {"layer": None, "direction": None, "call": 0}
    assert printed["passed"] == [{"rule": "RNN605", "name": "no-validation", **network}]
    assert [(item["rule"], item["error"]) for item in printed["skipped"] if "rule" in item] == [
        ("RNN103", False),
        ("RNN201", True),
    ]


def test_a_judgement_without_findings_is_still_one() -> None:
    judged = replace(PLAIN, judgement=Judgement(findings=()))
    assert data(judged)["judged"] is True


def test_skipped_measurements_stay_beside_skipped_rules() -> None:
    own = [item for item in data(JUDGED)["skipped"] if "measurement" in item]
    where = {"layer": "lstm", "id": "lstm_l1", "direction": "forward", "call": 0}
    assert own == [
        {**where, "measurement": "carried_context", "reason": "not stateful", "error": False},
        {**where, "measurement": "timescale", "reason": "it broke", "error": True},
    ]
    assert data(PLAIN)["layers"][0]["measurements"]["timescale"] is None


def test_evidence_and_settings_are_told_in_full() -> None:
    printed = data(JUDGED)
    assert printed["history"]["train"] == [0.5, None]
    assert printed["history"]["train_column"] == "loss"
    assert printed["series"]["layers"]["lstm_l1/forward"] == {
        "kernel": [1.0, 2.0],
        "recurrent": [None, 1.0],
        "bias": [],
    }
    assert printed["settings"]["split"] == {"value": [0.8, 0.1, 0.1], "source": "run.toml"}
    assert printed["settings"]["shuffle"] is None
    own = printed["settings"]["layers"]["lstm_l1"]
    assert own["bias_constraint"] == {"value": "", "source": "config"}
    assert own["dropout"] is None


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_has_not_become_null(number: float) -> None:
    finding = replace(FINDING, measured=Measured(name="growth", value=number, worse="higher"))
    report = replace(
        JUDGED,
        judgement=Judgement(findings=(finding,)),
        training=(TrainingFact(name="lr", value={"of": [number]}, source="it"),),
    )
    printed = data(report)
    assert errors(printed) == []
    assert printed["findings"][0]["measured"]["value"] is None
    assert printed["training"][0]["value"] == {"of": [None]}
    assert printed["history"]["validation"] == [None, 0.25]
    assert printed["layers"][0]["measurements"]["lyapunov"] == {
        "top": -0.1,
        "standard_error": None,
    }


def test_numpys_numbers_are_numbers() -> None:
    evidence = {"share": np.float32(0.5), "count": np.int64(3), "growth": np.float64(np.inf)}
    report = replace(JUDGED, judgement=Judgement(findings=(replace(FINDING, evidence=evidence),)))
    assert data(report)["findings"][0]["evidence"] == {"share": 0.5, "count": 3, "growth": None}


def test_truth_values_stay_truth_values() -> None:
    report = replace(PLAIN, training=(TrainingFact(name="amsgrad", value=True, source="it"),))
    assert data(report)["training"][0]["value"] is True


# ---------------------------------------------------------------- several checkpoints


def test_several_reports_stand_in_a_list_with_the_worst_status() -> None:
    printed = data(PLAIN, JUDGED)
    assert errors(printed) == []
    assert list(printed) == ["schema_version", "rnndiag_version", "exit_code", "reports", "unread"]
    assert printed["schema_version"] == 1
    assert printed["rnndiag_version"] == __version__
    assert printed["exit_code"] == 1
    assert printed["reports"] == [data(PLAIN), data(JUDGED)]
    assert printed["unread"] == []


@pytest.mark.parametrize("reports", [(), (PLAIN,), (PLAIN, JUDGED)])
def test_what_could_not_be_read_is_listed(reports: tuple[Report, ...]) -> None:
    unread = Unread(path="b.pt", message="b.pt: not found", hint="is the path right?")
    printed = data(*reports, unread=(unread,))
    assert errors(printed) == []
    assert printed["exit_code"] == 2
    assert len(printed["reports"]) == len(reports)
    assert printed["unread"] == [
        {"path": "b.pt", "message": "b.pt: not found", "hint": "is the path right?"}
    ]


def test_the_terminal_changes_nothing() -> None:
    outcome = Outcome(reports=(JUDGED,))
    narrow = render(outcome, width=20, color=False, verbose=False)
    assert render(outcome, width=200, color=True, verbose=True) == narrow
    assert json.loads(narrow) == json.loads(json.dumps(as_data(outcome)))


# ---------------------------------------------------------------- the schema itself


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def broken(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    printed = copy.deepcopy(data(JUDGED))
    change(printed)
    return printed


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.pop("judged"),
        lambda it: it.pop("network"),
        lambda it: it.update(schema_version=2),
        lambda it: it.update(extra=1),
        lambda it: it["findings"][0].update(severity="fatal"),
        lambda it: it["findings"][0].update(rule="vanishing-gradient"),
        lambda it: it["findings"][0]["advice"][0].pop("source"),
        lambda it: it["passed"][0].pop("call"),
        lambda it: it["skipped"][0].update(rule="RNN101"),
        lambda it: it["skipped"][-1].update(reason=None),
        lambda it: it["history"].update(train=["0.5"]),
        lambda it: it["series"]["layers"]["lstm_l1/forward"].pop("bias"),
        lambda it: it["settings"].update(momentum=None),
        lambda it: it["settings"]["optimizer"].pop("source"),
        lambda it: it["settings"]["layers"]["lstm_l1"].update(penalty={"value": 1, "source": ""}),
        lambda it: it["layers"][0]["parameters"].update(kernel="weight"),
        lambda it: it["probe"]["inputs"][0].pop("largest"),
        lambda it: it["network"][0].pop("kind"),
    ],
)
def test_the_schema_refuses_what_is_not_so(change: Callable[[dict[str, Any]], object]) -> None:
    assert errors(broken(change))
