"""The report: what was read, run and measured, in one record."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnndiag import __version__, coverage, mapping
from rnndiag.probe.scale import scales
from rnndiag.records import (
    NOTHING_ANALYSED,
    Checkpoint,
    CheckpointReport,
    Graph,
    KerasModel,
    LayerReport,
    LayerRun,
    NotAnalysed,
    ProbeReport,
    ProbeRun,
    Report,
)
from rnndiag.surroundings import surroundings

_BLOCK = 1 << 20
"""Bytes of an array that are looked through at a time."""


def assemble(
    checkpoint: Checkpoint, graph: Graph, run: ProbeRun, facts: Sequence[Mapping[str, Any]]
) -> Report:
    """One report from its parts; `facts` are the measurements of each of the run's layers."""
    analysed = tuple(
        analysed_layer(layer, own) for layer, own in zip(run.layers, facts, strict=True)
    )
    return Report(
        rnndiag_version=__version__,
        exit_code=0 if analysed else NOTHING_ANALYSED,
        checkpoint=_checkpoint(checkpoint, non_finite(graph, run)),
        probe=_probe(run, graph),
        layers=(*analysed, *map(_missing, run.not_analysed)),
        network=surroundings(graph),
        training=checkpoint.training,
        notes=(*_nothing_analysed(run), *checkpoint.notes, *run.probe.notes, *run.notes),
        coverage=coverage.account(checkpoint, graph, run),
    )


def non_finite(graph: Graph, run: ProbeRun) -> dict[str, int]:
    """How many values are NaN or infinite, by array; those that `run` measured are left out.

    The graph's arrays alone: a state dict reads the others only if they are asked for, and they
    may be as large as the file.
    """
    parts = (part for layer in run.layers for part in layer.parameters.values())
    measured = {name for names in parts for name in names}
    found: Counter[str] = Counter()
    # Some wrappers hold what they wrap and its arrays besides: each counts once.
    for spec in (own for own in graph.every() if own.graph is None and not own.inner):
        # An array without names is one that was made by hand.
        for names, array in zip(spec.parameters, spec.weights, strict=False):
            if not measured.intersection(names):
                found[", ".join(names)] += sum(
                    int(block.size - np.isfinite(block).sum())
                    for block in mapping.blocks(array, _BLOCK)
                )
    return {name: count for name, count in found.items() if count}


def _nothing_analysed(run: ProbeRun) -> tuple[str, ...]:
    """Said first where it is so: an empty table reads too much like a clean one."""
    if run.layers:
        return ()
    return ("no recurrent layer could be analysed" if run.not_analysed else "no recurrent layer",)


def analysed_layer(run: LayerRun, facts: Mapping[str, Any]) -> LayerReport:
    """What is reported of a layer that ran, and of which `facts` were measured."""
    return LayerReport(
        name=run.name,
        id=run.id,
        kind=run.kind,
        direction=run.direction,
        index=run.index,
        call=run.call,
        input_size=run.input_size,
        hidden_size=run.hidden_size,
        analysed=True,
        reason=run.isolated,
        arguments=run.arguments,
        parameters=run.parameters,
        measurements=facts,
    )


def _missing(item: NotAnalysed) -> LayerReport:
    return LayerReport(
        name=item.name,
        id=item.name,
        kind=item.kind,
        direction=None,
        index=0,
        input_size=None,
        hidden_size=None,
        analysed=False,
        reason=item.reason,
    )


def _probe(run: ProbeRun, graph: Graph) -> ProbeReport:
    return ProbeReport(
        source=run.probe.source,
        batch=run.probe.batch,
        timesteps=run.probe.timesteps,
        seeds=run.probe.seeds,
        device=run.device,
        wiring=run.wiring,
        loss=run.loss,
        inputs=scales(run.probe, graph),
    )


def _checkpoint(checkpoint: Checkpoint, broken: Mapping[str, int]) -> CheckpointReport:
    return CheckpointReport(
        path=str(checkpoint.path),
        format=checkpoint.format,
        framework=checkpoint.writer.framework,
        framework_version=checkpoint.writer.version,
        framework_version_assumed=checkpoint.writer.assumed,
        sha256=checkpoint.sha256,
        bytes=checkpoint.size_bytes,
        parameters=_parameters(checkpoint),
        non_finite=broken,
    )


def _parameters(checkpoint: Checkpoint) -> int:
    """How many numbers the network's arrays hold."""
    content = checkpoint.content
    if isinstance(content, KerasModel):
        return sum(named.array.size for own in content.weights.values() for named in own)
    return sum(map(math.prod, content.shapes.values()))
