"""Published checkpoints, good models all of them, judged with the default settings.

What was measured of each is saved in `published/reports`, so that judging them takes neither
the network nor torch. A rule that calls any of them an error is wrong; a warning needs a reason,
which stands in `WARNINGS`. Whoever changes a rule sees here what that does to real models.

With ``RNNDIAG_PUBLISHED`` naming the folder that ``python -m tests.published.fetch FOLDER`` has
filled, the files are inspected again and compared with the saved reports; ``make published``
fetches them and writes the reports anew.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from rnndiag import advising, rules
from rnndiag.advising import Case
from rnndiag.records import Finding, Judgement, Report
from tests.published import catalogue, write_reports
from tests.published.catalogue import Checkpoint

EVERY = catalogue.checkpoints()

_RNNMORPH = {
    "RNN406 LSTM_1_forward/forward": (
        "dropout=0.3 on what comes in, against A's 0.2: B's 0.3 to 0.5 is for layers between, "
        "and this is the first recurrent layer; the file says 0.3, so the rule is sure"
    ),
    "RNN406 LSTM_1_backward/backward": (
        "the same, of the custom class beside it that is taken for an LSTM"
    ),
}
WARNINGS: dict[str, dict[str, str]] = {
    "K2a": {
        "RNN302 lstm/forward": (
            "true, and meant so: one output gate is held open by a bias of 16.6, which makes the "
            "RMS of 5.4; on one-hot random DNA the share is 62 % instead of 53 %. Of 5 units it "
            "stays a warning"
        ),
    },
    "K10": _RNNMORPH,
    "K10b": _RNNMORPH,
}
"""Checkpoint → rule and layer → why the warning is right, or can be lived with."""

NOTES: dict[str, dict[str, int]] = {
    "T1": {"RNN305": 1, "RNN401": 3, "RNN410": 1},
    "T2a": {"RNN410": 1},
    "T2b": {"RNN410": 1},
    "T2c": {"RNN410": 1},
    "T3": {"RNN410": 1},
    "T6": {"RNN410": 1},
    "T7": {"RNN101": 2, "RNN410": 1},
    "T8": {"RNN410": 1},
    "T9": {"RNN401": 4, "RNN412": 1},
    "T14": {"RNN101": 1, "RNN401": 2, "RNN412": 1},
    "T15": {"RNN410": 1},
    "K1": {"RNN401": 1, "RNN407": 1, "RNN410": 1, "RNN412": 1},
    "K2a": {"RNN101": 1, "RNN202": 1, "RNN401": 1, "RNN407": 1, "RNN410": 1, "RNN412": 1},
    "K6": {"RNN401": 1, "RNN407": 1, "RNN410": 1, "RNN412": 1},
    "K7": {"RNN401": 2, "RNN407": 2, "RNN410": 1, "RNN412": 1},
    "K8": {"RNN101": 1, "RNN401": 6, "RNN407": 6, "RNN412": 1},
    "K10": {"RNN406": 2, "RNN413": 4, "RNN414": 2},
    "K10b": {"RNN406": 2, "RNN413": 4, "RNN414": 2},
    "K12": {"RNN401": 4, "RNN407": 4, "RNN412": 1},
    "K15": {"RNN401": 1, "RNN407": 1, "RNN410": 1, "RNN412": 1},
}
"""Checkpoint → how many notes each rule has."""


@cache
def judged(checkpoint: Checkpoint) -> Report:
    """The saved report with what the rules say of it, by the path that ``advise`` takes."""
    outcome = advising.advise([str(checkpoint.report)], lambda _: Case())
    (report,) = outcome.reports
    return report


def judgement(checkpoint: Checkpoint) -> Judgement:
    said = judged(checkpoint).judgement
    assert said is not None
    return said


def of(checkpoint: Checkpoint, severity: str) -> list[Finding]:
    return [found for found in judgement(checkpoint).findings if found.severity == severity]


def place(found: Finding) -> str:
    where = f" {found.layer}/{found.direction}" if found.layer else ""
    return f"{found.rule}{where}"


def each(checkpoints: list[Checkpoint]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("checkpoint", checkpoints, ids=lambda own: own.id)


# ---------------------------------------------------------------- the saved reports


def test_there_is_a_report_on_every_checkpoint_that_can_be_read() -> None:
    assert len(EVERY) == len({checkpoint.id for checkpoint in EVERY}) == 20
    saved = sorted(path.stem for path in (catalogue.FOLDER / "reports").iterdir())
    assert saved == sorted(checkpoint.id for checkpoint in EVERY)


@each(EVERY)
def test_reports_are_on_the_file_that_was_published(checkpoint: Checkpoint) -> None:
    report = judged(checkpoint)
    assert report.checkpoint.sha256 == checkpoint.file.sha256
    assert report.checkpoint.path == str(checkpoint.file.place)
    assert report.probe.source == "synthetic"


@each(EVERY)
def test_reports_follow_the_schema(checkpoint: Checkpoint) -> None:
    schema = (resources.files("rnndiag.outputs.reports") / "schema.json").read_text(
        encoding="utf-8"
    )
    Draft202012Validator(json.loads(schema)).validate(saved(checkpoint))


def saved(checkpoint: Checkpoint) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(checkpoint.report.read_text(encoding="utf-8"))
    return data


# ---------------------------------------------------------------- what the rules say


@each(EVERY)
def test_good_models_have_no_error(checkpoint: Checkpoint) -> None:
    assert [f"{place(found)}: {found.message}" for found in of(checkpoint, "error")] == []
    assert judged(checkpoint).exit_code == 0


@each(EVERY)
def test_no_rule_breaks(checkpoint: Checkpoint) -> None:
    broken = [item for item in judgement(checkpoint).skipped if item.error]
    assert broken == []


@each(EVERY)
def test_every_warning_has_its_reason(checkpoint: Checkpoint) -> None:
    warned = {place(found): found.message for found in of(checkpoint, "warning")}
    known = WARNINGS.get(checkpoint.id, {})
    new = [f"{where}: {text}" for where, text in warned.items() if where not in known]
    assert new == [], "new warnings: find out why, then mend the rule or give the reason"
    gone = [where for where in known if where not in warned]
    assert gone == [], "warnings that are no more: take them out of the table"


@each(EVERY)
def test_notes_are_those_that_are_known(checkpoint: Checkpoint) -> None:
    counts = dict(sorted(Counter(found.rule for found in of(checkpoint, "note")).items()))
    assert counts == NOTES[checkpoint.id], f"now: {json.dumps(counts)}"


def test_the_tables_name_no_other_checkpoint() -> None:
    read = {checkpoint.id for checkpoint in EVERY}
    assert NOTES.keys() == read
    assert WARNINGS.keys() <= read


@each(EVERY)
def test_made_up_input_makes_memory_a_note_at_most(checkpoint: Checkpoint) -> None:
    said = {found.severity for found in judgement(checkpoint).findings if on_memory(found)}
    assert said <= {"note"}


def on_memory(found: Finding) -> bool:
    return bool(rules.catalogue()[found.rule].RULE.rests_on == "memory")


# ---------------------------------------------------------------- the files themselves

FETCHED = os.environ.get("RNNDIAG_PUBLISHED")
needs_files = pytest.mark.skipif(
    not FETCHED,
    reason="set RNNDIAG_PUBLISHED=FOLDER after `python -m tests.published.fetch FOLDER`",
)
RELATIVE = 1e-4
ABSOLUTE = 1e-6


@needs_files
@each(EVERY)
def test_what_is_measured_has_not_changed(checkpoint: Checkpoint) -> None:
    measured = json.loads(json.dumps(write_reports.inspected(checkpoint, Path(str(FETCHED)))))
    want = saved(checkpoint)
    del measured["rnndiag_version"], want["rnndiag_version"]
    assert list(differences(measured, want)) == []


def differences(have: Any, want: Any, at: str = "$") -> Iterator[str]:
    """Where two reports differ; numbers count as the same within the tolerance."""
    if isinstance(have, dict) and isinstance(want, dict):
        yield from (f"{at}.{key} is in one of them only" for key in have.keys() ^ want.keys())
        for key in have.keys() & want.keys():
            yield from differences(have[key], want[key], f"{at}.{key}")
    elif isinstance(have, list) and isinstance(want, list) and len(have) == len(want):
        for index, pair in enumerate(zip(have, want, strict=True)):
            yield from differences(*pair, f"{at}[{index}]")
    elif isinstance(have, float) and isinstance(want, float):
        if not math.isclose(have, want, rel_tol=RELATIVE, abs_tol=ABSOLUTE):
            yield f"{at}: {have}, was {want}"
    elif have != want:
        yield f"{at}: {have}, was {want}"


@pytest.mark.parametrize(
    ("have", "told"),
    [
        ({"span": 9, "by_seed": [9, 9], "top": -0.1000001}, []),
        ({"span": 8, "by_seed": [9, 9], "top": -0.1}, ["$.span: 8, was 9"]),
        ({"span": 9, "by_seed": [9, 7], "top": -0.1}, ["$.by_seed[1]: 7, was 9"]),
        ({"span": 9, "by_seed": [9], "top": -0.1}, ["$.by_seed: [9], was [9, 9]"]),
        ({"span": 9, "by_seed": [9, 9], "top": -0.101}, ["$.top: -0.101, was -0.1"]),
        ({"span": 9, "by_seed": [9, 9], "top": None}, ["$.top: None, was -0.1"]),
        ({"span": 9, "by_seed": [9, 9]}, ["$.top is in one of them only"]),
    ],
)
def test_differences_are_told(have: Any, told: list[str]) -> None:
    assert list(differences(have, {"span": 9, "by_seed": [9, 9], "top": -0.1})) == told
