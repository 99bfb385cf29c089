"""What figures are drawn from, made up of layers' runs: measured and judged as real ones are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from rule_reports import report as healthy

from rnndiag import figures, judging, measurements
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.records import LayerRun, Options, Policy
from rnndiag.reporting import analysed_layer


def subject(
    *runs: LayerRun, lag: int | None = None, options: Options | None = None, **changes: Any
) -> Subject:
    """The figures' subject for the layers that ran; `changes` replace fields of the report."""
    layers = tuple(_layer(run, options or Options()) for run in runs)
    reports = tuple(layer.report for layer in layers)
    report = replace(healthy(), layers=reports, **changes)
    return Subject(report=judging.judge(report, Policy(lag=lag)), layers=layers, lag=lag)


def _layer(run: LayerRun, options: Options) -> Layer:
    own = analysed_layer(run, measurements.measure(run, options))
    return Layer(report=own, run=run)


def draw(module: Any, drawn: Subject) -> list[Picture]:
    """The pictures of one figure; a broken one fails the test."""
    found = list(figures.draw(module, drawn))
    assert all(isinstance(picture, Picture) for picture in found), found
    return [picture for picture in found if isinstance(picture, Picture)]


def lines(picture: Picture, axes: int = 0) -> dict[str, Any]:
    """The lines of one of the axes by their labels."""
    return {str(line.get_label()): line for line in picture.figure.axes[axes].lines}


def words(picture: Picture) -> Iterator[str]:
    """All text that stands on the picture."""
    kinds: Callable[[Any], bool] = lambda artist: hasattr(artist, "get_text")  # noqa: E731
    yield from (artist.get_text() for artist in picture.figure.findobj(kinds))
