"""The losses of the training run: where validation was best, and where it ended."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rnndiag.figures._style import (
    BLACK,
    BLUE,
    GRAY,
    VERMILION,
    legend,
    log_ticks,
    plain_numbers,
    sheet,
)
from rnndiag.figures.base import Picture, Subject
from rnndiag.records import Array, History

PLACE = 90
TITLE = "Losses"
_DECADE = 10.0
"""Largest over smallest loss from which the axis is logarithmic."""
_DOTS = 60
"""Evaluations up to which each has a dot of its own."""
_DRAWN = 1e250
"""Largest |loss| that axes can show."""


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture of the network's training, where a history tells of it."""
    history = subject.report.history
    if history is not None and any(np.isfinite(own).any() for own in _curves(history)):
        yield _picture(history)


def _picture(history: History) -> Picture:
    train, validation = _curves(history)
    figure, axes = sheet(TITLE, height=3.8)
    _curve(axes, history, train, BLUE, _named("training", history.train_column))
    _curve(axes, history, validation, VERMILION, _named("validation", history.validation_column))
    _scale(axes, np.concatenate([train, validation]), history.axis)
    _marks(axes, history, validation)
    legend(figure, axes, columns=2)
    return Picture(
        name="losses",
        title=TITLE,
        caption=_caption(history, axes.get_yscale() == "log"),
        alt=_alt(history),
        figure=figure,
    )


def _curves(history: History) -> tuple[Array, Array]:
    """Training and validation loss, each as long as the history; NaN where there is none."""
    return _filled(history.train, history), _filled(history.validation, history)


def _filled(losses: Sequence[float | None], history: History) -> Array:
    values = np.full(len(history.epochs), np.nan)
    for place, loss in enumerate(losses[: len(values)]):
        if loss is not None and math.isfinite(loss) and abs(loss) < _DRAWN:
            values[place] = loss
    return values


def _named(what: str, column: str | None) -> str:
    return f"{what} ({column})" if column else what


# ---------------------------------------------------------------- what is drawn


def _curve(axes: Axes, history: History, losses: Array, color: str, label: str) -> None:
    known = np.isfinite(losses)
    if not known.any():
        return
    # One of the two may be evaluated more rarely: its line goes on over the gaps.
    places = np.asarray(history.epochs, float)[known]
    dots = "o" if known.sum() <= _DOTS else ""
    axes.plot(places, losses[known], marker=dots, ms=3.5, color=color, label=label)


def _scale(axes: Axes, losses: Array, axis: str) -> None:
    known = losses[np.isfinite(losses)]
    if known.min() > 0 and known.max() / known.min() >= _DECADE:
        axes.set_yscale("log")
        log_ticks(axes.yaxis)
    plain_numbers(axes.yaxis)
    plain_numbers(axes.xaxis)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.set_xlabel(axis)
    axes.set_ylabel("loss")


def _marks(axes: Axes, history: History, validation: Array) -> None:
    best = _best(validation)
    if best is not None:
        at, loss = history.epochs[best], float(validation[best])
        label = f"best validation {loss:.3g}, {history.axis} {at:g}"
        axes.plot([at], [loss], "o", ms=9, mfc="none", mew=1.8, color=BLACK, label=label)
    end = history.epochs[-1]
    axes.axvline(end, color=GRAY, ls="--", lw=1.2, label=f"ends at {history.axis} {end:g}")
    if history.not_finite:
        label = "training loss NaN or infinite"
        top = np.full(len(history.not_finite), 0.97)
        place = axes.get_xaxis_transform()
        axes.plot(history.not_finite, top, "x", ms=8, color=BLACK, transform=place, label=label)


def _best(validation: Array) -> int | None:
    return int(np.nanargmin(validation)) if np.isfinite(validation).any() else None


# ---------------------------------------------------------------- what is said


def _caption(history: History, log: bool) -> str:
    scale = " on a log axis" if log else ""
    told = _READING if any(loss is not None for loss in history.validation) else _NO_VALIDATION
    broken = " A cross stands where the training loss was no number." if history.not_finite else ""
    return f"Losses over the training run{scale}, from {Path(history.source).name}. {told}{broken}"


_READING = (
    "Training loss that goes on falling while validation loss rises is overfitting; the circle "
    "is the lowest validation loss."
)
_NO_VALIDATION = "It has no validation loss: how the network does on new data is not seen."


def _alt(history: History) -> str:
    train, validation = _curves(history)
    told = [f"{len(history.epochs)} evaluations to {history.axis} {history.epochs[-1]:g}"]
    for name, losses in (("training", train), ("validation", validation)):
        known = losses[np.isfinite(losses)]
        if known.size:
            told.append(f"{name} loss from {known[0]:.3g} to {known[-1]:.3g}")
    best = _best(validation)
    if best is not None:
        told.append(
            f"best validation {validation[best]:.3g} at {history.axis} {history.epochs[best]:g}"
        )
    if history.not_finite:
        told.append(f"{len(history.not_finite)} NaN or infinite")
    return f"Line plot: {'; '.join(told)}."
