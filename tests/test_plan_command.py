"""``rnndiag plan`` as it is called: on samples, on saved reports, and with what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from advise_runs import FAST, ROOT, SAMPLES, process, run
from click.testing import Result

from rnndiag.decays import written

SEEN = ("zen_overfit.ckpt", "copy_exploding.pt", "adding_gru.h5", "manual_sigmoid_stack.h5")


def plan(*arguments: object) -> Result:
    return run("plan", *arguments, "-q")


def sample(name: str) -> list[object]:
    """A sample with its probe and history."""
    stem = name.partition(".")[0]
    told = ["--probe", SAMPLES / f"{stem}.probe.npz", "--history", SAMPLES / f"{stem}.history.csv"]
    return [SAMPLES / name, *told]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report that was judged, as --format json writes it."""
    path = tmp_path_factory.mktemp("saved") / "report.json"
    run("advise", *sample("zen_overfit.ckpt"), "--format", "json", "--output", path, "-q")
    return path


def data(*arguments: object) -> dict[str, Any]:
    result = plan(*arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("name", SEEN)
def test_samples_get_a_plan(name: str) -> None:
    found = data(*sample(name))
    assert found["steps"]
    assert found["space"]
    assert not {own["name"] for own in found["space"]} & {
        own["setting"] for own in found["unsearched"]
    }


def test_an_overfitted_network_gets_more_of_everything() -> None:
    found = {own["setting"]: own for own in data(*sample("zen_overfit.ckpt"))["steps"]}
    assert found["kernel_decay"]["value"] == 5e-5
    assert found["recurrent_dropout"]["value"] == 0.2
    assert found["units"]["value"] == 20
    assert "RNN604" in [own["rule"] for own in found["early_stopping"]["reasons"]]


def test_an_exploding_gradient_is_clipped_first_and_says_what_disagrees() -> None:
    found = data(*sample("copy_exploding.pt"))
    assert found["steps"][0]["setting"] == "clipping"
    assert {own["setting"] for own in found["conflicts"]} == {"kernel decay", "recurrent decay"}


def test_a_saved_report_gives_the_same_plan(saved: Path) -> None:
    assert data(saved) == data(*sample("zen_overfit.ckpt"))


def test_a_saved_report_needs_no_torch(saved: Path) -> None:
    code = (
        "import sys\nfrom rnndiag.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert 'torch' not in sys.modules and 'h5py' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, "plan", str(saved)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("format_", ["table", "json", "yaml", "optuna"])
def test_every_format_goes_to_a_file(saved: Path, tmp_path: Path, format_: str) -> None:
    path = tmp_path / "plan"
    result = plan(saved, "--format", format_, "--output", path)
    assert (result.exit_code, result.stdout) == (0, "")
    text = path.read_text(encoding="utf-8")
    if format_ == "yaml":
        assert yaml.safe_load(text) == data(saved)
    if format_ == "optuna":
        compile(text, "space.py", "exec")


def test_trials_lead_on(saved: Path, tmp_path: Path) -> None:
    trials = tmp_path / "trials.csv"
    trials.write_text("recurrent_dropout,val_loss\n0,2.6\n0.2,2.4\n")
    found = data(saved, "--trials", trials)
    assert found["best"]["value"] == 2.4
    first = next(own for own in found["steps"] if own["kind"] == "try")
    assert (first["setting"], first["value"]) == ("recurrent_dropout", 0.4)


def test_a_first_decay_is_the_one_that_advise_gives(saved: Path) -> None:
    steps = {own["setting"]: own for own in data(saved)["steps"]}
    report = json.loads(saved.read_text())
    first = next(own for own in report["findings"] if own["rule"] == "RNN401")
    values = [written(steps[f"{part}_decay"]["value"]) for part in ("kernel", "recurrent")]
    told = "try {} on the kernel and {} on the recurrent kernel".format(*values)
    assert first["advice"][0]["text"].startswith(told)


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["--ignore", "RNN601"], {"RNN202"}),
        (["--select", "RNN202"], {"RNN202"}),
        (["--select", "RNN601", "--threshold", "RNN601.gap=99"], set()),
    ],
)
def test_rules_are_chosen_as_elsewhere(saved: Path, arguments: list[str], left: set[str]) -> None:
    rules = {own["rule"] for step in data(saved, *arguments)["steps"] for own in step["reasons"]}
    assert "RNN601" not in rules
    assert left <= rules


def test_severities_are_chosen_as_elsewhere(saved: Path) -> None:
    chosen = ["--select", "RNN601", "--severity", "RNN601=note"]
    assert data(saved, *chosen)["summary"].startswith("1 note; no error, no warning")


def test_short_helps_are_whole() -> None:
    listed = run("--help").stdout.partition("Commands:")[2]
    assert "..." not in listed
    assert "plan     Say what to try next with CKPT, and what to search." in listed


def test_the_configuration_counts(saved: Path, tmp_path: Path) -> None:
    """What is not asked is not planned for."""
    config = tmp_path / "rnndiag.toml"
    config.write_text('ignore = ["RNN601"]\n')
    rules = {
        reason["rule"]
        for own in data(saved, "--config", config)["steps"]
        for reason in own["reasons"]
    }
    assert "RNN601" not in rules
    assert "RNN202" in rules


def test_no_recurrent_layer_is_3(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "dense.pt"
    torch.save(torch.nn.Linear(3, 2).state_dict(), path)
    result = plan(path, *FAST)
    assert result.exit_code == 3
    told = "PyTorch: no recurrent layer was found, so that there is nothing to plan"
    assert result.stdout.splitlines() == [str(path), told]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.pt"], "no such file"),
        (["{saved}", "--batch", "4"], "has been measured already"),
        (["{saved}", "--trials", "nowhere.csv"], "nowhere.csv"),
        (["{saved}", "--output", "{saved}"], "report.json"),
        (["{saved}", "--format", "toml"], "'toml' is not one of"),
    ],
)
def test_what_is_wrong_is_one_message(saved: Path, arguments: list[str], told: str) -> None:
    result = plan(*(part.format(saved=saved) for part in arguments))
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_several_reports_are_refused(saved: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.json"
    report = json.loads(saved.read_text())
    head = {"schema_version": 1, "rnndiag_version": "0", "exit_code": 0, "unread": []}
    both.write_text(json.dumps({**head, "reports": [report, report]}))
    result = plan(both)
    assert result.exit_code == 2
    assert "2 reports" in result.stderr


def test_a_pipe_gets_plain_text(saved: Path) -> None:
    done = process("plan", saved)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_help_tells_of_statuses_and_formats() -> None:
    text = " ".join(run("plan", "--help").stdout.split())
    for part in (
        "Exit status: 0 a plan was made",
        "json, optuna",
        "--trials",
        "--probe",
        "--seeds",
    ):
        assert part in text
