"""What ``--verbose`` adds to the tables."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from rnndiag.outputs._grid import fact_of, grid, grouped
from rnndiag.outputs._text import number, percent, plain, title
from rnndiag.records import LayerReport, Report, Skipped


def print_details(console: Console, report: Report, layers: list[LayerReport]) -> None:
    """Gates, norms, training facts, and what was not measured."""
    for part in (_gates(layers), _norms(layers), _training(report), _skipped(layers)):
        if part.row_count:
            console.print(part)
            console.print()


def _gates(layers: list[LayerReport]) -> Table:
    table = grid("layer", "gate", "mean", "stuck low", "stuck high", texts=2)
    for layer in layers:
        for name, gate in (fact_of(layer, "gate_activity") or {}).items():
            stuck = percent(gate.left_stuck_share), percent(gate.right_stuck_share)
            table.add_row(title(layer), name, f"{gate.mean:.2f}", *stuck)
    return table


def _norms(layers: list[LayerReport]) -> Table:
    table = grid("layer", "‖K‖", "‖R‖", "‖b‖", "K growth", "R growth", "max |w|")
    for layer in layers:
        norms, growth = fact_of(layer, "weight_norms"), fact_of(layer, "initial_growth")
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
