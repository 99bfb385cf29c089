"""What a configuration says, typed. None is what it does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rnndiag.records import Severity


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What can be said for all checkpoints, or for one; the names are the command line's."""

    probe: str | None = None
    probe_key: tuple[str, ...] | None = None
    probe_kind: str | None = None
    targets: str | None = None
    targets_key: tuple[str, ...] | None = None
    loss: str | None = None
    architecture: str | None = None
    timesteps: int | None = None
    batch: int | None = None
    seeds: int | None = None
    seed: int | None = None
    device: str | None = None
    nonlinearity: str | None = None
    windows: int | None = None
    alpha: float | None = None
    max_memory: int | str | None = None
    lag: int | None = None
    history: Path | None = None
    train_column: str | None = None
    val_column: str | None = None
    series: tuple[str, ...] | None = None
    context: Path | None = None
    trials: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A checkpoint, and what is chosen for it alone."""

    path: str
    """In a configuration this may be a pattern: ``runs/*.pt``."""
    chosen: Chosen = field(default_factory=Chosen)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One configuration file."""

    source: str | None = None
    """The file; None where there is none."""
    checkpoints: tuple[Entry, ...] = ()
    """The plain list first, then those with options of their own."""
    chosen: Chosen = field(default_factory=Chosen)
    """For all checkpoints."""
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    severity: Mapping[str, Severity] = field(default_factory=dict)
    """By the rules' codes."""
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Code → threshold → value."""
    profile: str | None = None
    fail_on: str | None = None
    baseline: Path | None = None
    format: str | None = None
