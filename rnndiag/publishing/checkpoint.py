"""The page on one checkpoint: verdict, findings, and every layer with its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rnndiag.outputs.judged import ordered, summary
from rnndiag.publishing.base import Page, Section, Shown, Table
from rnndiag.records import SEVERITIES, Finding, LayerReport, Outcome, Report
from rnndiag.wording import (
    NOTHING,
    byte_count,
    counted,
    half_life,
    number,
    percent,
    title,
    written_by,
)

_MEASURED = "RNN4"
"""Behind the last family of rules that rest on measurements; settings and options follow."""


def page(
    report: Report,
    shown: Sequence[tuple[LayerReport | None, Shown]],
    broken: Sequence[str] = (),
) -> Page:
    """What is told of a judged `report`, with the pictures of each layer and of the network.

    `broken` says which figures could not be drawn.
    """
    return Page(
        title=Path(report.checkpoint.path).name,
        about=tuple(_about(report)),
        verdict=summary(Outcome(reports=(report,))),
        sections=tuple(_sections(report, shown, broken)),
    )


def _about(report: Report) -> Iterator[str]:
    file, probe = report.checkpoint, report.probe
    yield (
        f"{written_by(file)}, {file.format}, {byte_count(file.bytes)}, "
        f"{file.parameters:,} parameters, SHA-256 {file.sha256[:16]}…"
    )
    if any(layer.analysed for layer in report.layers):
        source = {"synthetic": "made-up probe", "file": "probe from a file"}[probe.source]
        yield (
            f"{source}: {counted(probe.batch, 'sample')}"
            + (f" × {probe.seeds} seeds" if probe.seeds > 1 else "")
            + f", {counted(probe.timesteps, 'timestep')}; {probe.wiring} wiring"
            + (f"; loss {number(probe.loss, 4)}" if probe.loss is not None else "")
        )


def _sections(
    report: Report, shown: Sequence[tuple[LayerReport | None, Shown]], broken: Sequence[str]
) -> Iterator[Section]:
    whole = tuple(own for layer, own in shown if layer is None)
    if whole:
        yield Section(title="At a glance", pictures=whole[:1])
    findings = tuple(sorted(ordered(report), key=_urgency))
    said = () if findings else ("No rule found anything to change.",)
    layers = [layer for layer in report.layers if layer.analysed]
    if layers:
        yield Section(title="Findings", text=said, findings=findings)
        yield Section(title="Layers", tables=(_table(layers),))
    for layer in layers:
        own = tuple(picture for of, picture in shown if of is layer)
        yield Section(title=title(layer), text=_of_layer(layer), pictures=own)
    if whole[1:]:
        yield Section(title="The network and its training", pictures=whole[1:])
    remarks = tuple(_remarks(report, broken))
    if remarks:
        yield Section(title="To keep in mind", points=remarks)


def _urgency(finding: Finding) -> tuple[bool, int, bool]:
    """What was measured stands before what settings are like, where both are as severe."""
    return finding.known, SEVERITIES.index(finding.severity), finding.rule > _MEASURED


def _of_layer(layer: LayerReport) -> tuple[str, ...]:
    told = f"{layer.kind}, {layer.input_size} inputs, {counted(layer.hidden_size or 0, 'unit')}."
    if layer.reason is None:
        return (told,)
    return (told, f"Fed with noise, apart from the network: {layer.reason}.")


_COLUMNS = ("layer", "cell", "span", "half-life", "dead", "extreme", "R/K", "b/K")


def _table(layers: Sequence[LayerReport]) -> Table:
    return Table(
        columns=_COLUMNS,
        rows=tuple(_row(layer) for layer in layers),
        caption="Span and half-life in timesteps; dead and extreme as shares of the units and "
        "of their values; R/K and b/K compare root mean squares, b/K without the gates whose "
        "biases are set by initialisation.",
    )


def _row(layer: LayerReport) -> tuple[str, ...]:
    span, units = layer.fact("gradient_span"), layer.fact("unit_activity")
    norms = layer.fact("weight_norms")
    return (
        title(layer),
        f"{layer.kind} {layer.hidden_size}",
        f"{'≥ ' if span.censored else ''}{span.span} of {span.timesteps}" if span else NOTHING,
        half_life(span) if span else NOTHING,
        percent(units.dead_share) if units else NOTHING,
        percent(units.extreme_share) if units else NOTHING,
        number(norms.recurrent_kernel_ratio) if norms else NOTHING,
        number(norms.bias_kernel_ratio) if norms else NOTHING,
    )


def _remarks(report: Report, broken: Sequence[str]) -> Iterator[str]:
    for layer in report.layers:
        if not layer.analysed:
            yield f"{title(layer)} ({layer.kind}) is not analysed: {layer.reason}"
    yield from report.settings.conflicts if report.settings else ()
    yield from report.notes
    if report.probe.source == "synthetic":
        yield "The probe was made up: what depends on data is no error. Give --probe FILE."
    yield from broken
