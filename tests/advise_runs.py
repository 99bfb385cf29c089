"""What the tests of `rnndiag advise` share: calls, small checkpoints, and a measured sample."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from click.testing import CliRunner, Result

from rnndiag.cli import main

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "samples"
FAST = ("--batch", "2", "--seeds", "1", "--timesteps", "6")


def run(*arguments: object) -> Result:
    """The command line in this process, 80 columns wide."""
    env = {"COLUMNS": "80"}
    return CliRunner().invoke(main, [*map(str, arguments)], env=env, catch_exceptions=False)


def advise(*arguments: object) -> Result:
    return run("advise", *arguments)


def judged(*arguments: object, status: int | None = None) -> dict[str, Any]:
    """The report of a call as JSON, whose exit status it states."""
    result = advise(*arguments, "--format", "json")
    assert result.stdout, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    assert report["exit_code"] == result.exit_code
    assert status in (None, result.exit_code)
    return report


def codes(report: dict[str, Any]) -> set[str]:
    return {finding["rule"] for finding in report["findings"]}


def process(
    *arguments: object, cwd: Path | None = None, python: tuple[str, ...] = (), **env: str
) -> subprocess.CompletedProcess[str]:
    """The command line as a process of its own, which finds the package wherever it runs."""
    command = [sys.executable, *python, "-m", "rnndiag", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **env},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def complains(result: Result, *told: object) -> None:
    """One message, status 2: what and where on its first line, what to try on the second."""
    assert result.exit_code == 2, result.output
    assert not result.stdout
    first, *hint = result.stderr.splitlines()
    assert first.startswith("rnndiag: ")
    assert len(hint) <= 1
    assert "internal error" not in first
    for part in told:
        assert str(part) in result.stderr, result.stderr


# ---------------------------------------------------------------- checkpoints


def network(path: Path, **changes: float) -> Path:
    """A small LSTM as a state dict; `changes` replace the first number of a tensor."""
    torch.manual_seed(0)
    tensors = torch.nn.LSTM(5, 4).state_dict()
    for name, value in changes.items():
        tensors[name].view(-1)[0] = value
    torch.save(tensors, path)
    return path


def broken(path: Path) -> Path:
    """The same with a weight that is NaN: an error on any probe."""
    return network(path, weight_hh_l0=np.nan)


def saved(path: Path, report: dict[str, Any], **changes: Any) -> Path:
    """A saved report, with `changes`."""
    path.write_text(json.dumps({**report, **changes}), encoding="utf-8")
    return path


def spans(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The gradient spans of a saved report, to be changed."""
    for layer in report["layers"]:
        yield layer["measurements"]["gradient_span"]
