"""Histories built by hand, and reports with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rule_reports import report

from rnndiag.records import History, LayerSettings, Report, Setting, Settings


def history(
    train: Sequence[float | None], validation: Sequence[float | None] = (), **changes: Any
) -> History:
    """Losses of epochs 0, 1, 2 and so on."""
    count = max(len(train), len(validation))
    return History(
        **{
            "source": "log.csv",
            "epochs": tuple(map(float, range(count))),
            "axis": "epoch",
            "train": tuple(train),
            "validation": tuple(validation),
            **changes,
        }
    )


def trained(
    train: Sequence[float | None],
    validation: Sequence[float | None] = (),
    settings: Settings | None = None,
    **changes: Any,
) -> Report:
    """A report with such a history."""
    return report(history=history(train, validation, **changes), settings=settings)


def known(value: Any, source: str = "run.toml") -> Setting[Any]:
    """A setting that is known."""
    return Setting(value=value, source=source)


def of_layer(**settings: Any) -> Settings:
    """Settings in which this is known of the layer of `rule_reports`."""
    found = {name: known(value) for name, value in settings.items()}
    return Settings(layers={"lstm": LayerSettings(**found)})
