"""The facts of a file by where they came from and by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from rnndiag.records import Setting, TrainingFact

T = TypeVar("T")
_GROUPS = ".param_groups["
_HYPER = ("hyper_parameters", "hyperparameters", "hparams", "args", "config", "cfg")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The training facts of a report that are not of a single Keras layer."""

    optimizer: tuple[TrainingFact, ...]
    """Of a PyTorch optimizer's parameter groups."""
    parameters: tuple[TrainingFact, ...]
    """Of single parameters."""
    stored: tuple[TrainingFact, ...]
    """Keras's compile settings, and what else stands beside the weights."""
    chosen: tuple[TrainingFact, ...]
    """Hyper-parameters: what the training was started with, under names of the user's own."""


def sort(training: Iterable[TrainingFact]) -> Facts:
    """The facts by their sources."""
    facts = [fact for fact in training if fact.layer is None]
    whole = [fact for fact in facts if fact.parameter is None]
    groups = [fact for fact in whole if _GROUPS in fact.source]
    rest = [fact for fact in whole if _GROUPS not in fact.source]
    return Facts(
        optimizer=tuple(groups),
        parameters=tuple(fact for fact in facts if fact.parameter is not None),
        stored=tuple(fact for fact in rest if fact.source not in _HYPER),
        chosen=tuple(fact for fact in rest if fact.source in _HYPER),
    )


def named(
    facts: Sequence[TrainingFact], names: Sequence[str], convert: Callable[[Any], T | None]
) -> Setting[T] | None:
    """The first fact with one of `names`, the earlier names first, whose value converts.

    Hyper-parameters of sections count by the last part of their path: ``optim.lr`` is ``lr``.
    """
    for name in names:
        for fact in facts:
            if _last(fact.name) == name:
                value = convert(fact.value)
                if value is not None:
                    return Setting(value=value, source=fact.source)
    return None


def _last(name: str) -> str:
    return name.rpartition(".")[2].lower().replace("-", "_")
