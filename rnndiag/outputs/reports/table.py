"""The report as tables for a person: plain text where there is no terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnndiag.outputs._grid import bullet, grid, grouped, printed
from rnndiag.outputs.reports._details import print_details
from rnndiag.outputs.reports._findings import print_judgement, print_summary
from rnndiag.outputs.reports._head import print_coverage, print_head
from rnndiag.records import Failed, LayerReport, Outcome, Report
from rnndiag.wording import (
    NOTHING,
    half_life,
    number,
    percent,
    sparkline,
    title,
)

_PROFILE_AT_LEAST = 10
_PROFILE_AT_MOST = 60
_NAME_SHARE = 0.24
"""Of the width, for layer names; a longer name is cut."""
_HEALTHY = {
    # 10-90 % of good published models on real input: 6 packages with LSTMs, 2 with GRUs.
    "LSTM": {
        "reach": ("18-164", "", "1", "≤ .04"),
        "state": ("0", "0-3 %", "0-7 %", "1-4 / 2-23", "", ".47-1.4", ".19-2.3"),
    },
    "GRU": {
        "reach": ("34-359", "", "1", "≤ 0"),
        "state": ("0", "0-19 %", "0-25 %", "1-6 / 2-100", "", ".57-1.4", ".33-1.4"),
    },
}


def render(outcome: Outcome, *, width: int, color: bool, verbose: bool) -> str:
    """Each checkpoint's findings where it was judged, else what was measured in it."""
    return printed(lambda console: _print(console, outcome, verbose), width=width, color=color)


def _print(console: Console, outcome: Outcome, verbose: bool) -> None:
    for place, report in enumerate(outcome.reports):
        if place:
            console.rule(style="dim")
        print_head(console, report)
        (_measured if report.judgement is None else print_judgement)(console, report, verbose)
    if len(outcome.reports) > 1 and all(report.judgement for report in outcome.reports):
        print_summary(console, outcome.reports)
    for unread in outcome.unread:
        hint = f"; {unread.hint}" if unread.hint else ""
        console.print(bullet(f"not read: {unread.message}{hint}", "red"))


def _measured(console: Console, report: Report, verbose: bool) -> None:
    """How far the gradients reach, what units and weights do."""
    layers = [layer for layer in report.layers if layer.analysed]
    if layers:
        console.print(_reach(layers, console.width))
        console.print(_state(layers, console.width))
    if verbose:
        print_details(console, report, layers)
    _foot(console, report, layers)


# ---------------------------------------------------------------- foot


def _foot(console: Console, report: Report, layers: list[LayerReport]) -> None:
    """Coverage, what stands in its way, and what to keep in mind."""
    print_coverage(console, report)
    blind = grouped(
        (why, title(layer))
        for layer in layers
        if (why := _get(layer, "gradient_span", "why_isotropic"))
    )
    for why, titles in blind.items():
        console.print(bullet(f"random unit vectors as gradient of {', '.join(titles)}: {why}"))
    for layer in layers:
        _remarks(console, layer)
    for note in report.notes:
        console.print(bullet(note))
    if report.probe.source == "synthetic" and layers:
        advice = "synthetic probe: spans and activity on noise say little; use --probe FILE"
        console.print(bullet(advice, "yellow"))


def _remarks(console: Console, layer: LayerReport) -> None:
    """What has no column of its own, because most layers have nothing there."""
    for name, fact in layer.measurements.items():
        if isinstance(fact, Failed):
            told = f"{title(layer)}: {name} could not be measured: {fact.reason}"
            console.print(bullet(told, "red"))
    broken, carried = layer.fact("non_finite"), layer.fact("carried_context")
    if broken is not None and broken.total:
        where = ", ".join(f"{getattr(broken, name)} in {name}" for name in broken.tensors)
        console.print(bullet(f"{title(layer)}: NaN or infinite values: {where}", "red"))
    if carried is not None:
        console.print(
            bullet(
                f"{title(layer)}: stateful: carried context {carried.span} × {carried.windows} "
                f"windows = {carried.timesteps} timesteps of state values, not of gradient"
            )
        )


# ---------------------------------------------------------------- the two tables


def _name_width(layers: list[LayerReport], width: int) -> int:
    longest = max(len(title(layer)) for layer in layers)
    return max(len("good LSTMs"), min(longest, round(_NAME_SHARE * width)))


def _get(layer: LayerReport, name: str, field: str) -> Any:
    return getattr(layer.fact(name), field, None)


def _reach(layers: list[LayerReport], width: int) -> Table:
    """How far back the gradient of the last step reaches."""
    names = _name_width(layers, width)
    columns = ("layer", "cell", "span", "half-life", "growth", "λ₁")
    rows = [_reach_row(layer, names) for layer in layers]
    bands = [(f"good {kind}s", "", *_HEALTHY[kind]["reach"]) for kind in _kinds(layers)]
    table = grid(*columns, texts=2)
    taken = [max(map(len, cells)) + 2 for cells in zip(columns, *rows, *bands, strict=True)]
    room = max(_PROFILE_AT_LEAST, min(_PROFILE_AT_MOST, width - sum(taken)))
    header = "gradient, now → back" if room >= 20 else "now → back"
    table.add_column(header, no_wrap=True, min_width=room)
    for layer, row in zip(layers, rows, strict=True):
        table.add_row(*row, _profile(layer, room))
    for band in bands:
        table.add_row(*band, "", style="dim")
    table.add_row()
    return table


def _reach_row(layer: LayerReport, name_width: int) -> tuple[str, ...]:
    span = layer.fact("gradient_span")
    reach = half = NOTHING
    if span is not None:
        reach = f"≥ {span.span}" if span.censored else f"{span.span} of {span.timesteps}"
        half = half_life(span)
    return (
        title(layer, name_width),
        f"{layer.kind} {layer.input_size}→{layer.hidden_size}",
        reach,
        half,
        number(span.growth if span else None, 1),
        number(_get(layer, "lyapunov", "top")),
    )


def _profile(layer: LayerReport, room: int) -> Text:
    span = layer.fact("gradient_span")
    if span is None:
        return Text(NOTHING)
    within, beyond = sparkline(span.log10_profile, span.span, room)
    return Text.assemble((within, "green"), (beyond, "dim"))


def _state(layers: list[LayerReport], width: int) -> Table:
    """What units, gates and weights do."""
    columns = ("layer", "dead", "extreme", "stuck", "τ 50/90 %", "K/R/b %", "R/K", "b/K")
    table = grid(*columns)
    names = _name_width(layers, width)
    for layer in layers:
        table.add_row(*_state_row(layer, names))
    for kind in _kinds(layers):
        table.add_row(f"good {kind}s", *_HEALTHY[kind]["state"], style="dim")
    table.add_row()
    return table


def _state_row(layer: LayerReport, name_width: int) -> tuple[str, ...]:
    timescale = layer.fact("timescale")
    budget = layer.fact("preactivation_budget")
    shares = (budget.kernel, budget.recurrent, budget.bias) if budget else ()
    return (
        title(layer, name_width),
        percent(_get(layer, "unit_activity", "dead_share")),
        percent(_get(layer, "unit_activity", "extreme_share")),
        percent(_most_stuck(layer)),
        NOTHING
        if timescale is None
        else f"{number(timescale.p50, 1)} / {number(timescale.p90, 1)}",
        "/".join(f"{100 * share:.0f}" for share in shares) or NOTHING,
        number(_get(layer, "weight_norms", "recurrent_kernel_ratio")),
        number(_get(layer, "weight_norms", "bias_kernel_ratio")),
    )


def _most_stuck(layer: LayerReport) -> float | None:
    """The largest share of stuck units over the gates; an open keep gate is no fault."""
    gates = layer.fact("gate_activity")
    if not gates:
        return None
    return max(float(gate.stuck_share) for gate in gates.values())


def _kinds(layers: list[LayerReport]) -> list[str]:
    return sorted({layer.kind for layer in layers} & set(_HEALTHY))
