"""Recurrent layers that read images: what is said of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rnndiag import cells
from rnndiag.cells.conv_lstm import ConvLSTM
from rnndiag.layers.base import Entry
from rnndiag.records import LayerSpec


def told(entries: Sequence[Entry]) -> tuple[str, ...]:
    """What stands for what, where a layer's state is an image."""
    found = {entry.spec.name: entry.journal.cell for entry in entries}
    states = [
        f"{name} ({cell.positions} positions x {cell.hidden_size} filters)"
        for name, cell in found.items()
        if isinstance(cell, ConvLSTM)
    ]
    what = "gradients are those of the whole state, units are filters over all positions"
    return (f"{', '.join(states)}: {what}",) if states else ()


def are_read(specs: Iterable[LayerSpec]) -> bool:
    """Whether any of the layers does, those within others too."""
    for spec in specs:
        if issubclass(cells.by_kind().get(spec.kind, object), ConvLSTM):
            return True
        nested = spec.graph.layers.values() if spec.graph is not None else ()
        if are_read((*spec.inner, *nested)):
            return True
    return False
