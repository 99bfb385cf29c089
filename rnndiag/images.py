"""Recurrent layers that read images: how much of a probe they are run on, and what is said of it.

Their states have a value for each filter at each position, and some thirty arrays of that size
are kept at once: the cell's own, their gradients, and what is handed to the measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch

from rnndiag import cells
from rnndiag.cells.conv_lstm import ConvLSTM
from rnndiag.layers.base import Entry
from rnndiag.records import Array, Graph, LayerSpec, Probe

_MOST = 1 << 22
"""Values of all these states together; with what comes of them (280 bytes each) a gigabyte."""
Try = Callable[[Probe], Sequence[Entry]]
"""Run a probe forwards."""


def affordable(probe: Probe, graph: Graph, run: Try) -> Probe:
    """The first samples of the probe where the states of all would take too much memory.

    One sample is run to know how much that is: pooling, strides and paddings decide it. One
    sample always remains, and as many seeds as there are samples.
    """
    if not _read_images(graph.layers.values()):
        return probe
    with torch.no_grad():
        entries = run(_picked(probe, np.arange(1)))
    each = sum(entry.journal.run.h.numel() for entry in entries)
    # Where none of them could be rebuilt, there is no state.
    most = max(1, _MOST // max(each, 1))
    have = probe.batch * probe.seeds
    if most >= have:
        return probe
    seeds = min(probe.seeds, most)
    batch = most // seeds
    rows = np.arange(seeds)[:, None] * probe.batch + np.arange(batch)
    told = f"{seeds * batch} of {have} samples are run: states of {each:,} values each are large"
    return replace(
        _picked(probe, rows.ravel()), batch=batch, seeds=seeds, notes=(*probe.notes, told)
    )


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


def _read_images(specs: Iterable[LayerSpec]) -> bool:
    """Whether any of the layers does, those within others too."""
    for spec in specs:
        if issubclass(cells.by_kind().get(spec.kind, object), ConvLSTM):
            return True
        nested = spec.graph.layers.values() if spec.graph is not None else ()
        if _read_images((*spec.inner, *nested)):
            return True
    return False


def _picked(probe: Probe, rows: Array) -> Probe:
    """Some samples of a probe, by their places along the batch."""
    return replace(
        probe,
        inputs=tuple(array[rows] for array in probe.inputs),
        paddings=tuple(None if own is None else own[rows] for own in probe.paddings),
        targets=tuple(array[rows] for array in probe.targets),
        batch=len(rows),
        seeds=1,
    )
