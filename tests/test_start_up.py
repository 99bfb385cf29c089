"""What a command imports before it answers: no more than it uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
import torch
from advise_runs import ROOT, run

from rnndiag.cli import COMMANDS, main

HEAVY = ("torch", "h5py", "matplotlib", "safetensors")
FAST = ("--batch", "2", "--seeds", "1", "--timesteps", "6")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved report of a small LSTM."""
    here = tmp_path_factory.mktemp("saved")
    torch.save(torch.nn.LSTM(5, 4).state_dict(), here / "model.pt")
    path = here / "report.json"
    made = run("advise", here / "model.pt", *FAST, "--format", "json", "--output", path)
    assert path.is_file(), made.stderr
    return path


def imported(*arguments: object, of: tuple[str, ...]) -> list[str]:
    """Which of the modules a call of the command line has imported, in a process of its own."""
    code = (
        "import sys\nfrom rnndiag.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert end.code in (0, 1)\n"
        f"print('imported', *(name for name in {of!r} if name in sys.modules))\n"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()[1:]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_page_says_what_each_command_says_of_itself(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(limit=1000) == COMMANDS[name]


def test_every_command_is_on_the_first_page() -> None:
    """A file of ``cli/`` that defines a command of its own name is one."""
    files = {path.stem: path for path in (ROOT / "rnndiag/cli").glob("[a-z]*.py")}
    held = {name for name, path in files.items() if f"\ndef {name}(" in path.read_text("utf-8")}
    assert held == set(COMMANDS)


def test_an_unknown_command_is_told() -> None:
    result = run("inspekt")
    assert result.exit_code == 2
    assert "No such command 'inspekt'" in result.stderr


def test_the_first_page_imports_no_command() -> None:
    commands = tuple(f"rnndiag.cli.{name}" for name in COMMANDS)
    assert imported("--help", of=(*HEAVY, "numpy", "rich", *commands)) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_help_imports_nothing_heavy(name: str) -> None:
    assert imported(name, "--help", of=(*HEAVY, "numpy", "rich")) == []


@pytest.mark.parametrize("command", ["advise", "plan", "compare"])
def test_a_saved_report_needs_none_of_what_reads_checkpoints(command: str, report: Path) -> None:
    reports = [report, report] if command == "compare" else [report]
    assert imported(command, *reports, of=HEAVY) == []


def test_who_hands_out_the_work_of_a_sweep_imports_nothing_heavy(report: Path) -> None:
    checkpoint, rows = report.with_name("model.pt"), report.with_name("rows")
    assert imported("sweep", checkpoint, "-o", rows, *FAST, "-q", of=(*HEAVY, "numpy")) == []


def test_inspect_imports_only_what_it_uses(report: Path) -> None:
    """Of a PyTorch file nothing of Keras's, and of the formats of output the chosen one."""
    unused = ("h5py", "matplotlib", "rnndiag.rules.stuck_gates", "rnndiag.outputs.reports.junit")
    checkpoint = report.with_name("model.pt")
    assert imported("inspect", checkpoint, *FAST, "-q", of=("torch", *unused)) == ["torch"]
