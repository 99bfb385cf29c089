"""`rnndiag advise` as a CI job meets it: exit statuses, baselines, and the jobs of the README."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from advise_runs import (
    FAST,
    ROOT,
    SAMPLES,
    advise,
    broken,
    codes,
    judged,
    network,
    process,
    saved,
    spans,
)

from rnndiag.cli import main

CI = Path(__file__).parent / "data/ci"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path()


# ---------------------------------------------------------------- exit statuses


def dense(path: Path) -> Path:
    import torch

    torch.save(torch.nn.Linear(5, 4).state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("made", "options", "status"),
    [
        (network, [], 0),
        (broken, [], 1),
        (broken, ["--select", "RNN999"], 2),
        (dense, ["--fail-on", "never"], 3),
    ],
    ids=["healthy", "broken", "no-rule", "no-rnn"],
)
def test_every_status_from_a_real_command(
    here: Path, made: Any, options: list[str], status: int
) -> None:
    done = process("advise", made(here / "model.pt"), *FAST, *options)
    assert done.returncode == status, done.stderr
    assert bool(done.stderr) == (status == 2)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "format", ["table", "json", "markdown", "github", "gitlab", "sarif", "junit"]
)
def test_the_status_is_that_of_every_format(here: Path, format: str) -> None:
    assert advise(broken(here / "bad.pt"), *FAST, "--format", format).exit_code == 1
    assert advise(dense(here / "dense.pt"), "--format", format).exit_code == 3
    assert advise("bad.pt", "gone.pt", *FAST, "--format", format).exit_code == 2


# ---------------------------------------------------------------- baselines


@pytest.fixture
def measured(here: Path) -> dict[str, Any]:
    """The report of a checkpoint whose gradient grows, made up: 40 times in 6 steps."""
    report = judged(network(here / "model.pt"), *FAST)
    grown(report, 40.0)
    saved(here / "report.json", report)
    return report


def grown(report: dict[str, Any], growth: float) -> dict[str, Any]:
    for span in spans(report):
        span["growth"] = growth
    return report


GATE = ("--select", "RNN102", "--fail-on", "note")


def test_what_the_baseline_knows_does_not_count(here: Path, measured: dict[str, Any]) -> None:
    first = advise("report.json", *GATE, "--write-baseline", "known.json")
    assert first.exit_code == 1
    assert first.stderr.splitlines() == [
        "rnndiag: known.json: findings kept as known: 1",
        "  from now on: --baseline known.json",
    ]
    again = judged("report.json", *GATE, "--baseline", "known.json", status=0)
    assert [finding["known"] for finding in again["findings"]] == [True]
    assert "1 known" in advise("report.json", *GATE, "--baseline", "known.json").stdout


@pytest.mark.parametrize(("growth", "status"), [(43.0, 0), (30.0, 0), (60.0, 1)])
def test_what_got_clearly_worse_is_new_again(
    here: Path, measured: dict[str, Any], growth: float, status: int
) -> None:
    advise("report.json", *GATE, "--write-baseline", "known.json")
    saved(here / "later.json", grown(measured, growth))
    later = judged("later.json", *GATE, "--baseline", "known.json", status=status)
    assert [finding["known"] for finding in later["findings"]] == [status == 0]


def test_a_baseline_is_brought_up_to_date(here: Path, measured: dict[str, Any]) -> None:
    advise("report.json", *GATE, "--write-baseline", "known.json", "-q")
    saved(here / "later.json", grown(measured, 60.0))
    both = ("--baseline", "known.json", "--write-baseline", "known.json")
    assert advise("later.json", *GATE, *both).exit_code == 1
    assert advise("later.json", *GATE, *both).exit_code == 0
    judged("later.json", *GATE, "--baseline", "known.json", status=0)


def test_the_first_baseline_is_written_where_the_configuration_names_it(
    here: Path, measured: dict[str, Any]
) -> None:
    Path("rnndiag.toml").write_text('baseline = "known.json"\n', encoding="utf-8")
    first = advise("report.json", *GATE, "--write-baseline", "known.json", "-q")
    assert (first.exit_code, first.stderr) == (1, "")
    judged("report.json", *GATE, status=0)


def test_what_is_gone_is_said(here: Path, measured: dict[str, Any]) -> None:
    advise("report.json", *GATE, "--write-baseline", "known.json")
    saved(here / "later.json", grown(measured, 1.0))
    later = advise(
        "later.json", *GATE, "--baseline", "known.json", "--threshold", "RNN102.lyapunov=9"
    )
    assert later.exit_code == 0
    first, second = later.stderr.splitlines()
    assert first.startswith("rnndiag: known.json: no longer found: RNN102")
    assert "--write-baseline known.json" in second
    # A rule that was not asked is not gone.
    assert advise("later.json", "--select", "RNN2", "--baseline", "known.json").stderr == ""


def test_one_baseline_for_several_checkpoints(here: Path) -> None:
    paths = [broken(here / "one.pt"), broken(here / "two.pt"), network(here / "three.pt")]
    kept = advise(*paths, *FAST, "--write-baseline", "known.json", "-q")
    assert (kept.exit_code, kept.stderr) == (1, "")
    data = judged(*paths, *FAST, "--baseline", "known.json", status=0)
    assert all("RNN301" in codes(own) for own in data["reports"][:2])


# ---------------------------------------------------------------- the jobs of the README


def job_commands(name: str) -> list[str]:
    """What a job runs, step by step, but for the installation."""
    job = yaml.safe_load((CI / name).read_text(encoding="utf-8"))
    if name == "gitlab.yml":
        own = job["rnndiag"]
        steps = ["\n".join(skip_install(own["script"])), *own["after_script"]]
    else:
        (own,) = job["jobs"].values()
        steps = [step["run"] for step in own["steps"] if "run" in step]
    return skip_install(steps)


def skip_install(commands: list[str]) -> list[str]:
    return [line for line in commands if not line.startswith("pip install")]


@pytest.fixture
def shell(here: Path) -> dict[str, str]:
    """The environment of a job in which rnndiag is installed, in a folder with a run."""
    programs = here / "bin"
    programs.mkdir()
    script = f'#!/bin/sh\nexec "{sys.executable}" -m rnndiag "$@"\n'
    (programs / "rnndiag").write_text(script, encoding="utf-8")
    (programs / "rnndiag").chmod(0o755)
    path = f"{programs.absolute()}{os.pathsep}{os.environ['PATH']}"
    summary = str(here.absolute() / "summary.md")
    own = {"PATH": path, "PYTHONPATH": str(ROOT), "GITHUB_STEP_SUMMARY": summary}
    return {**os.environ, **own, "OMP_NUM_THREADS": "1"}


def run_job(name: str, sample: str, shell: dict[str, str]) -> tuple[list[int], str]:
    """The status of each step of a job on one sample, and all that it printed."""
    for folder, file in (("runs", f"{sample}.pt"), ("data", f"{sample}.probe.npz")):
        Path(folder).mkdir()
        target = "probe.npz" if folder == "data" else file
        shutil.copy(SAMPLES / file, Path(folder) / target)
    statuses, printed = [], ""
    for command in job_commands(name):
        bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
        done = subprocess.run(bash, env=shell, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        statuses.append(done.returncode)
        printed += done.stdout
    return statuses, printed


@pytest.mark.skipif(shutil.which("bash") is None, reason="CI jobs are run by bash")
@pytest.mark.parametrize(("sample", "status"), [("copy_exploding", 1), ("recall_chrono", 0)])
def test_the_github_job(here: Path, shell: dict[str, str], sample: str, status: int) -> None:
    statuses, printed = run_job("github.yml", sample, shell)
    assert statuses == [status, 0]
    assert ("::error file=runs/copy_exploding.pt,title=RNN102" in printed) == bool(status)
    summary = (here / "summary.md").read_text(encoding="utf-8")
    assert f"exit status {status}" in summary
    (run,) = json.loads((here / "rnndiag.sarif").read_text(encoding="utf-8"))["runs"]
    levels = {result["level"] for result in run["results"]}
    assert ("error" in levels) == bool(status)


@pytest.mark.skipif(shutil.which("bash") is None, reason="CI jobs are run by bash")
def test_the_gitlab_job(here: Path, shell: dict[str, str]) -> None:
    statuses, printed = run_job("gitlab.yml", "copy_exploding", shell)
    assert statuses == [1, 0, 0, 0]
    assert "RNN102" in printed
    issues = json.loads((here / "gl-code-quality-report.json").read_text(encoding="utf-8"))
    assert "critical" in {issue["severity"] for issue in issues}
    assert "<failure" in (here / "rnndiag.junit.xml").read_text(encoding="utf-8")


def test_the_jobs_keep_what_their_commands_write() -> None:
    """Every file that a job hands on is written by one of its commands, and no other is."""
    for name in ("github.yml", "gitlab.yml"):
        text = (CI / name).read_text(encoding="utf-8")
        written = set(re.findall(r"--output (\S+)", text))
        job = yaml.safe_load(text)
        if name == "gitlab.yml":
            artifacts = job["rnndiag"]["artifacts"]
            assert artifacts["when"] == "always"
            kept = {*artifacts["paths"], *artifacts["reports"].values()}
        else:
            (own,) = job["jobs"].values()
            given = {step["uses"]: step["with"] for step in own["steps"] if "uses" in step}
            (upload,) = (using for action, using in given.items() if "upload-artifact" in action)
            (alerts,) = (using for action, using in given.items() if "upload-sarif" in action)
            assert alerts["sarif_file"] in written
            kept = set(upload["path"].split())
            late = own["steps"][[step.get("name") for step in own["steps"]].index("Judge") + 1 :]
            assert all("!cancelled()" in step["if"] for step in late), "after findings, too"
        assert kept == written


# ---------------------------------------------------------------- pre-commit


def hook() -> dict[str, Any]:
    (only,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    return dict(only)


def test_the_hook_is_a_command_that_there_is() -> None:
    program, command, *rest = hook()["entry"].split()
    assert program == "rnndiag"
    assert command in main.list_commands(click.Context(main))
    assert rest == []
    assert importlib.util.find_spec("rnndiag.cli") is not None
    assert hook()["language"] == "python"
    assert hook()["pass_filenames"] is True
    assert {"id", "name", "entry", "language"} <= set(hook())


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        *((f"runs/best{end}", True) for end in (".h5", ".hdf5", ".keras", ".pt", ".pth")),
        *((f"model{end}", True) for end in (".ckpt", ".safetensors", ".weights.h5")),
        *((name, False) for name in ("notes.txt", "h5", "script.pt.py", "data.npz", "a.h5.json")),
    ],
)
def test_the_hook_takes_checkpoints(path: str, meant: bool) -> None:
    assert bool(re.search(hook()["files"], path)) == meant


def test_the_hook_on_files_of_a_commit(here: Path) -> None:
    """As pre-commit calls it: the entry, then the paths; every sample is taken."""
    taken = [path.name for path in SAMPLES.iterdir() if re.search(hook()["files"], path.name)]
    assert len(taken) == 10
    result = advise(network(here / "good.pt"), broken(here / "bad.pt"), *FAST)
    assert result.exit_code == 1
    assert "good.pt" in result.stdout
