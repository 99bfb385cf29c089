"""What ``--verbose`` adds to the tables."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from rnndiag.outputs._grid import grid, grouped
from rnndiag.outputs.reports._coverage import listed
from rnndiag.records import LayerReport, Report, Skipped
from rnndiag.wording import NOTHING, half_life, number, percent, plain, ranges, title


def print_details(console: Console, report: Report, layers: list[LayerReport]) -> None:
    """Gates, units, norms, what the file tells of the training, what was not measured, arrays."""
    parts = (_gates, _units, _norms, _loss)
    measured = [part(layers) for part in parts]
    tables = [*measured, _training(report), _skipped(layers), listed(report)]
    for part in tables:
        if part.row_count:
            console.print(part)
            console.print()


def _gates(layers: list[LayerReport]) -> Table:
    table = grid("layer", "gate", "mean", "stuck low", "stuck high", texts=2)
    for layer in layers:
        for name, gate in (layer.fact("gate_activity") or {}).items():
            stuck = percent(gate.left_stuck_share), percent(gate.right_stuck_share)
            table.add_row(title(layer), name, f"{gate.mean:.2f}", *stuck)
    return table


def _units(layers: list[LayerReport]) -> Table:
    """Which units are dead, how many directions the state uses, what the seeds agree on."""
    table = grid("layer", "state directions", "top unit", "spans by seed", "dead units")
    table.columns[-1].no_wrap = False
    table.columns[-1].justify = "left"
    for layer in layers:
        state, span = layer.fact("state_dimension"), layer.fact("gradient_span")
        activity = layer.fact("unit_activity")
        directions = number(getattr(state, "participation_ratio", None), 1)
        top = percent(getattr(state, "top_unit_share", None))
        dead = NOTHING if activity is None else ranges(activity.dead_units) or "none"
        table.add_row(
            title(layer),
            NOTHING if state is None else f"{directions} of {layer.hidden_size}",
            top if state is None else f"{state.top_unit}: {top}",
            " ".join(NOTHING if own is None else str(own) for own in getattr(span, "by_seed", ())),
            dead,
        )
    return table


def _loss(layers: list[LayerReport]) -> Table:
    """The real loss's own profile; where it touches every step, it tells of no memory."""
    table = grid("layer", "loss gradient at the end", "span", "half-life", "growth")
    for layer in layers:
        fact = layer.fact("loss_gradient")
        if fact is not None:
            reach = f"≥ {fact.span}" if fact.censored else f"{fact.span} of {fact.timesteps}"
            size = f"{10**fact.log10_norm:.1e}"
            table.add_row(title(layer), size, reach, half_life(fact), number(fact.growth, 1))
    return table


def _norms(layers: list[LayerReport]) -> Table:
    table = grid("layer", "‖K‖", "‖R‖", "‖b‖", "K growth", "R growth", "max |w|")
    for layer in layers:
        norms, growth = layer.fact("weight_norms"), layer.fact("initial_growth")
        if norms is not None:
            table.add_row(
                title(layer),
                *(number(x) for x in (norms.kernel, norms.recurrent, norms.bias)),
                number(getattr(growth, "kernel", None)),
                number(getattr(growth, "recurrent", None)),
                number(norms.max_abs),
            )
    return table


def _training(report: Report) -> Table:
    table = grid("training", "layer", "value", texts=3)
    for fact in report.training:
        table.add_row(fact.name, fact.layer or "", plain(fact.value))
    return table


def _skipped(layers: list[LayerReport]) -> Table:
    table = grid("not measured", "layer", "because", texts=3)
    skipped = grouped(
        ((name, fact.reason), title(layer))
        for layer in layers
        for name, fact in layer.measurements.items()
        if isinstance(fact, Skipped)
    )
    for (name, reason), titles in skipped.items():
        where = "all" if len(titles) == len(layers) > 1 else ", ".join(titles)
        table.add_row(name, where, reason)
    return table
