"""The formats of a sweep, on rows made up by hand."""

from __future__ import annotations

import csv
import io
import json
import math
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt
from sweep_rows import found, lost, row, sweep

from rnndiag import registry, rules
from rnndiag.outputs.sweeps.json import row_line
from rnndiag.outputs.words import sweeps as words
from rnndiag.records import Sweep

PLACE = resources.files("rnndiag.outputs.sweeps") / "schema.json"
SCHEMA = Draft202012Validator(json.loads(PLACE.read_text("utf-8")))
EVERY = sweep(
    row("runs/a/1.pt"),
    found("runs/a/2.pt", "warning", "RNN101", span=3),
    found("runs/b/3.pt", "error", "RNN001", "RNN101", span=None, dead_share=None),
    lost("runs/b/4.pt", "crashed", "its process was ended by SIGSEGV"),
    row("runs/b/5.pt", layers=0, exit_code=3, span=None, message="it has no recurrent layer"),
    notes=("2 files in folders are not named as checkpoints are",),
)


def render(name: str, made: Sweep, *, verbose: bool = False, color: bool = False) -> str:
    text: str = registry.modules("rnndiag.outputs.sweeps")[name].render(
        made, width=80, color=color, verbose=verbose
    )
    return text


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([row("1")], 0),
        ([row("1"), found("2", "error", "RNN001")], 1),
        ([found("2", "error", "RNN001"), lost("3"), row("1")], 2),
        ([lost("3"), row("4", layers=0, exit_code=3), row("1")], 3),
    ],
)
def test_the_worst_status_is_that_of_all(rows: list[Any], status: int) -> None:
    assert sweep(*rows).exit_code == status
    assert json.loads(render("json", sweep(*rows)))["exit_code"] == status


def test_the_table_has_the_worst_first() -> None:
    text = render("table", EVERY)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "runs/"
    assert lines[1] == "5 checkpoints in 2.0 s, 2.5 a second"
    heads = next(k for k, line in enumerate(lines) if line.startswith("checkpoint"))
    assert lines[heads + 1].split() == [
        *("b/3.pt", "error", "1", "–", "–", "0", "%"),
        *("RNN001", "RNN101"),
    ]
    assert lines[heads + 2].split()[:4] == ["a/2.pt", "warning", "1", "3"]
    assert "• b/4.pt: crashed: its process was ended by SIGSEGV" in lines
    assert "• b/5.pt: it has no recurrent layer" in lines
    assert "• 2 files in folders are not named as checkpoints are" in lines
    assert " ".join(text.split()).endswith(
        "1 with errors, 1 with warnings at worst, 1 without findings, "
        "1 without a recurrent layer to analyse, 1 failed"
    )


def test_nothing_is_cut_but_names_at_80_columns() -> None:
    codes = [f"RNN{k}" for k in range(101, 139)]
    wide = {"span": 10000, "span_censored": True, "dead_share": 1.0, "stuck_share": 1.0}
    rows = (found(f"runs/{'x' * 60}{k}.pt", "warning", *codes, layers=100, **wide) for k in "ab")
    text = render("table", sweep(*rows))
    line = next(own for own in text.splitlines() if "warning" in own)
    assert line.split()[0].endswith("xa.pt")
    assert line.split()[1:] == [
        *("warning", "100", "≥", "10000", "100", "%", "100", "%", "RNN101", "RNN102", "+36")
    ]
    assert max(map(len, text.splitlines())) <= 80


def test_how_often_each_rule_found_something() -> None:
    frequencies = words.frequencies(EVERY)
    # Of four that could be diagnosed.
    assert [(own.code, own.cells) for own in frequencies] == [
        ("RNN101", ("1", "1", "–", "2", "50 %")),
        ("RNN001", ("1", "–", "–", "1", "25 %")),
    ]
    assert frequencies[0].name == "vanishing-gradient"


def test_the_worst_rules_stand_first_then_the_frequent_ones() -> None:
    kept_by_an_earlier_version = found("4.pt", "error", "RNN001", worst={})
    rows = (
        found("1.pt", "note", "RNN410", "RNN101", "RNN301"),
        found("2.pt", "note", "RNN410", "RNN101"),
        found("3.pt", "warning", "RNN301"),
    )
    told = words.frequencies(sweep(*rows, kept_by_an_earlier_version))
    assert [(own.code, own.worst, own.cells[:-1]) for own in told] == [
        ("RNN301", "warning", ("–", "1", "1", "2")),
        ("RNN101", "note", ("–", "–", "2", "2")),
        ("RNN410", "note", ("–", "–", "2", "2")),
        ("RNN001", None, ("–", "–", "–", "1")),
    ]


def test_one_warning_does_not_make_twelve_notes_warnings() -> None:
    notes = (found(f"{k}.pt", "note", "RNN404", "RNN101") for k in range(12))
    warnings = (found(f"{k}-w.pt", "warning", *("RNN404", "RNN301")[k:]) for k in range(2))
    made = sweep(*notes, *warnings)
    text = render("table", made)
    heads = next(line for line in text.splitlines() if line.startswith("rule"))
    assert heads.split() == ["rule", "error", "warning", "note", "in", "all", "share"]
    told = [line.split() for line in text.splitlines() if line.startswith("RNN")]
    assert [(own[0], *own[2:]) for own in told] == [
        ("RNN301", "–", "2", "–", "2", "14", "%"),
        ("RNN404", "–", "1", "12", "13", "93", "%"),
        ("RNN101", "–", "–", "12", "12", "86", "%"),
    ]
    assert "| – | 1 | 12 | 13 | 93 % |" in render("markdown", made)


def test_the_longest_name_of_a_rule_fits_80_columns() -> None:
    code = max(rules.catalogue(), key=lambda own: len(rules.name_of(rules.catalogue()[own])))
    lines = render("table", sweep(found("1.pt", "note", code))).splitlines()
    assert any(line.startswith(code) and line.endswith("100 %") for line in lines)


def test_a_rule_that_is_no_more_is_still_counted() -> None:
    (own,) = words.frequencies(sweep(found("1.pt", "note", "RNN999")))
    assert (own.code, own.name, own.cells) == ("RNN999", "", ("–", "–", "1", "1", "100 %"))


@pytest.mark.parametrize("name", ["table", "markdown"])
def test_of_many_the_first_are_shown_and_the_others_counted(name: str) -> None:
    made = sweep(
        *(found(f"runs/{k}.pt", "warning", "RNN101", span=k) for k in range(100)),
        *(lost(f"runs/x{k}.pt") for k in range(1000)),
    )
    text = render(name, made)
    assert f"and {100 - words.SHOWN} more in sweep.jsonl" in text
    assert f"and {1000 - words.SHOWN} more in sweep.jsonl" in text
    assert len(text.splitlines()) < 60
    assert "more in sweep.jsonl" not in render(name, made, verbose=True)
    assert "x999.pt" in render(name, made, verbose=True)


@pytest.mark.parametrize("name", ["table", "markdown"])
def test_what_took_too_long_says_what_to_try(name: str) -> None:
    late = lost("slow.pt", "timeout", "took more than 5 s", hint="allow more: --limit SECONDS")
    assert "slow.pt" in render(name, sweep(late))
    assert "timeout: took more than 5 s; allow more: --limit SECONDS" in render(name, sweep(late))


@pytest.mark.parametrize("name", ["table", "markdown", "csv", "json"])
def test_every_format_has_what_failed(name: str) -> None:
    assert "SIGSEGV" in render(name, EVERY)
    assert "RNN001" in render(name, EVERY)


@pytest.mark.parametrize("name", ["table", "markdown", "csv", "json"])
def test_a_sweep_of_one(name: str) -> None:
    assert "only.pt" in render(name, sweep(lost("only.pt"), seconds=0.0))


def test_what_failed_says_what_to_try() -> None:
    assert words.told(lost("1.pt", hint="copy it again")) == "damaged; copy it again"
    assert words.told(lost("1.pt")) == "damaged"


def test_resumed_rows_are_no_speed() -> None:
    made = sweep(row("1"), row("2"), row("3"), resumed=2)
    assert words.summary(made) == "3 checkpoints in 2.0 s: 1 measured, 2 known from before"


def test_long_paths_are_cut_in_front() -> None:
    long = f"runs/{'very/' * 30}deep/last.pt"
    text = render("table", sweep(found(long, "note", "RNN410"), row("runs/1.pt")))
    assert "…" in text
    assert "deep/last.pt" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        (["a/b/1.pt", "a/b/2.pt"], "a/b/"),
        (["a/b/1.pt", "a/bc/2.pt"], "a/"),
        (["1.pt", "2.pt"], ""),
        (["a/1.pt"], ""),
        (["s3://x/runs/1.pt", "s3://x/runs/b/2.pt"], "s3://x/runs/"),
    ],
)
def test_the_folder_that_all_have_in_common(paths: list[str], folder: str) -> None:
    assert words.common(paths) == folder


def test_names_cannot_fool_a_terminal_or_markdown() -> None:
    made = sweep(lost("a|b<script>\x1b[2J.pt", message="<script>\nx"), row("c.pt"))
    assert "\x1b" not in render("table", made)
    assert "<script>" not in MarkdownIt().render(render("markdown", made))
    (first, second) = csv.DictReader(io.StringIO(render("csv", made)))
    assert "\x1b" not in first["path"]
    assert second["path"] == "c.pt"


def test_csv_has_a_cell_for_each_number() -> None:
    rows = {own["path"]: own for own in csv.DictReader(io.StringIO(render("csv", EVERY)))}
    own = rows["runs/a/2.pt"]
    assert (own["warnings"], own["errors"], own["rules"]) == ("1", "0", "RNN101:1")
    assert (own["span"], own["span_censored"], own["bytes"]) == ("3", "false", "1000")
    assert (own["dead_share"], own["seconds"]) == ("0.125", "0.25")
    crashed = rows["runs/b/4.pt"]
    assert (crashed["status"], crashed["layers"], crashed["warnings"]) == ("crashed", "", "")


def test_json_follows_the_schema() -> None:
    data = json.loads(render("json", EVERY))
    SCHEMA.validate(data)
    assert list(data["rules"].items()) == [("RNN101", 2), ("RNN001", 1)]
    del data["rows"][0]["span"]
    data["rows"][1]["more"] = 1
    data["rows"][2]["status"] = "lost"
    assert len(list(SCHEMA.iter_errors(data))) == 3


def test_numbers_that_json_has_not_are_null() -> None:
    line = row_line(row("1.pt", dead_share=math.nan))
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    assert json.loads(line)["dead_share"] is None


def test_known_findings_are_counted_apart() -> None:
    text = render("table", sweep(row("1.pt", known=3), row("2.pt")))
    assert "3 findings known already" in text
