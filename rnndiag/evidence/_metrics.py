"""Which column of trials is their metric, and whether a lower one is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnndiag.errors import BadOption
from rnndiag.evidence.tabular import Table, words

_WRAPPERS = ("settings", "params", "config", "hparams", "hyperparameters", "user attrs", "use")
"""What stands before names: Optuna writes ``params_dropout``, Ray Tune ``config/dropout``."""
_LOWER: Mapping[str, bool | None] = {
    **dict.fromkeys(("loss", "nll", "cross entropy", "bpc", "perplexity", "ppl"), True),
    **dict.fromkeys(("error", "err", "mse", "rmse", "mae", "wer", "cer"), True),
    **dict.fromkeys(("accuracy", "acc", "f1", "f1 score", "auc", "r2", "bleu", "score"), False),
    # Optuna's CSV has the same ``value`` whether a study minimised or maximised it.
    **dict.fromkeys(("metric", "objective", "value", "result"), None),
}
"""Metric → whether lower is better, None where its name does not tell; the first that a file
has counts."""
_DATA = (
    {"val", "valid", "validation", "dev", "eval", "evaluation"},
    set[str](),
    {"test", "testing"},
)
"""Of which data a metric is: validation before what is not said, that before the test set."""
_TRAINING = {"train", "training"}
_SAY_NOTHING = {"best", "final", "min", "max", "mean", "avg"}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What the trials are compared by."""

    column: str
    lower_is_better: bool


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    column: str
    lower_is_better: bool | None
    """None where the name does not tell."""
    rank: tuple[int, int] = (0, 0)
    """Lower counts before higher."""


def chosen(path: Path, table: Table, said: Mapping[str, Any]) -> Metric:
    """The column that a JSON file has `said`, or the best by its name.

    Raises `BadOption` where there is none, or where nothing tells which way it is better.
    """
    named, lower = said.get("metric"), said.get("lower_is_better")
    if lower is not None and not isinstance(lower, bool):
        raise BadOption(f"{path}: lower_is_better is {lower!r}", "it must be true or false")
    best = _first(table) if named is None else _named(path, table, named)
    if best is None:
        raise BadOption(
            f"{path}: no metric among its columns: {table.listed()}",
            "each trial needs one of validation data, for example val_loss or val_accuracy",
        )
    direction = best.lower_is_better if lower is None else lower
    if direction is None:
        raise BadOption(
            f"{path}: does not tell whether a lower or a higher {best.column} is better",
            "rename the column: val_loss where lower is better, val_accuracy where higher is; or "
            'give JSON with "lower_is_better"',
        )
    return Metric(column=best.column, lower_is_better=direction)


def is_metric(column: str) -> bool:
    """Whether a column is a metric of any data, training data included."""
    return _candidate(column) is not None or _is_of_training(column)


def bare(column: str) -> str:
    """A column's words without what tools put before them."""
    spoken = " ".join(words(column)).replace("normalisation", "normalization")
    for wrapper in _WRAPPERS:
        spoken = spoken.removeprefix(f"{wrapper} ")
    return spoken


def _first(table: Table) -> _Candidate | None:
    found = [metric for name in table.columns if (metric := _candidate(name))]
    return min(found, key=lambda metric: metric.rank, default=None)


def _named(path: Path, table: Table, named: object) -> _Candidate:
    if not isinstance(named, str) or named not in table.columns:
        raise BadOption(f"{path}: no trial has the metric {named!r}", f"known: {table.listed()}")
    return _candidate(named) or _Candidate(column=named, lower_is_better=None)


def _candidate(column: str) -> _Candidate | None:
    """A column as a metric of anything but training data; None where it is none."""
    spoken = _spoken(column)
    for place, data in enumerate(_DATA):
        rest = " ".join(word for word in spoken if word not in data)
        if rest in _LOWER and data.isdisjoint(spoken) == (not data):
            rank = (place, list(_LOWER).index(rest))
            return _Candidate(column=column, lower_is_better=_LOWER[rest], rank=rank)
    return None


def _is_of_training(column: str) -> bool:
    spoken = _spoken(column)
    rest = [word for word in spoken if word not in _TRAINING]
    return len(rest) < len(spoken) and " ".join(rest) in _LOWER


def _spoken(column: str) -> list[str]:
    return [word for word in bare(column).split() if word not in _SAY_NOTHING]
