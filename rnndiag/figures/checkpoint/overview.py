"""The verdict at a glance: how far each layer reaches, and what the rules say of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rnndiag.figures._style import BLACK, BLUE, GRAY, PURPLE, SEVERITIES, sheet
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.outputs.judged import judgement, summary
from rnndiag.records import Finding, Outcome
from rnndiag.rules.base import FAMILIES
from rnndiag.wording import counted, title

PLACE = 0
_MOST_LAYERS = 10
_ROW = 0.42
"""Inches a layer takes."""
_MARKS = {"error": "!!", "warning": "!", "note": "i", "passed": "✓", "unsaid": "–"}
"""Beside the colors, for those who do not see them and for print."""
_NETWORK = "network"


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for the whole network; none where no layer was analysed."""
    if not subject.layers:
        return
    layers = _worst(subject)
    figure, (reach, said) = sheet(
        f"{Path(subject.report.checkpoint.path).name}: {_verdict(subject)}",
        columns=2,
        height=1.6 + _ROW * (len(layers) + 1),
        sharey=True,
        width_ratios=(1.15, 1),
    )
    _reach(reach, layers, subject.lag)
    _said(said, subject, layers)
    yield Picture(
        name="overview",
        title="At a glance",
        caption=_caption(subject, layers),
        alt=_alt(subject, layers),
        figure=figure,
    )


def _verdict(subject: Subject) -> str:
    return summary(Outcome(reports=(subject.report,)))


def _worst(subject: Subject) -> list[Layer]:
    """In the network's order; of many layers those with the most and worst findings."""
    order = list(subject.layers)
    worst = sorted(order, key=lambda layer: [-n for n in _counts(subject, layer)])
    kept = {id(layer) for layer in worst[:_MOST_LAYERS]}
    return [layer for layer in order if id(layer) in kept]


def _counts(subject: Subject, layer: Layer) -> tuple[int, ...]:
    """Errors, warnings and notes on a layer."""
    found = [own.severity for own in _of(subject, layer)]
    return tuple(found.count(severity) for severity in ("error", "warning", "note"))


def _of(subject: Subject, layer: Layer | None) -> list[Finding]:
    """What was found at a layer; None stands for the network as a whole."""
    findings = judgement(subject.report).findings
    if layer is None:
        return [own for own in findings if own.layer is None]
    return [own for own in findings if _is_at(own, layer)]


def _is_at(own: object, layer: Layer) -> bool:
    report = layer.report
    place = (getattr(own, name) for name in ("layer", "direction", "call"))
    return tuple(place) == (report.id, report.direction, report.call)


# ---------------------------------------------------------------- the two panels


def _reach(axes: Axes, layers: Sequence[Layer], lag: int | None) -> None:
    """A bar for each span, on a track as long as the probe."""
    for row, layer in enumerate(layers):
        span = layer.report.fact("gradient_span")
        if span is None:
            axes.text(0, row, " not measured", va="center", color=GRAY)
            continue
        axes.barh(row, span.timesteps, height=0.62, color="#e9e9e6")
        axes.barh(row, span.span, height=0.62, color=BLUE)
        told = f" {'≥ ' if span.censored else ''}{span.span} of {span.timesteps}"
        inside = span.span > 0.55 * max(_lengths(layers))
        at, side, color = (span.span, "right", "white") if inside else (span.span, "left", BLACK)
        axes.text(at, row, f"{told} ", va="center", ha=side, color=color, fontsize=10)
    if lag is not None:
        axes.axvline(lag, color=PURPLE, ls="-.", lw=1.4)
        axes.text(lag, -0.55, f"lag {lag} ", color=PURPLE, ha="right", va="bottom", fontsize=9)
    axes.set_title("how far the gradient reaches", pad=14)
    made_up = any(layer.made_up for layer in layers)
    axes.set_xlabel(f"timesteps back{', made-up input' if made_up else ''}")
    axes.set_yticks(
        range(len(layers) + 1), [*(title(layer.report, 16) for layer in layers), _NETWORK]
    )
    axes.set_ylim(len(layers) + 0.5, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0)


def _lengths(layers: Sequence[Layer]) -> list[int]:
    spans = (layer.report.fact("gradient_span") for layer in layers)
    return [span.timesteps for span in spans if span is not None]


def _said(axes: Axes, subject: Subject, layers: Sequence[Layer]) -> None:
    """A tile for each layer and family of rules: the worst that was found there."""
    for row, layer in enumerate([*layers, None]):
        for column, digit in enumerate(FAMILIES):
            worst = _worst_of(subject, layer, digit)
            axes.barh(row, 0.9, left=column - 0.45, height=0.78, color=SEVERITIES[worst])
            ink = "white" if worst in ("error", "warning", "note") else GRAY
            axes.text(column, row, _MARKS[worst], ha="center", va="center", color=ink)
    axes.set_title("what the rules say", pad=14)
    names = [family.partition(" ")[0] for family in FAMILIES.values()]
    axes.set_xticks(range(len(FAMILIES)), names, rotation=35, ha="right", rotation_mode="anchor")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _worst_of(subject: Subject, layer: Layer | None, digit: str) -> str:
    """The worst severity, else whether a rule of the family passed or had nothing to go by."""
    found = {own.severity for own in _of(subject, layer) if own.rule[3] == digit}
    for severity in ("error", "warning", "note"):
        if severity in found:
            return severity
    passed = [own for own in judgement(subject.report).passed if own.rule[3] == digit]
    here = (own.layer is None if layer is None else _is_at(own, layer) for own in passed)
    return "passed" if any(here) else "unsaid"


# ---------------------------------------------------------------- in words


def _caption(subject: Subject, layers: Sequence[Layer]) -> str:
    left = len(subject.layers) - len(layers)
    more = f" {left} more layers with fewer findings are left out." if left else ""
    # The whole network may have data, and a layer that was cut out of it noise.
    made_up = next((layer.input_told for layer in layers if layer.made_up), "")
    return (
        "Left, the span of each layer's gradient; the light bar is as long as the probe. Right, "
        "the worst finding of each family of rules: !! error, ! warning, i note, ✓ passed, "
        f"– nothing to go by.{more}{made_up}"
    )


def _alt(subject: Subject, layers: Sequence[Layer]) -> str:
    spans = ((layer, layer.report.fact("gradient_span")) for layer in layers)
    reach = "; ".join(
        f"{title(layer.report)} reaches {'at least ' if span.censored else ''}"
        f"{span.span} of {span.timesteps}"
        for layer, span in spans
        if span is not None
    )
    layers_told = counted(len(layers), "layer")
    return f"{_verdict(subject)}. Bars of {layers_told}: {reach or 'no span'}. Tiles of findings."
