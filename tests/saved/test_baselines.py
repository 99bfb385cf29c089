"""What a baseline has is known; what is worse than it, or new, counts."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any, Literal

import pytest
import rule_reports as made
from hypothesis import given
from hypothesis import strategies as st

from rnndiag.errors import BadOption
from rnndiag.records import (
    Finding,
    Judgement,
    Measured,
    NotJudged,
    Passed,
    Policy,
    Report,
    Severity,
)
from rnndiag.saved import baselines
from rnndiag.saved.baselines import Baseline, Entry

Worse = Literal["lower", "higher"]


def finding(value: float | None = 10.0, worse: Worse = "higher", **changes: Any) -> Finding:
    measured = None if value is None else Measured(name="share", value=value, worse=worse)
    usual = Finding(
        rule="RNN201",
        name="dead-units",
        severity="error",
        confidence="high",
        message="too many",
        layer="lstm",
        direction="forward",
        measured=measured,
    )
    return replace(usual, **changes)


def report(*findings: Finding, path: str = "model.h5", **judged: Any) -> Report:
    plain = made.report()
    return replace(
        plain,
        checkpoint=replace(plain.checkpoint, path=path),
        judgement=Judgement(findings=findings, **judged),
        exit_code=1 if findings else 0,
    )


def recorded(folder: Path, *reports: Report) -> Baseline:
    """As it comes back from a file."""
    baselines.write(folder / "baseline.json", reports)
    return baselines.read(folder / "baseline.json")


def baseline(*findings: Finding, path: str = "model.h5") -> Baseline:
    """As `recorded`, without a file."""
    entries = tuple(map(baselines._entry, findings))
    return Baseline(checkpoints={path: entries})


def known(now: Finding, before: Baseline, path: str = "model.h5") -> bool:
    judgement = baselines.mark(report(now, path=path), before, Policy()).judgement
    assert judgement is not None
    (only,) = judgement.findings
    assert only == replace(now, known=only.known)
    return only.known


# ---------------------------------------------------------------- known or new


def test_the_same_finding_is_known_and_does_not_count(tmp_path: Path) -> None:
    judged = report(finding(), finding(rule="RNN101"))
    before = recorded(tmp_path, report(finding()))
    marked = baselines.mark(judged, before, Policy())
    assert marked.judgement is not None
    assert [found.known for found in marked.judgement.findings] == [True, False]
    assert marked.exit_code == 1
    assert baselines.mark(report(finding()), before, Policy()).exit_code == 0


def test_a_report_that_was_not_judged_stays_as_it_is() -> None:
    assert baselines.mark(made.report(), baseline(finding()), Policy()) == made.report()


def test_a_former_mark_is_taken_back() -> None:
    assert not known(finding(known=True), baseline())


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": "RNN202"},
        {"layer": "gru"},
        {"layer": None},
        {"direction": "backward"},
        {"direction": None},
        {"call": 1},
    ],
)
def test_a_finding_elsewhere_is_new(changes: dict[str, Any]) -> None:
    assert not known(finding(**changes), baseline(finding()))
    assert known(finding(**changes), baseline(finding(**changes)))


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("error", "error", True),
        ("error", "warning", True),
        ("warning", "error", False),
        ("note", "warning", False),
        ("note", "note", True),
    ],
)
def test_a_severity_that_rose_is_new(before: Severity, now: Severity, expected: bool) -> None:
    assert known(finding(severity=now), baseline(finding(severity=before))) is expected


@pytest.mark.parametrize(
    ("worse", "before", "now", "expected"),
    [
        ("higher", 10.0, 10.9, True),
        ("higher", 10.0, 11.1, False),
        ("higher", 10.0, 0.0, True),
        ("lower", 10.0, 9.1, True),
        ("lower", 10.0, 8.9, False),
        ("lower", 10.0, 1e9, True),
        # Below zero "higher" is nearer to zero, and a tenth of the size is meant.
        ("higher", -10.0, -9.1, True),
        ("higher", -10.0, -8.9, False),
        ("lower", -10.0, -10.9, True),
        ("lower", -10.0, -11.1, False),
        ("higher", 0.0, 0.0, True),
        ("higher", 0.0, 1e-9, False),
        ("lower", 0.0, 1e-9, True),
    ],
)
def test_a_number_that_got_clearly_worse_is_new(
    worse: Worse, before: float, now: float, expected: bool
) -> None:
    assert known(finding(now, worse), baseline(finding(before, worse))) is expected


@pytest.mark.parametrize(
    ("worse", "before", "now", "expected"),
    [
        ("higher", inf, inf, True),
        ("higher", inf, 5.0, True),
        ("higher", 5.0, inf, False),
        ("higher", 5.0, nan, False),
        ("higher", nan, nan, True),
        ("higher", nan, inf, True),
        ("higher", nan, 5.0, True),
        ("higher", 5.0, -inf, True),
        ("lower", -inf, -inf, True),
        ("lower", -inf, 5.0, True),
        ("lower", 5.0, -inf, False),
        ("lower", 5.0, nan, False),
        ("lower", 5.0, inf, True),
    ],
)
def test_numbers_that_are_not_finite(
    worse: Worse, before: float, now: float, expected: bool, tmp_path: Path
) -> None:
    before_ = recorded(tmp_path, report(finding(before, worse)))
    judgement = baselines.mark(report(finding(now, worse)), before_, Policy()).judgement
    assert judgement is not None
    assert judgement.findings[0].known is expected


def test_without_two_numbers_of_a_kind_rule_and_place_decide() -> None:
    other = finding(measured=Measured(name="count", value=1e9, worse="higher"))
    assert known(finding(None), baseline(finding(None)))
    assert known(finding(None), baseline(finding(10.0)))
    assert known(finding(10.0), baseline(finding(None)))
    assert not known(other, baseline(finding(10.0)))
    assert not known(other, baseline(finding(nan)))
    assert not known(finding(None), baseline(finding(None, rule="RNN101")))


numbers = st.floats(1e-6, 1e6) | st.floats(-1e6, -1e-6)


@given(before=numbers, share=st.floats(-5, 5), worse=st.sampled_from(["lower", "higher"]))
def test_the_tolerance_is_a_share_of_the_recorded_size(
    before: float, share: float, worse: Worse
) -> None:
    """Recorded with six digits, so nothing is said within 1e-5 of the cut itself."""
    if abs(share - baselines.TOLERANCE) < 1e-5:
        return
    rise = share * abs(before)
    now = before + rise if worse == "higher" else before - rise
    expected = share < baselines.TOLERANCE
    assert known(finding(now, worse), baseline(finding(before, worse))) is expected


@given(value=st.floats(), worse=st.sampled_from(["lower", "higher"]))
def test_every_finding_is_known_to_its_own_baseline(value: float, worse: Worse) -> None:
    assert known(finding(value, worse), baseline(finding(value, worse)))


# ---------------------------------------------------------------- which checkpoint


def two(*names: str) -> Baseline:
    """The first checkpoint has a finding in layer `a`, the second in layer `b`."""
    entries = (baselines._entry(finding(layer="a")), baselines._entry(finding(layer="b")))
    return Baseline(checkpoints={n: (e,) for n, e in zip(names, entries, strict=True)})


@pytest.mark.parametrize(
    ("names", "path", "expected"),
    [
        (("a.pt", "b.pt"), "a.pt", "a"),
        (("a.pt", "b.pt"), "./a.pt", "a"),
        (("a.pt", "b.pt"), "/tmp/job-17/a.pt", "a"),
        (("/home/me/a.pt", "b.pt"), "a.pt", "a"),
        (("a.pt", "b.pt"), "/tmp/job-17/model.pt", ""),
        (("one/model.pt", "two/model.pt"), "two/model.pt", "b"),
        (("one/model.pt", "two/model.pt"), "three/model.pt", ""),
        (("x/one/model.pt", "x/two/model.pt"), "/job/two/model.pt", "b"),
        (("a/x/model.pt", "b/x/model.pt"), "/job/x/model.pt", ""),
        (("one/model.pt", "b.pt"), "three/model.pt", "a"),
    ],
)
def test_the_nearest_recorded_checkpoint_is_meant(
    names: tuple[str, str], path: str, expected: str
) -> None:
    before = two(*names)
    matched = [layer for layer in "ab" if known(finding(layer=layer), before, path)]
    assert "".join(matched) == expected


def test_a_checkpoint_recorded_without_findings_borrows_none_of_another(tmp_path: Path) -> None:
    before = recorded(tmp_path, report(path="clean.pt"), report(finding(), path="bad.pt"))
    assert not known(finding(), before, "clean.pt")
    assert known(finding(), before, "bad.pt")


def test_the_only_recorded_checkpoint_is_meant_under_any_name() -> None:
    assert known(finding(), baseline(finding(), path="a.pt"), "renamed.pt")


def test_an_empty_baseline_knows_nothing() -> None:
    assert not known(finding(), Baseline(checkpoints={}))


# ---------------------------------------------------------------- gone


def place_of(rule: str = "RNN201", layer: str | None = "lstm") -> dict[str, Any]:
    direction = "forward" if layer else None
    return {"rule": rule, "name": "dead-units", "layer": layer, "direction": direction}


def gone(before: Baseline, now: Report) -> list[str | None]:
    return [entry.layer for entry in baselines.gone(now, before)]


def test_what_passes_now_is_gone_and_what_got_better_is_not() -> None:
    before = baseline(finding(), finding(layer="gru"))
    passed = (Passed(**place_of()),)
    assert gone(before, report(finding(1.0, layer="gru"), passed=passed)) == ["lstm"]


def test_a_layer_that_is_no_longer_there_takes_its_findings_along() -> None:
    assert gone(baseline(finding(layer="old")), report(passed=(Passed(**place_of()),))) == ["old"]


def test_what_was_not_asked_or_could_not_be_said_is_not_gone() -> None:
    before = baseline(finding())
    assert gone(before, report()) == []
    assert gone(before, report(passed=(Passed(**place_of("RNN101")),))) == []
    skipped = NotJudged(**place_of(), reason="the states are not finite")
    assert gone(before, report(skipped=(skipped,))) == []
    assert gone(before, made.report()) == []


def test_a_layer_that_could_not_be_analysed_is_not_gone() -> None:
    now = report(passed=(Passed(**place_of(layer="other")),))
    lost = made.layer(analysed=False, reason="unknown cell", measurements={})
    assert gone(baseline(finding()), replace(now, layers=(lost,))) == []


def test_nothing_is_gone_where_several_checkpoints_may_be_meant() -> None:
    passed = (Passed(**place_of(layer="a")),)
    assert gone(two("a.pt", "b.pt"), report(path="c.pt", passed=passed)) == []
    assert gone(two("a.pt", "b.pt"), report(path="x/a.pt", passed=passed)) == ["a"]
    only = baseline(finding(layer="a"), path="a.pt")
    assert gone(only, report(path="c.pt", passed=passed)) == ["a"]


# ---------------------------------------------------------------- the file


def test_the_file_holds_what_it_is_compared_with(tmp_path: Path) -> None:
    baselines.write(tmp_path / "b.json", [report(finding(1 / 3), path="runs/model.pt")])
    assert json.loads((tmp_path / "b.json").read_text(encoding="utf-8")) == {
        "baseline_version": 1,
        "checkpoints": {
            "runs/model.pt": [
                {
                    "rule": "RNN201",
                    "name": "dead-units",
                    "layer": "lstm",
                    "direction": "forward",
                    "call": 0,
                    "severity": "error",
                    "measure": "share",
                    "value": 0.333333,
                }
            ]
        },
    }


def test_the_same_findings_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    findings = [
        finding(rule=rule, layer=layer, direction=direction, call=call)
        for rule in ("RNN101", "RNN201")
        for layer, direction in (("a", "forward"), ("a", "backward"), (None, None))
        for call in (0, 1)
    ]
    there, back = tmp_path / "there.json", tmp_path / "back.json"
    baselines.write(there, [report(*findings, path="b.pt"), report(path="a.pt")])
    baselines.write(back, [report(path="a.pt"), report(*reversed(findings), path="b.pt")])
    assert there.read_bytes() == back.read_bytes()
    assert len(baselines.read(there).checkpoints["b.pt"]) == len(findings)


def test_two_reports_of_one_checkpoint_are_recorded_together(tmp_path: Path) -> None:
    before = recorded(
        tmp_path, report(finding(layer="a")), report(finding(layer="b"), finding(layer="a"))
    )
    assert [entry.layer for entry in before.checkpoints["model.h5"]] == ["a", "b"]


def test_known_findings_are_recorded_again(tmp_path: Path) -> None:
    before = recorded(tmp_path, report(finding(known=True)))
    assert known(finding(), before)


def test_a_rule_that_was_removed_since_breaks_nothing(tmp_path: Path) -> None:
    before = recorded(tmp_path, report(finding(rule="RNN999"), finding()))
    assert known(finding(), before)
    assert baselines.gone(report(finding()), before) == ()


@given(value=st.floats())
def test_what_is_recorded_is_json_and_close(value: float) -> None:
    entry = baselines._entry(finding(value))
    if math.isfinite(value):
        assert entry.value == pytest.approx(value, rel=1e-5, abs=0)
    else:
        assert entry.value is None


def test_a_place_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="cannot be written"):
        baselines.write(tmp_path / "missing" / "b.json", [report(finding())])


ENTRY = {
    "rule": "RNN201",
    "name": "dead-units",
    "layer": None,
    "direction": None,
    "severity": "error",
}


def file_of(*entries: Any, **changes: Any) -> dict[str, Any]:
    return {"baseline_version": 1, "checkpoints": {"model.pt": list(entries)}, **changes}


def test_what_may_be_left_out_and_unknown_keys(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(json.dumps(file_of({**ENTRY, "future": 1}, future=2)), encoding="utf-8")
    entry = Entry(rule="RNN201", name="dead-units", layer=None, direction=None, severity="error")
    assert baselines.read(path) == Baseline(checkpoints={"model.pt": (entry,)})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "does not hold a JSON object"),
        ({}, "$.baseline_version: expected `int`, got `null`"),
        (file_of(baseline_version=2), "was written by a newer rnndiag: baseline 2"),
        (file_of(checkpoints=[]), "$.checkpoints: expected `object`, got `array`"),
        ({"baseline_version": 1}, "$: object missing required field `checkpoints`"),
        (
            file_of(ENTRY, {**ENTRY, "severity": "fatal"}),
            "$.checkpoints[...][1].severity: invalid enum value 'fatal'",
        ),
        (
            file_of({**ENTRY, "value": "much"}),
            "$.checkpoints[...][0].value: expected `float | null`, got `str`",
        ),
        (file_of("RNN201"), "$.checkpoints[...][0]: expected `object`, got `str`"),
    ],
)
def test_a_malformed_baseline_is_one_message(data: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(BadOption) as caught:
        baselines.read(path)
    assert caught.value.message == f"{path}: {message}"
    assert caught.value.hint


def test_a_missing_baseline_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="cannot be read: No such file") as caught:
        baselines.read(tmp_path / "b.json")
    assert "--write-baseline" in caught.value.hint


def test_broken_json_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text("{", encoding="utf-8")
    with pytest.raises(BadOption, match="is no JSON"):
        baselines.read(tmp_path / "b.json")


def test_baselines_need_neither_numpy_nor_a_framework(tmp_path: Path) -> None:
    baselines.write(tmp_path / "b.json", [report(finding())])
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from rnndiag.saved import baselines\n"
        f"baselines.read(Path({str(tmp_path / 'b.json')!r}))\n"
        "heavy = {'torch', 'h5py', 'matplotlib', 'safetensors', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
