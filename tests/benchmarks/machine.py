"""Where and with what the figures were taken."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

import torch

import rnndiag

PACKAGES = ("torch", "keras", "numpy")


def told() -> str:
    """The machine, what else it was doing, and the versions, on one line."""
    versions = [f"{name} {metadata.version(name)}" for name in PACKAGES if _installed(name)]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return "; ".join(
        (
            f"{_processor()}, {os.cpu_count()} cores, peers on {torch.get_num_threads()} threads",
            f"load {load}",
            f"rnndiag {rnndiag.__version__}",
            f"Python {platform.python_version()}",
            *versions,
        )
    )


def _processor() -> str:
    """The model's name as Linux tells it; elsewhere what Python knows."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
