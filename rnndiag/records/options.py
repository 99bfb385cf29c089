"""What a user chooses about a diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rnndiag.errors import BadOption
from rnndiag.records.judgement import Severity


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything a user can choose about a diagnosis; the command line's options."""

    probe: str | None = None
    probe_key: tuple[str, ...] = ()
    probe_kind: Literal["auto", "normal", "uniform", "onehot", "ids"] = "auto"
    targets: str | None = None
    targets_key: tuple[str, ...] = ()
    loss: str | None = None
    loss_weights: tuple[float, ...] = ()
    """What each output's loss counts; all the same where there are none."""
    timesteps: int | None = None
    batch: int = 16
    seeds: int = 3
    seed: int = 0
    device: str = "auto"
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    windows: int = 1
    alpha: float = 1e-2

    def __post_init__(self) -> None:
        """Raises `BadOption`: the command line is not the only caller."""
        for name in ("batch", "seeds", "windows"):
            if getattr(self, name) < 1:
                raise BadOption(f"{name} is {getattr(self, name)}, but must be at least 1")
        if self.timesteps is not None and self.timesteps < 1:
            raise BadOption(f"timesteps is {self.timesteps}, but must be at least 1")
        if self.seed < 0:
            raise BadOption(f"seed is {self.seed}, but must not be negative")
        if not 0 < self.alpha < 1:
            raise BadOption(f"alpha is {self.alpha}, but must lie between 0 and 1")
        for file in ("probe", "targets"):
            if getattr(self, f"{file}_key") and getattr(self, file) is None:
                hint = f"name the file: --{file} FILE"
                raise BadOption(f"--{file}-key without --{file}", hint)
        if self.probe_kind not in ("auto", "normal", "uniform", "onehot", "ids"):
            raise BadOption(f"probe_kind is {self.probe_kind!r}, which rnndiag cannot make up")
        if self.nonlinearity not in ("tanh", "relu"):
            raise BadOption(f"nonlinearity is {self.nonlinearity!r}, but must be tanh or relu")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Everything a user can choose about a judgement."""

    select: tuple[str, ...] = ()
    """Codes, beginnings of codes or names of the rules that are asked; all where none is."""
    ignore: tuple[str, ...] = ()
    """Those that are not, even if selected."""
    severity: Mapping[str, Severity] = field(default_factory=dict)
    """Code → the severity that its findings are given."""
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Code → threshold name → value."""
    fail_on: Severity | Literal["never"] = "error"
    """The least severity that makes the exit status 1."""
    lag: int | None = None
    """How many timesteps back the task has to remember."""
    profile: Literal["a", "b"] = "a"
    """Whose word counts where the two documents disagree."""
