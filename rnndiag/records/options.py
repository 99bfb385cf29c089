"""What a user chooses about a diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rnndiag import memory
from rnndiag.errors import BadOption
from rnndiag.records.judgement import SEVERITIES, Severity


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
    architecture: str | None = None
    """A JSON file with the configuration of Keras weights that came without one."""
    model: str | None = None
    """``package.module:factory`` or ``path/to/file.py:factory``: the user's own network."""
    unsafe_load: bool = False
    """Whether a pickle's own code may run; never taken from a configuration file."""
    timesteps: int | None = None
    batch: int = 16
    seeds: int = 3
    seed: int = 0
    device: str = "auto"
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    windows: int = 1
    alpha: float = 1e-2
    max_memory: int | str | None = None
    """What the checkpoint may make rnndiag take, in bytes or as ``2GB``; None for the default."""

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
        if self.max_memory is not None:
            memory.parse(self.max_memory)
        if self.probe_kind not in ("auto", "normal", "uniform", "onehot", "ids"):
            raise BadOption(f"probe_kind is {self.probe_kind!r}, which rnndiag cannot make up")
        if self.nonlinearity not in ("tanh", "relu"):
            raise BadOption(f"nonlinearity is {self.nonlinearity!r}, but must be tanh or relu")
        self._check_pairs()

    def _check_pairs(self) -> None:
        for file in ("probe", "targets"):
            if getattr(self, f"{file}_key") and getattr(self, file) is None:
                hint = f"name the file: --{file} FILE"
                raise BadOption(f"--{file}-key without --{file}", hint)
        if self.model is not None and self.unsafe_load:
            hint = "--model reads the file as data and runs none of its code; leave the other out"
            raise BadOption("--unsafe-load beside --model", hint)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Everything a user can choose about a judgement."""

    select: tuple[str, ...] = ()
    """Codes, beginnings of codes or names of the rules that are asked; all where none is."""
    ignore: tuple[str, ...] = ()
    """Those that are not, even if selected."""
    severity: Mapping[str, Severity] = field(default_factory=dict)
    """Code or name of a rule → the severity that its findings are given."""
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Code or name of a rule → threshold name → value."""
    fail_on: Severity | Literal["never"] = "error"
    """The least severity that makes the exit status 1."""
    lag: int | None = None
    """How many timesteps back the task has to remember."""
    profile: Literal["a", "b"] = "a"
    """Whose word counts where the two documents disagree."""

    def __post_init__(self) -> None:
        """Raises `BadOption`; whether there are such rules and thresholds is judging's to say."""
        levels = (*SEVERITIES, "never")
        if self.fail_on not in levels:
            raise BadOption(f"fail_on is {self.fail_on!r}", f"one of {', '.join(levels)}")
        if self.profile not in ("a", "b"):
            raise BadOption(f"profile is {self.profile!r}, but must be a or b")
        if self.lag is not None and (not isinstance(self.lag, int) or self.lag < 1):
            raise BadOption(f"lag is {self.lag!r}, but must be a whole number of at least 1")
        for name in ("select", "ignore"):
            # Of a text, every character would be taken for a rule.
            if isinstance(getattr(self, name), str):
                hint = f"several rules: {name}=({getattr(self, name)!r},)"
                raise BadOption(f"{name} is a text", hint)
        for rule, level in self.severity.items():
            if level not in SEVERITIES:
                told = f"the severity of {rule} is {level!r}"
                raise BadOption(told, f"one of {', '.join(SEVERITIES)}")
