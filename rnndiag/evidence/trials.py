"""Trials: settings that were tried and what came of them, from CSV or JSON.

Settings with a known meaning get one name and one type, whatever the file calls them; every other
column is kept as it is, but for what numbers and dates the trials. A metric that is not finite
counts as the worst there can be: the training diverged. Of Optuna's ``trials_dataframe()`` the
trials count that came to their end.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rnndiag.errors import BadOption
from rnndiag.evidence import json_records, tabular
from rnndiag.evidence._metrics import Metric, bare, chosen, is_metric
from rnndiag.evidence.tabular import Row, Table
from rnndiag.records import Trial, Trials
from rnndiag.wording import counted

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
_UNFINISHED = {"RUNNING", "WAITING", "PRUNED", "FAIL"}
"""Optuna's states of trials whose metric is none, or one from before the end."""
_NAMES = {
    alias: name
    for table in (_SHARES, _AMOUNTS, _SWITCHES)
    for name, aliases in table.items()
    for alias in aliases
}


def read(path: Path) -> Trials:
    """The trials of a CSV with a header, a JSON list of objects, or JSON lines.

    JSON may hold ``{"trials": […], "metric": NAME, "lower_is_better": BOOL}`` too. Raises
    `BadOption` where the file is damaged, has no metric, does not tell which of its values are
    better, or a trial makes no sense.
    """
    table, said = _table(path)
    table, notes = _completed(table)
    metric = chosen(path, table, said)
    names = dict(_setting_names(path, table, metric))
    trials = [
        _trial(f"{path}: trial {place}", row, names, metric)
        for place, row in enumerate(table.rows, 1)
    ]
    if not trials:
        told = "; ".join((f"{path}: no trials", *notes))
        raise BadOption(told, "one line, or one object, for each")
    return Trials(
        source=str(path),
        trials=tuple(trials),
        metric=metric.column,
        lower_is_better=metric.lower_is_better,
        notes=notes,
    )


def _completed(table: Table) -> tuple[Table, tuple[str, ...]]:
    """The trials that Optuna's ``state`` does not call unfinished, and notes on the others."""
    states = [str(row.get("state", "")).rpartition(".")[-1].upper() for row in table.rows]
    left = Counter(state for state in states if state in _UNFINISHED)
    rows = tuple(
        row for row, state in zip(table.rows, states, strict=True) if state not in _UNFINISHED
    )
    notes = (f"{counted(count, 'trial')} left out: {state}" for state, count in left.items())
    return replace(table, rows=rows), tuple(notes)


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


def _setting_names(path: Path, table: Table, metric: Metric) -> Iterator[tuple[str, str]]:
    """Column → setting, for every column that is no metric."""
    taken: dict[str, str] = {}
    for column in table.columns:
        # Other metrics differ from trial to trial; as settings they would make all incomparable.
        if column == metric.column or is_metric(column) or _is_beside(column):
            continue
        name = _setting_name(column)
        if name in taken:
            told = (
                f"{path}: the columns {taken[name]!r} and {column!r} are the same setting, {name}"
            )
            raise BadOption(told, "remove or rename one")
        taken[name] = column
        yield column, name


def _is_beside(column: str) -> bool:
    """Whether a column is about the trial itself, or what Optuna keeps beside its settings."""
    return tabular.is_bookkeeping(column) or column.startswith(("user_attrs_", "system_attrs_"))


def _setting_name(column: str) -> str:
    """The one name of a known setting; of any other its own, without Optuna's prefix."""
    return _NAMES.get(bare(column), column.removeprefix("params_"))


def _trial(where: str, row: Row, names: Mapping[str, str], metric: Metric) -> Trial:
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
