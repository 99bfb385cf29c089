"""How much of a probe is run where all of it would take too much memory.

States of images have a value for each filter at each position, and a long sequence's one for each
of its timesteps; of each there are its gradient, and what the layers around it make of both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from rnndiag.layers.base import Entry
from rnndiag.records import Array, Graph, Probe
from rnndiag.running import images

_OF_IMAGES = 1 << 22
"""Values of all states together; with what comes of them (280 bytes each) a gigabyte."""
_OF_SEQUENCES = 1 << 25
"""The same of made-up sequences (20 bytes each), of which there can be any number."""
_LEAST = 32
"""Values of a step, below which no number of samples is asked about."""
_TRIED = 256
"""Timesteps that tell how many values one has."""
Try = Callable[[Probe], Sequence[Entry]]
"""Run a probe forwards."""


def affordable(probe: Probe, graph: Graph, run: Try) -> Probe:
    """The first samples of the probe where the states of all would take too much memory.

    A piece of one sample is run to know how much that is: pooling, strides and paddings decide
    it. One sample always remains, and as many seeds as there are samples.
    """
    have = probe.batch * probe.seeds
    if images.are_read(graph.layers.values()):
        most, tried = _OF_IMAGES, probe.timesteps
    elif probe.source == "synthetic" and have * probe.timesteps * _LEAST > _OF_SEQUENCES:
        most, tried = _OF_SEQUENCES, min(_TRIED, probe.timesteps)
    else:
        return probe
    each = _values(probe, run, tried)
    # Where none of them could be rebuilt, there is no state.
    count = max(1, most // max(each, 1))
    return probe if count >= have else _fewer(probe, count, each)


def _values(probe: Probe, run: Try, tried: int) -> int:
    """Values of all states of one sample, told by its first steps.

    Some layers hand on as many timesteps whatever they are given: what twice as many steps add
    is what grows with them.
    """
    if 2 * tried >= probe.timesteps:
        return _counted(probe, run, probe.timesteps)
    few, many = (_counted(probe, run, steps) for steps in (tried, 2 * tried))
    return many + (many - few) * (probe.timesteps - 2 * tried) // tried


def _counted(probe: Probe, run: Try, steps: int) -> int:
    with torch.no_grad():
        entries = run(_picked(probe, np.arange(1), steps))
    return sum(entry.journal.run.h.numel() for entry in entries)


def _fewer(probe: Probe, count: int, each: int) -> Probe:
    """`count` samples, or a few less, where each has so many values."""
    seeds = min(probe.seeds, count)
    batch = count // seeds
    rows = np.arange(seeds)[:, None] * probe.batch + np.arange(batch)
    have = probe.batch * probe.seeds
    told = (
        f"{seeds * batch} of {have} samples are run, {batch} of each seed: "
        f"the states of one are {each:,} values"
    )
    return replace(
        _picked(probe, rows.ravel(), probe.timesteps),
        batch=batch,
        seeds=seeds,
        notes=(*probe.notes, told),
    )


def _picked(probe: Probe, rows: Array, steps: int) -> Probe:
    """Some samples of a probe, by their places along the batch, and their first steps."""
    timed = (probe.timesteps,)
    inputs = [array[rows] for array in probe.inputs]
    return replace(
        probe,
        inputs=tuple(own[:, :steps] if own.shape[1:2] == timed else own for own in inputs),
        paddings=tuple(None if own is None else own[rows, :steps] for own in probe.paddings),
        targets=tuple(array[rows] for array in probe.targets),
        batch=len(rows),
        timesteps=steps,
        seeds=1,
    )
