"""Whole processes: what one costs in time, and in memory at its peak."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMPORT_TORCH = ("-c", "import torch")
_PEAK = Path(__file__).with_name("peak.py")
_ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
"""Modules are compiled by the first run, as those of an installed package are."""


def run(*arguments: str) -> None:
    """Run Python from the repository; what it prints is nobody's, unless it fails."""
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=ROOT, env=_ENVIRONMENT, check=True, capture_output=True)


def rnndiag(*arguments: str) -> tuple[str, ...]:
    """The arguments that make Python run rnndiag."""
    return "-m", "rnndiag", *arguments


def user_seconds() -> float:
    """A clock of the processor time that ended children took: waiting for others is no part."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def peak_memory(arguments: Sequence[str]) -> int:
    """Bytes that Python held at its peak while it ran `arguments`.

    A process that is started from a large one counts that one's memory as its own peak, so
    that a small one stands between.
    """
    command = [sys.executable, "-S", str(_PEAK), sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=_ENVIRONMENT, check=True, capture_output=True, text=True
    )
    found: int = json.loads(done.stdout)
    return found
