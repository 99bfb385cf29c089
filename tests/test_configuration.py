"""`[tool.rnndiag]` and rnndiag.toml, and how the command line goes over them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rnndiag import configuration, rules
from rnndiag.configuration import (
    Chosen,
    Configuration,
    Entry,
    checkpoints,
    find,
    load,
    merged,
    parse_severity,
    parse_thresholds,
)
from rnndiag.configuration._reading import _CHOSEN, _WHOLE
from rnndiag.errors import BadOption
from rnndiag.records import Options
from rnndiag.rules.base import Cut, Rule, Thresholds


class Cuts(Thresholds):
    span = Cut(8, "steps", "made up")
    least_share = Cut(0.5, "share", "made up")


def rule(code: str, name: str, **parts: Any) -> ModuleType:
    module = ModuleType(f"rnndiag.rules.{name}")
    module.RULE = Rule(code=code, severity="warning", rests_on="facts")  # type: ignore[attr-defined]
    vars(module).update(parts)
    return module


@pytest.fixture(autouse=True)
def two_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {
        "RNN101": rule("RNN101", "short_span", Cuts=Cuts),
        "RNN201": rule("RNN201", "dead_units"),
    }
    monkeypatch.setattr(rules, "catalogue", lambda: table)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read(text: str) -> Configuration:
    return load(written(Path("rnndiag.toml"), text))


def said(record: Any) -> dict[str, Any]:
    found = {own.name: getattr(record, own.name) for own in dataclasses.fields(record)}
    return {name: value for name, value in found.items() if value is not None}


# ---------------------------------------------------------------- which file


def test_no_file_is_an_empty_configuration(here: Path) -> None:
    assert find() is None
    assert load() == Configuration()


def test_upwards_from_the_working_directory(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(here / "pyproject.toml", "[tool.rnndiag]\nbatch = 3\n")
    below = here / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert find() == here / "pyproject.toml"
    assert load().chosen == Chosen(batch=3)


def test_the_own_file_wins_over_the_shared_one(here: Path) -> None:
    written(here / "pyproject.toml", "[tool.rnndiag]\nbatch = 3\n")
    written(here / "rnndiag.toml", "batch = 4\n")
    assert load().chosen.batch == 4


def test_the_nearer_file_wins(here: Path) -> None:
    written(here / "rnndiag.toml", "batch = 4\n")
    written(here / "a" / "pyproject.toml", "[tool.rnndiag]\nbatch = 3\n")
    assert load(folder=here / "a").chosen.batch == 3


@pytest.mark.parametrize(
    "text", ["[tool.other]\n", "", "dependencies = ['rnndiag']", "tool = 3 # rnndiag", "broken ["]
)
def test_a_shared_file_about_other_things_is_passed_by(here: Path, text: str) -> None:
    written(here / "rnndiag.toml", "batch = 4\n")
    written(here / "a" / "pyproject.toml", text)
    assert find(here / "a") == here / "rnndiag.toml"


def test_a_broken_shared_file_that_is_meant_is_an_error(here: Path) -> None:
    written(here / "pyproject.toml", "[tool.rnndiag]\nbatch = three\n")
    with pytest.raises(BadOption, match=r"pyproject.toml: broken TOML.*line 2"):
        load()


def test_a_named_file(here: Path) -> None:
    written(here / "rnndiag.toml", "batch = 4\n")
    assert load(written(here / "ci.toml", "batch = 5\n")).chosen.batch == 5
    shared = written(here / "b" / "pyproject.toml", "[tool.rnndiag]\nbatch = 6\n")
    assert load(shared).chosen.batch == 6
    with pytest.raises(BadOption, match=r"there is no \[tool\.rnndiag\]"):
        load(written(here / "c" / "pyproject.toml", "[tool.other]"))
    with pytest.raises(BadOption, match=r"no.toml: cannot be read"):
        load(here / "no.toml")


# ---------------------------------------------------------------- what it says

EXAMPLE = configuration.__doc__.partition("::\n")[2].partition("\nIn pyproject")[0]  # type: ignore[union-attr]


def test_the_documented_example(here: Path) -> None:
    text = (
        EXAMPLE.replace("vanishing-gradient", "short-span")
        .replace("RNN412", "RNN201")
        .replace("warning = 12", "span = 12")
    )
    assert read(text) == Configuration(
        source="rnndiag.toml",
        checkpoints=(
            Entry(path=str(Path("runs/final.pt"))),
            Entry(path=str(Path("runs/best_*.pt"))),
            Entry(
                path=str(Path("runs/encoder.pt")),
                chosen=Chosen(probe=str(Path("data/encoder.npz")), lag=40),
            ),
        ),
        chosen=Chosen(probe=str(Path("data/held_out.npz"))),
        ignore=("RNN201",),
        severity={"RNN201": "note"},
        thresholds={"RNN101": {"span": 12.0}},
        fail_on="warning",
        baseline=Path("rnndiag-baseline.json"),
    )


EVERYTHING = """
probe = "p.npz"
probe-key = ["x0", "x1"]
probe_kind = "ids"
targets = "t.npz"
targets_key = "y"
loss = "mse"
timesteps = 30
batch = 2
seeds = 1
seed = 0
device = "cpu"
nonlinearity = "relu"
windows = 2
alpha = 0.1
lag = 12
history = "h.csv"
train-column = "loss"
val_column = "val"
series = "epochs/*.pt"
context = "run.toml"
trials = "trials.csv"
select = ["RNN1", "dead-units"]
ignore = "RNN201"
profile = "b"
fail-on = "never"
baseline = "known.json"
format = "json"
"""
EXPECTED: dict[str, Any] = {
    "probe": "p.npz",
    "probe_key": ("x0", "x1"),
    "probe_kind": "ids",
    "targets": "t.npz",
    "targets_key": ("y",),
    "loss": "mse",
    "timesteps": 30,
    "batch": 2,
    "seeds": 1,
    "seed": 0,
    "device": "cpu",
    "nonlinearity": "relu",
    "windows": 2,
    "alpha": 0.1,
    "lag": 12,
    "history": Path("h.csv"),
    "train_column": "loss",
    "val_column": "val",
    "series": (str(Path("epochs/*.pt")),),
    "context": Path("run.toml"),
    "trials": Path("trials.csv"),
    "select": ("RNN1", "dead-units"),
    "ignore": ("RNN201",),
    "profile": "b",
    "fail_on": "never",
    "baseline": Path("known.json"),
    "format": "json",
}


def test_every_key(here: Path) -> None:
    found = read(EVERYTHING)
    assert said(found.chosen) == {k: v for k, v in EXPECTED.items() if k in said(found.chosen)}
    assert len(said(found.chosen)) + len(_WHOLE) == len(EXPECTED)
    assert {key: getattr(found, key) for key in _WHOLE} == {k: EXPECTED[k] for k in _WHOLE}
    written(here / "pyproject.toml", f"[tool.rnndiag]{EVERYTHING}")
    shared = load(here / "pyproject.toml")
    assert dataclasses.replace(shared, source=found.source) == found


def test_every_option_of_the_probe_can_be_said() -> None:
    assert set(_CHOSEN) == {own.name for own in dataclasses.fields(Chosen)}
    probe = {own.name for own in dataclasses.fields(Options)} - {
        "loss_weights",
        "model",
        "unsafe_load",
    }
    assert probe <= set(_CHOSEN)


def test_paths_are_relative_to_the_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absolute = str((here / "x.npz").absolute())
    text = f"checkpoints = ['m.pt']\nprobe = '{absolute}'\ntargets = '../y.npz'\ncontext = 'c.toml'"
    written(here / "conf" / "rnndiag.toml", text)
    found = load(here / "conf" / "rnndiag.toml")
    assert found.checkpoints[0].path == str(Path("conf/m.pt"))
    assert found.chosen.probe == "x.npz"
    assert found.chosen.context == Path("conf/c.toml")
    assert found.chosen.targets is not None
    assert Path(found.chosen.targets).resolve() == (here / "y.npz").resolve()
    (here / "other").mkdir()
    monkeypatch.chdir(here / "other")
    assert load(here / "conf" / "rnndiag.toml").chosen.context == here / "conf" / "c.toml"


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("fail_onn = 'note'", "line 1: unknown key fail_onn", "did you mean fail_on"),
        ("\ncheckpoint-s = []", "line 2: unknown key checkpoint_s", "checkpoints"),
        ("zzz = 3", "line 1: unknown key zzz", "known: probe"),
        ("fail-on = 'never'\nfail_on = 'never'", "line 2: fail_on stands there twice", ""),
        ("batch = '3'", 'line 1: batch is "3", but must be a whole number of at least 1', ""),
        ("batch = 0", "line 1: batch is 0, but must be a whole number of at least 1", ""),
        ("seed = -1", "line 1: seed is -1, but must be a whole number of at least 0", ""),
        ("alpha = 1", "line 1: alpha is 1, but must be a number between 0 and 1", ""),
        ("lag = true", "line 1: lag is true, but must be a whole number of at least 1", ""),
        ("device = 'tpu'", 'line 1: device is "tpu", but must be one of auto, cpu', ""),
        ("format = 'xml'", 'line 1: format is "xml", but must be one of', ""),
        ("profile = ['a']", "line 1: profile is ['a'], but must be one of a, b", ""),
        ("probe = 3", "line 1: probe is 3, but must be a text", ""),
        ("probe_key = [3]", "line 1: probe_key is [3], but must be a text or a list", ""),
        ("checkpoints = 3", "line 1: checkpoints is 3, but must be a text or a list", ""),
        ("checkpoint = 'm.pt'", "line 1: checkpoint must be tables", "[[checkpoint]]"),
        ("[[checkpoint]]\nlag = 3", "line 1: a checkpoint without path", 'path = "model.pt"'),
        (
            "[[checkpoint]]\npath = 'a'\n[[checkpoint]]\npath = 'b'\nprobes = 'x'",
            "line 5: unknown key checkpoint.1.probes",
            "did you mean probe",
        ),
        (
            "[[checkpoint]]\npath='a'\nfail-on='note'",
            "line 3: fail_on is for all checkpoints",
            "above",
        ),
        ("select = ['RNN9']", "line 1: there is no rule 'RNN9'", ""),
        ("ignore = ['dead-unit']", "line 1: there is no rule 'dead-unit'", "dead-units"),
        ("severity = 3", "line 1: severity must be a table", "[severity]"),
        ("[severity]\nRNN999 = 'note'", "line 2: there is no rule 'RNN999'", ""),
        ("[severity]\nRNN101 = 'off'", 'line 2: severity.RNN101 is "off", but must be', ""),
        (
            "[thresholds]\nRNN101 = 3",
            "line 2: thresholds.RNN101 must be a table",
            "[thresholds.RNN101]",
        ),
        ("[thresholds.RNN7]\nspan = 3", "line 1: there is no rule 'RNN7'", ""),
        (
            "[thresholds.RNN101]\nspam = 3",
            "line 2: RNN101 has no threshold 'spam'",
            "did you mean span",
        ),
        ("[thresholds.RNN201]\nspan = 3", "RNN201 has no threshold 'span'", "known: none"),
        (
            "[thresholds.RNN101]\nspan = '3'",
            'line 2: thresholds.RNN101.span is "3", but must be a number',
            "",
        ),
        ("[thresholds.RNN101]\nspan = nan", "span is nan, but must be a number", ""),
    ],
)
def test_refused(here: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(BadOption) as caught:
        read(text)
    assert caught.value.message.startswith("rnndiag.toml, line")
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_the_section_is_part_of_the_key(here: Path) -> None:
    written(here / "pyproject.toml", "[tool.rnndiag]\n[[tool.rnndiag.checkpoint]]\npat = 'a'")
    with pytest.raises(BadOption) as caught:
        load(Path("pyproject.toml"))
    place = "pyproject.toml, line 3"
    assert caught.value.message == f"{place}: unknown key tool.rnndiag.checkpoint.0.pat"
    written(here / "pyproject.toml", "[tool]\nrnndiag = 3")
    with pytest.raises(BadOption, match=r"line 2: tool\.rnndiag must be a table"):
        load(Path("pyproject.toml"))


# ---------------------------------------------------------------- command line over it


def test_command_line_over_configuration_over_defaults(here: Path) -> None:
    conf = read("batch = 4\nseeds = 5\nformat = 'json'\nlag = 3")
    parameters = {"batch": 2, "seeds": 3, "alpha": 0.01, "format_": "table", "verbose": False}
    assert merged(parameters, {"batch"}, conf) == {
        "batch": 2,
        "seeds": 5,
        "alpha": 0.01,
        "format_": "json",
        "verbose": False,
    }
    assert merged(parameters, {"format_"}, conf)["format_"] == "table"
    assert merged(parameters, {"batch"}, Configuration()) == parameters


def test_a_checkpoints_own_choices_over_those_for_all(here: Path) -> None:
    conf = read("batch = 4\nlag = 5\n[[checkpoint]]\npath = 'm.pt'\nlag = 6\nprobe = 'p.npz'")
    parameters = {"batch": 16, "lag": None, "probe": None}
    (entry,) = checkpoints(conf)
    assert merged(parameters, (), conf) == {"batch": 4, "lag": 5, "probe": None}
    assert merged(parameters, (), conf, entry) == {"batch": 4, "lag": 6, "probe": "p.npz"}
    given = {"batch": 16, "lag": 7, "probe": None}
    assert merged(given, {"lag"}, conf, entry)["lag"] == 7


def test_what_is_said_of_a_file_goes_with_it(here: Path) -> None:
    text = "probe = 'p.npz'\nprobe_key = 'a'\ntargets = 'p.npz'\ntargets_key = 'b'\n"
    text += "history = 'h.csv'\ntrain_column = 'l'\n"
    conf = read(text)
    parameters: dict[str, Any] = {
        "probe": None,
        "probe_key": (),
        "targets": None,
        "targets_key": (),
        "history": None,
        "train_column": None,
    }
    kept = merged(parameters, (), conf)
    assert (kept["probe_key"], kept["targets_key"]) == (("a",), ("b",))
    assert merged({**parameters, "probe": "q.npz"}, {"probe"}, conf) == {
        **parameters,
        "probe": "q.npz",
        "history": Path("h.csv"),
        "train_column": "l",
    }
    other = merged({**parameters, "targets": "t.npz"}, {"targets"}, conf)
    assert (other["probe_key"], other["targets"], other["targets_key"]) == (("a",), "t.npz", ())
    history = merged({**parameters, "history": Path("i.csv")}, {"history"}, conf)
    assert (history["history"], history["train_column"]) == (Path("i.csv"), None)


def test_severities_and_thresholds_go_over_each_other_one_by_one(here: Path) -> None:
    conf = read(
        "[severity]\nRNN101 = 'note'\nRNN201 = 'note'\n[thresholds.RNN101]\nspan=3\nleast_share=1"
    )
    parameters = {"severity": ("short-span=error",), "threshold": ("RNN101.span=7",)}
    assert merged(parameters, {"severity", "threshold"}, conf) == {
        "severity": {"RNN101": "error", "RNN201": "note"},
        "threshold": {"RNN101": {"span": 7.0, "least_share": 1.0}},
    }
    none: dict[str, Any] = {"severity": (), "threshold": ()}
    assert merged(none, (), conf) == {
        "severity": {"RNN101": "note", "RNN201": "note"},
        "threshold": {"RNN101": {"span": 3.0, "least_share": 1.0}},
    }
    assert merged(none, (), Configuration()) == {"severity": {}, "threshold": {}}


# ---------------------------------------------------------------- checkpoints


def paths(entries: tuple[Entry, ...]) -> list[str]:
    return [Path(entry.path).as_posix() for entry in entries]


def test_patterns(here: Path) -> None:
    for name in ("runs/b.pt", "runs/a.pt", "runs/deep/c.pt", "runs/x[1].pt"):
        written(here / name, "")
    (here / "runs/dir.pt").mkdir()
    every = read("checkpoints = ['runs/**/*.pt']")
    assert paths(checkpoints(every)) == ["runs/a.pt", "runs/b.pt", "runs/deep/c.pt", "runs/x[1].pt"]
    assert paths(checkpoints(read("checkpoints = 'runs/x[1].pt'"))) == ["runs/x[1].pt"]
    # A plain name stays, and is told as missing when it is read.
    assert paths(checkpoints(read("checkpoints = ['no.pt']"))) == ["no.pt"]
    with pytest.raises(BadOption, match=r"no file is like no/\*.pt"):
        checkpoints(read("checkpoints = ['no/*.pt']"))


def test_a_file_named_twice_is_there_once(here: Path) -> None:
    for name in ("a.pt", "b.pt"):
        written(here / name, "")
    conf = read(
        "checkpoints = ['b.pt', '*.pt']\n"
        "[[checkpoint]]\npath = '*.pt'\nlag = 3\nprobe = 'p.npz'\nprobe_key = 'x'\n"
        "[[checkpoint]]\npath = 'a.pt'\nprobe = 'q.npz'\n"
    )
    assert checkpoints(conf) == (
        Entry(path="b.pt", chosen=Chosen(lag=3, probe="p.npz", probe_key=("x",))),
        Entry(path="a.pt", chosen=Chosen(lag=3, probe="q.npz")),
    )


def test_named_checkpoints_keep_what_is_chosen_for_them(here: Path) -> None:
    conf = read("checkpoints = ['no/*.pt']\n[[checkpoint]]\npath = 'a.pt'\nlag = 3")
    given = ("b.pt", str(here / "a.pt"))
    assert checkpoints(conf, given) == (
        Entry(path="b.pt"),
        Entry(path=str(here / "a.pt"), chosen=Chosen(lag=3)),
    )


def test_no_checkpoint_at_all(here: Path) -> None:
    with pytest.raises(BadOption, match="no checkpoint to look at") as caught:
        checkpoints(Configuration())
    assert "[tool.rnndiag]" in caught.value.hint
    with pytest.raises(BadOption) as caught:
        checkpoints(read("batch = 3"))
    assert caught.value.hint.endswith("in rnndiag.toml")


# ---------------------------------------------------------------- RULE=LEVEL and RULE.NAME=N


def test_severities_of_the_command_line() -> None:
    assert parse_severity([]) == {}
    found = parse_severity(["rnn101=error", "Dead-Units = Note", "RNN101=warning"])
    assert found == {"RNN101": "warning", "RNN201": "note"}


@pytest.mark.parametrize("item", ["RNN101", "RNN101=", "RNN101=off", "=", ""])
def test_no_severities(item: str) -> None:
    with pytest.raises(BadOption, match=f"--severity {item}: ") as caught:
        parse_severity([item])
    assert "error, warning, note" in caught.value.hint


def test_thresholds_of_the_command_line() -> None:
    assert parse_thresholds([]) == {}
    items = ["RNN101.span=12", "short-span.least-share=.25", "RNN101.span=1e1"]
    assert parse_thresholds(items) == {"RNN101": {"span": 10.0, "least_share": 0.25}}


@pytest.mark.parametrize("item", ["RNN101.span", "RNN101=3", "RNN101.span=x", "RNN101.span=nan"])
def test_no_thresholds(item: str) -> None:
    with pytest.raises(BadOption, match=f"--threshold {item}: ") as caught:
        parse_thresholds([item])
    assert "RNN101.warning=12" in caught.value.hint


@pytest.mark.parametrize(
    ("item", "hint"), [("RNN101.spann=3", "did you mean span"), ("RNN201.span=3", "known: none")]
)
def test_thresholds_that_a_rule_does_not_have(item: str, hint: str) -> None:
    with pytest.raises(BadOption, match="has no threshold") as caught:
        parse_thresholds([item])
    assert hint in caught.value.hint


@pytest.mark.parametrize("parse", [parse_severity, parse_thresholds])
def test_rules_that_there_are_not(parse: Any) -> None:
    with pytest.raises(BadOption, match="there is no rule 'RNN999'"):
        parse(["RNN999=error" if parse is parse_severity else "RNN999.span=3"])
