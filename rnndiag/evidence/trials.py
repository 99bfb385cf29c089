"""Trials: settings that were tried and what came of them, from CSV or JSON.

Settings with a known meaning get one name and one type, whatever the file calls them; every other
column is kept as it is. A metric that is not finite counts as the worst there can be: the
training diverged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnndiag.errors import BadOption
from rnndiag.evidence import json_records, tabular
from rnndiag.evidence.tabular import Row, Table, words
from rnndiag.records import Trial, Trials

_SHARES = {
    "dropout": {"dropout", "dropout rate", "input dropout", "kernel dropout"},
    "recurrent_dropout": {"recurrent dropout", "rec dropout", "recurrent dropout rate"},
    "zoneout": {"zoneout", "zoneout rate"},
}
_AMOUNTS = {
    "kernel_decay": {"kernel decay", "kernel weight decay", "kernel l2", "kernel regularizer"},
    "recurrent_decay": {
        *("recurrent decay", "recurrent weight decay", "recurrent l2", "recurrent regularizer"),
        *("recurrent kernel decay", "recurrent kernel l2"),
    },
    "bias_decay": {"bias decay", "bias weight decay", "bias l2", "bias regularizer"},
    "weight_decay": {"weight decay", "wd", "l2"},
    "learning_rate": {"learning rate", "lr"},
}
_SWITCHES = {
    "batch_normalization": {"batch normalization", "batch norm", "batchnorm", "bn"},
    "recurrent_batch_normalization": {
        *("recurrent batch normalization", "recurrent batch norm", "recurrent batchnorm"),
        *("recurrent bn", "rbn"),
    },
    "layer_normalization": {"layer normalization", "layer norm", "layernorm", "ln"},
}
_NAMES = {
    alias: name
    for table in (_SHARES, _AMOUNTS, _SWITCHES)
    for name, aliases in table.items()
    for alias in aliases
}
_WRAPPERS = ("settings", "params", "config", "hparams", "hyperparameters", "user attrs", "use")
"""What stands before names: Optuna writes ``params_dropout``, Ray Tune ``config/dropout``."""

_METRICS = {
    **dict.fromkeys(("loss", "nll", "cross entropy", "bpc", "perplexity", "ppl"), True),
    **dict.fromkeys(("error", "err", "mse", "rmse", "mae", "wer", "cer"), True),
    **dict.fromkeys(("accuracy", "acc", "f1", "f1 score", "auc", "r2", "bleu", "score"), False),
    **dict.fromkeys(("metric", "objective", "value", "result"), True),
}
"""Metric → whether lower is better; the first that a file has counts."""
_DATA = (
    {"val", "valid", "validation", "dev", "eval", "evaluation"},
    set[str](),
    {"test", "testing"},
)
"""Of which data a metric is: validation before what is not said, that before the test set."""
_TRAINING = {"train", "training"}
_SAY_NOTHING = {"best", "final", "min", "max", "mean", "avg"}


@dataclass(frozen=True, kw_only=True)
class _Metric:
    column: str
    lower_is_better: bool
    rank: tuple[int, int]
    """Lower counts before higher."""


def read(path: Path) -> Trials:
    """The trials of a CSV with a header, a JSON list of objects, or JSON lines.

    JSON may hold ``{"trials": […], "metric": NAME, "lower_is_better": BOOL}`` too. Raises
    `BadOption` where the file is damaged, has no metric, or a trial makes no sense.
    """
    table, said = _table(path)
    metric = _metric(path, table, said)
    names = dict(_setting_names(path, table, metric))
    trials = [
        _trial(f"{path}: trial {place}", row, names, metric)
        for place, row in enumerate(table.rows, 1)
    ]
    if not trials:
        raise BadOption(f"{path}: no trials", "one line, or one object, for each")
    return Trials(
        source=str(path),
        trials=tuple(trials),
        metric=metric.column,
        lower_is_better=metric.lower_is_better,
    )


def _table(path: Path) -> tuple[Table, Mapping[str, Any]]:
    """The rows, and what a JSON file says beside them."""
    text = tabular.text_of(path)
    said: Mapping[str, Any] = {}
    if json_records.is_json(text):
        content = json_records.load(path, text)
        rows = json_records.unwrapped(content.value, ("trials", "results"))
        said = content.value if rows is not content.value else {}
        table = json_records.records(json_records.Content(value=rows, notes=content.notes))
    else:
        table = tabular.delimited(path, text)
    if table.notes:
        # A trial more or less, or a setting in the wrong column, would mislead the ladders.
        raise BadOption(f"{path}: {table.notes[0]}", "trials have to be whole: repair the file")
    return table, said


def _metric(path: Path, table: Table, said: Mapping[str, Any]) -> _Metric:
    named, lower = said.get("metric"), said.get("lower_is_better")
    if lower is not None and not isinstance(lower, bool):
        raise BadOption(f"{path}: lower_is_better is {lower!r}", "it must be true or false")
    if named is None:
        found = [metric for name in table.columns if (metric := _as_metric(name))]
        best = min(found, key=lambda metric: metric.rank, default=None)
    else:
        best = _named_metric(path, table, named)
    if best is None:
        raise BadOption(
            f"{path}: no metric among its columns: {table.listed()}",
            "each trial needs one of validation data, for example val_loss or val_accuracy",
        )
    chosen = best.lower_is_better if lower is None else lower
    return _Metric(column=best.column, lower_is_better=chosen, rank=best.rank)


def _named_metric(path: Path, table: Table, named: object) -> _Metric:
    if not isinstance(named, str) or named not in table.columns:
        raise BadOption(f"{path}: no trial has the metric {named!r}", f"known: {table.listed()}")
    return _as_metric(named) or _Metric(column=named, lower_is_better=True, rank=(0, 0))


def _as_metric(column: str) -> _Metric | None:
    """A column as a metric of anything but training data; None where it is none."""
    spoken = _spoken(column)
    for place, data in enumerate(_DATA):
        rest = " ".join(word for word in spoken if word not in data)
        if rest in _METRICS and data.isdisjoint(spoken) == (not data):
            rank = (place, list(_METRICS).index(rest))
            return _Metric(column=column, lower_is_better=_METRICS[rest], rank=rank)
    return None


def _is_training_metric(column: str) -> bool:
    spoken = _spoken(column)
    rest = [word for word in spoken if word not in _TRAINING]
    return len(rest) < len(spoken) and " ".join(rest) in _METRICS


def _spoken(column: str) -> list[str]:
    return [word for word in _bare(column).split() if word not in _SAY_NOTHING]


def _setting_names(path: Path, table: Table, metric: _Metric) -> Iterator[tuple[str, str]]:
    """Column → setting, for every column that is no metric."""
    taken: dict[str, str] = {}
    for column in table.columns:
        # Other metrics differ from trial to trial; as settings they would make all incomparable.
        if column == metric.column or _as_metric(column) or _is_training_metric(column):
            continue
        name = _setting_name(column)
        if name in taken:
            told = (
                f"{path}: the columns {taken[name]!r} and {column!r} are the same setting, {name}"
            )
            raise BadOption(told, "remove or rename one")
        taken[name] = column
        yield column, name


def _setting_name(column: str) -> str:
    """The one name of a known setting; of any other its own."""
    return _NAMES.get(_bare(column), column)


def _bare(column: str) -> str:
    """A column's words without what tools put before them."""
    spoken = " ".join(words(column)).replace("normalisation", "normalization")
    for wrapper in _WRAPPERS:
        spoken = spoken.removeprefix(f"{wrapper} ")
    return spoken


def _trial(where: str, row: Row, names: Mapping[str, str], metric: _Metric) -> Trial:
    try:
        value = tabular.number(row.get(metric.column))
    except ValueError as error:
        raise BadOption(f"{where}: {metric.column}: {error}", "a metric is a number") from error
    if value is None:
        told = "remove the trial, or write nan if it diverged"
        raise BadOption(f"{where}: has no {metric.column}", told)
    if not math.isfinite(value):
        value = math.inf if metric.lower_is_better else -math.inf
    cells = ((name, row.get(column)) for column, name in names.items())
    settings = {name: _value(where, name, cell) for name, cell in cells if not _is_missing(cell)}
    return Trial(settings=settings, metric=value)


def _is_missing(cell: object) -> bool:
    try:
        return tabular.number(cell) is None
    except ValueError:
        return False


def _value(where: str, name: str, cell: object) -> object:
    """A cell as what its setting is: a rate, a switch, or whatever it is."""
    if name in _SWITCHES:
        return _switch(where, name, cell)
    if name not in _SHARES and name not in _AMOUNTS:
        return _plain(cell)
    try:
        # JSON's false is a fair way to say that there is no dropout; true says too little.
        rate = 0.0 if cell is False else tabular.number(cell)
    except ValueError as error:
        raise BadOption(f"{where}: {name}: {error}", "write it as a number") from error
    most = 1.0 if name in _SHARES else math.inf
    if rate is None or not 0 <= rate < most:
        limits = "from 0 to below 1" if name in _SHARES else "0 or more"
        raise BadOption(f"{where}: {name} is {rate:g}", f"it must be {limits}")
    return rate


_ON, _OFF = {"1", "1.0", "true", "yes", "on"}, {"0", "0.0", "false", "no", "off"}


def _switch(where: str, name: str, cell: object) -> bool:
    said = str(cell).strip().lower()
    if said not in _ON | _OFF:
        raise BadOption(f"{where}: {name} is {cell!r}", "it must be true or false")
    return said in _ON


def _plain(cell: object) -> object:
    """Text that is a number as that number, so that 64 and 64.0 are equal."""
    try:
        return tabular.number(cell)
    except ValueError:
        return cell.strip() if isinstance(cell, str) else cell
