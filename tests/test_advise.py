"""`rnndiag advise` as a person meets it: what is asked, of what, and what comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest
import xmlschema
from advise_runs import (
    FAST,
    ROOT,
    SAMPLES,
    advise,
    broken,
    codes,
    complains,
    judged,
    network,
    run,
    saved,
    spans,
)
from jsonschema import Draft4Validator, Draft202012Validator

from rnndiag import pipeline
from rnndiag.cli import main

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def exploding() -> dict[str, Any]:
    """What is measured in a sample that explodes."""
    probe = SAMPLES / "copy_exploding.probe.npz"
    result = run("inspect", SAMPLES / "copy_exploding.pt", "--probe", probe, "--format", "json")
    assert result.exit_code == 0
    report: dict[str, Any] = json.loads(result.stdout)
    return report


@pytest.fixture
def report(exploding: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same as a saved report in the working directory."""
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "report.json", exploding)
    return Path("report.json")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path()


# ---------------------------------------------------------------- what is asked


@pytest.mark.parametrize(
    ("severity", "failing"),
    [("error", "error warning note"), ("warning", "warning note"), ("note", "note")],
)
@pytest.mark.parametrize("fail_on", ["error", "warning", "note", "never"])
def test_findings_count_from_a_severity_on(
    report: Path, severity: str, failing: str, fail_on: str
) -> None:
    only = ("--select", "RNN102", "--severity", f"RNN102={severity}")
    data = judged(report, *only, "--fail-on", fail_on)
    assert [finding["severity"] for finding in data["findings"]] == [severity]
    assert data["exit_code"] == (fail_on in failing.split())


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["--select", "RNN10"], "RNN101 RNN102 RNN103 RNN104"),
        (["--select", "rnn102,dead-units"], "RNN102 RNN201"),
        (["--select", "RNN102", "--select", "RNN2", "--ignore", "RNN20"], "RNN102"),
        (["--select", "RNN102, Exploding_Gradient"], "RNN102"),
    ],
)
def test_rules_are_asked_by_code_family_and_name(
    report: Path, options: list[str], asked: str
) -> None:
    data = judged(report, *options)
    skipped = {item["rule"] for item in data["skipped"] if "rule" in item}
    assert codes(data) | skipped | {item["rule"] for item in data["passed"]} == {*asked.split()}


def test_a_threshold_is_moved(report: Path, exploding: dict[str, Any]) -> None:
    (span,) = spans(exploding)
    above, below = 1.01 * span["growth"], 0.99 * span["growth"]
    only = ("--select", "RNN102")
    warning, error = "--threshold", f"RNN102.error={above}"
    assert judged(report, *only, status=1)["findings"][0]["severity"] == "error"
    assert judged(report, *only, warning, error)["findings"][0]["severity"] == "warning"
    raised = f"exploding-gradient.warning={above},RNN102.lyapunov=99,RNN102.error={above}"
    assert judged(report, *only, "--threshold", raised, status=0)["passed"]
    lowered = f"RNN102.warning={below}"
    assert not judged(report, *only, "--threshold", lowered, status=1)["passed"]


def test_the_profile_says_which_document_counts(report: Path, here: Path) -> None:
    (here / "run.toml").write_text("[layers]\ndropout = 0.4\n", encoding="utf-8")
    dropout = (report, "--select", "RNN406", "--context", "run.toml")
    assert codes(judged(*dropout)) == codes(judged(*dropout, "--profile", "a")) == {"RNN406"}
    assert codes(judged(*dropout, "--profile", "b")) == set()


# ---------------------------------------------------------------- several checkpoints


def test_several_make_one_report_with_the_worst_status(here: Path) -> None:
    paths = [network(here / "good.pt"), broken(here / "bad.pt")]
    data = judged(*paths, *FAST, status=1)
    assert [own["checkpoint"]["path"] for own in data["reports"]] == ["good.pt", "bad.pt"]
    assert [own["exit_code"] for own in data["reports"]] == [0, 1]
    assert data["unread"] == []
    assert "RNN301" in codes(data["reports"][1])


def test_one_that_cannot_be_read_leaves_the_others(here: Path) -> None:
    network(here / "good.pt")
    broken(here / "bad.pt")
    result = advise("good.pt", "gone.pt", "bad.pt", *FAST, "--format", "json")
    assert result.exit_code == 2
    data = json.loads(result.stdout)
    assert [own["checkpoint"]["path"] for own in data["reports"]] == ["good.pt", "bad.pt"]
    assert [own["path"] for own in data["unread"]] == ["gone.pt"]
    assert result.stderr == "rnndiag: gone.pt: no such file\n  check the path\n"


def test_all_that_cannot_be_read_are_told(here: Path) -> None:
    result = advise("gone.pt", "lost.h5", "--format", "json")
    data = json.loads(result.stdout)
    assert (result.exit_code, data["reports"]) == (2, [])
    assert [own["path"] for own in data["unread"]] == ["gone.pt", "lost.h5"]
    assert result.stderr.count("no such file") == 2


def test_nothing_analysed_is_worse_than_not_read(here: Path) -> None:
    import torch

    torch.save(torch.nn.Linear(5, 4).state_dict(), here / "linear.pt")
    result = advise("gone.pt", "linear.pt")
    assert result.exit_code == 3
    assert "gone.pt: no such file" in result.stdout + result.stderr


def test_a_file_that_is_named_twice_is_judged_once(here: Path) -> None:
    network(here / "good.pt")
    data = judged("good.pt", "./good.pt", here.absolute() / "good.pt", *FAST)
    assert data["checkpoint"]["path"] == "good.pt"


def test_what_is_chosen_wrongly_is_one_message_however_many_there_are(here: Path) -> None:
    for name in ("one.pt", "two.pt"):
        network(here / name)
    output = ("--output", "report.txt")
    complains(advise("one.pt", "two.pt", "--select", "zzz", *output), "no rule 'zzz'")
    complains(advise("one.pt", "two.pt", "--history", "none.csv", *output), "none.csv")
    assert not (here / "report.txt").exists()


# ---------------------------------------------------------------- configuration


def test_the_checkpoints_of_the_configuration(here: Path) -> None:
    network(here / "one.pt")
    network(here / "two.pt")
    (here / "pyproject.toml").write_text(
        '[tool.rnndiag]\ncheckpoints = ["*.pt"]\nfail-on = "never"\nselect = ["RNN103"]\n'
        "batch = 2\nseeds = 1\ntimesteps = 6\nlag = 2\n"
        '[[tool.rnndiag.checkpoint]]\npath = "two.pt"\nlag = 5\ntimesteps = 8\n',
        encoding="utf-8",
    )
    reports = judged()["reports"]
    assert [own["checkpoint"]["path"] for own in reports] == ["one.pt", "two.pt"]
    assert [own["probe"]["timesteps"] for own in reports] == [6, 8]
    assert all(codes(own) <= {"RNN103"} for own in reports)
    # The command line wins, and one that is named still has its own options.
    over = judged("two.pt", "--batch", 3)
    assert (over["probe"]["batch"], over["probe"]["timesteps"]) == (3, 8)


def test_another_configuration_and_its_relative_paths(here: Path) -> None:
    folder = here / "ci"
    folder.mkdir()
    network(folder / "model.pt")
    text = 'checkpoints = ["model.pt"]\nbatch = 2\nseeds = 1\ntimesteps = 6\n'
    (folder / "strict.toml").write_text(text, encoding="utf-8")
    data = judged("--config", "ci/strict.toml")
    assert data["checkpoint"]["path"] == str(Path("ci/model.pt"))
    assert data["probe"]["timesteps"] == 6


def test_inspect_takes_the_options_of_the_probe(here: Path) -> None:
    network(here / "model.pt")
    (here / "rnndiag.toml").write_text(
        'format = "github"\nbatch = 2\nseeds = 1\n'
        '[[checkpoint]]\npath = "model.pt"\ntimesteps = 7\n',
        encoding="utf-8",
    )
    table = run("inspect", "model.pt")
    assert "2 samples, 7 timesteps" in table.stdout
    over = run("inspect", "model.pt", "--timesteps", 9, "--batch", 3)
    assert "3 samples, 9 timesteps" in over.stdout
    (here / "other.toml").write_text("timesteps = 5\n", encoding="utf-8")
    assert "5 timesteps" in run("inspect", "model.pt", "--config", "other.toml").stdout


# ---------------------------------------------------------------- saved reports


def test_a_saved_report_is_judged_without_torch(report: Path) -> None:
    code = (
        "import sys\n"
        "class Wall:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'h5py', 'matplotlib'):\n"
        "            raise AssertionError(f'{name} is imported')\n"
        "sys.meta_path.insert(0, Wall())\n"
        "from rnndiag.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", code, "advise", str(report), "--lag", "9"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "RNN102 exploding-gradient" in done.stdout
    assert done.stdout == advise(report, "--lag", "9").stdout


def test_judging_again_says_the_same(here: Path, exploding: dict[str, Any]) -> None:
    probe = SAMPLES / "copy_exploding.probe.npz"
    first = judged(SAMPLES / "copy_exploding.pt", "--probe", probe, status=1)
    again = judged(saved(here / "first.json", first), status=1)
    assert again == first


def test_what_a_former_context_told_is_kept(report: Path, here: Path) -> None:
    run_toml = 'weight_decay = 0.3\nclipping = "clipnorm 1"\n'
    (here / "run.toml").write_text(run_toml, encoding="utf-8")
    assert codes(judged(report, "--select", "RNN404")) == set()
    told = judged(report, "--select", "RNN404", "--context", "run.toml")
    assert codes(told) == {"RNN404"}
    again = judged(saved(here / "told.json", told), "--select", "RNN404")
    assert again["findings"] == told["findings"]
    assert again["settings"] == told["settings"]
    # A context that is given takes the place of the former one.
    (here / "other.toml").write_text("weight_decay = 1e-4\n", encoding="utf-8")
    other = judged(here / "told.json", "--select", "RNN404", "--context", "other.toml")
    assert codes(other) == set()
    (conflict,) = (told for told in other["settings"]["conflicts"] if "told before" in told)
    assert conflict.startswith("told before by run.toml, and not any more: clipping")


def test_what_a_former_history_told_is_kept(report: Path, here: Path) -> None:
    history = SAMPLES / "zen_overfit.history.csv"
    told = judged(report, "--select", "RNN601", "--history", history, status=1)
    assert codes(judged(saved(here / "told.json", told), "--select", "RNN601")) == {"RNN601"}


def test_a_series_beside_a_saved_report_needs_no_checkpoint(here: Path) -> None:
    model = network(here / "model.pt")
    saved(here / "report.json", judged(model, *FAST))
    earlier = (network(here / "one.pt"), network(here / "two.pt", weight_hh_l0=3.0))
    series = [word for path in earlier for word in ("--series", path)]
    with_model = judged("report.json", *series)["series"]["checkpoints"]
    assert sorted(with_model) == ["model.pt", "one.pt", "two.pt"]
    model.unlink()
    assert judged("report.json", *series)["series"]["checkpoints"] == ["one.pt", "two.pt"]


def test_all_reports_of_a_file_and_what_could_not_be_read(
    here: Path, exploding: dict[str, Any]
) -> None:
    network(here / "good.pt")
    both = judged("good.pt", "gone.pt", *FAST, status=2)
    two = {**both, "reports": [*both["reports"], exploding]}
    result = advise(saved(here / "both.json", two), "--format", "json")
    data = json.loads(result.stdout)
    paths = [own["checkpoint"]["path"] for own in data["reports"]]
    assert paths == ["good.pt", exploding["checkpoint"]["path"]]
    assert data["unread"] == both["unread"]
    assert (result.exit_code, data["exit_code"]) == (2, 2)
    assert result.stderr == "rnndiag: gone.pt: no such file\n  check the path\n"


def test_saved_reports_have_the_options_of_their_checkpoints(
    report: Path, here: Path, exploding: dict[str, Any]
) -> None:
    path = exploding["checkpoint"]["path"]
    (here / "rnndiag.toml").write_text(
        f'select = ["RNN103"]\n[[checkpoint]]\npath = {json.dumps(path)}\nlag = 500\n',
        encoding="utf-8",
    )
    (skipped,) = (own for own in judged(report)["skipped"] if own.get("rule"))
    assert "shorter than the lag" in skipped["reason"]


def test_what_was_measured_cannot_be_measured_otherwise(report: Path, here: Path) -> None:
    complains(advise(report, "--probe-kind", "normal"), "--probe-kind: what is in report.json")
    # In a configuration it is for checkpoints; beside a checkpoint it is for that one.
    (here / "rnndiag.toml").write_text("timesteps = 6\nbatch = 2\n", encoding="utf-8")
    judged(report, status=1)
    network(here / "model.pt")
    assert len(judged(report, "model.pt", "--seeds", 1)["reports"]) == 2


# ---------------------------------------------------------------- formats


def outputs(text: str) -> Any:
    return json.loads(text, parse_constant=pytest.fail)


def check_json(text: str) -> None:
    schema = (resources.files("rnndiag.outputs.reports") / "schema.json").read_text(
        encoding="utf-8"
    )
    data = outputs(text)
    assert list(Draft202012Validator(json.loads(schema)).iter_errors(data)) == []
    assert "RNN102" in codes(data)


def check_sarif(text: str) -> None:
    schema = json.loads((DATA / "sarif/sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
    data = outputs(text)
    assert list(Draft4Validator(schema).iter_errors(data)) == []
    assert "RNN102" in {result["ruleId"] for result in data["runs"][0]["results"]}


def check_junit(text: str) -> None:
    root = ElementTree.fromstring(text.encode())
    xmlschema.XMLSchema(str(DATA / "junit/junit-10.xsd")).validate(root)
    assert [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]


def check_gitlab(text: str) -> None:
    assert "exploding-gradient" in {issue["check_name"] for issue in outputs(text)}


def check_github(text: str) -> None:
    assert "::error file=" in text
    assert text.splitlines()[-1].startswith("rnndiag: ")


def check_markdown(text: str) -> None:
    assert "| **error** | medium | RNN102 exploding-gradient |" in text


def check_table(text: str) -> None:
    assert "exploding-gradient" in text
    # Lines of code are never broken.
    assert all(len(line) <= 80 for line in text.splitlines() if line[:4].strip())


CHECKS = {
    "json": check_json,
    "sarif": check_sarif,
    "junit": check_junit,
    "gitlab": check_gitlab,
    "github": check_github,
    "markdown": check_markdown,
    "table": check_table,
}


def options(command: str) -> list[click.Parameter]:
    found = main.get_command(click.Context(main), command)
    assert found is not None
    return found.params


def test_every_format_is_checked() -> None:
    (option,) = (own for own in options("advise") if own.name == "format_")
    assert set(option.type.choices) == set(CHECKS)  # type: ignore[attr-defined]


@pytest.mark.parametrize("format", CHECKS)
def test_each_format_from_the_command_line(report: Path, format: str) -> None:
    printed = advise(report, "--format", format)
    assert (printed.exit_code, printed.stderr) == (1, "")
    CHECKS[format](printed.stdout)
    written = advise(report, "--format", format, "--output", "out/../file")
    assert written.exit_code == 2, "a folder that is not there"
    written = advise(report, "--format", format, "--output", "file", "-q")
    assert (written.exit_code, written.stdout, written.stderr) == (1, "", "")
    assert Path("file").read_text(encoding="utf-8") == printed.stdout
    assert sorted(path.name for path in Path().iterdir()) == ["file", "report.json"]


def test_the_table_says_more_when_asked(report: Path) -> None:
    short, long = advise(report).stdout, advise(report, "-v").stdout
    assert "passed: " not in short
    assert "passed: " in long
    assert len(long) > len(short)


def test_output_may_be_stdout(report: Path) -> None:
    assert advise(report, "--output", "-").stdout == advise(report).stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("format", ["table", "junit"])
def test_a_stdout_that_knows_few_characters(
    here: Path, exploding: dict[str, Any], format: str, encoding: str
) -> None:
    named = {**exploding["checkpoint"], "path": "modèle.pt"}
    report = saved(here / "report.json", exploding, checkpoint=named)
    command = [sys.executable, "-m", "rnndiag", "advise", str(report), "--format", format]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=env, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    if format == "junit":
        # It says of itself that it is UTF-8.
        (suite,) = ElementTree.fromstring(done.stdout)
        assert suite.get("name") == "modèle.pt"
    else:
        text = done.stdout.decode(encoding)
        assert ("‖" in text) == ("modèle.pt" in text) == (encoding == "utf-8")
        assert "exploding-gradient" in text


def test_a_reader_that_goes_away_changes_nothing(report: Path) -> None:
    command = [sys.executable, "-m", "rnndiag", "advise", report, "--write-baseline", "known.json"]
    # Without what is read, the pipe is closed before a word is written.
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        said = child.stderr.read()
        assert child.wait() == 1
    assert "Traceback" not in said
    assert "Broken" not in said
    assert "BrokenPipe" not in said
    assert "RNN102" in Path("known.json").read_text(encoding="utf-8")


def test_an_interrupted_call_does_not_look_like_findings(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "inspect", interrupt)
    result = advise(network(here / "model.pt"), "--output", "report.txt")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "rnndiag: interrupted\n")
    assert [path.name for path in here.iterdir()] == ["model.pt"]


def test_help_stands_in_groups_and_80_columns() -> None:
    for command in ("advise", "inspect"):
        lines = run(command, "--help").stdout.splitlines()
        headings = [line for line in lines if line.endswith(":") and line[0] != " "]
        assert headings[0] == "Input:"
        assert headings[-1] == "Other:"
        assert max(map(len, lines)) <= 80
        names = {name for own in options(command) for name in own.opts}
        shown = {word.strip(",") for line in lines for word in line.split()[:2]}
        assert {name for name in names if name.startswith("--")} <= shown


def test_the_first_page_names_the_commands_in_order() -> None:
    help_ = run("--help").stdout
    places = [help_.index(f"\n  {name} ") for name in ("inspect", "advise", "rules", "explain")]
    assert places == sorted(places)
