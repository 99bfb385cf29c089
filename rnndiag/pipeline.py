"""The whole story: a checkpoint becomes a report.

    read → wire → rebuild → probe → run → measure → report

Measuring never judges, and nothing behind `execution` knows torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rnndiag import __version__
from rnndiag.records import (
    Checkpoint,
    CheckpointReport,
    KerasModel,
    LayerReport,
    LayerRun,
    Options,
    ProbeReport,
    ProbeRun,
    Report,
)

NOTHING_ANALYSED = 3
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """A report, and the run that it rests on."""

    report: Report
    run: ProbeRun


def diagnose(path: str, options: Options) -> Report:
    """The report of one checkpoint."""
    return inspect(path, options).report


def inspect(path: str, options: Options, progress: Progress = lambda _: None) -> Diagnosis:
    """Run the whole pipeline; `progress` hears what is being done."""
    from rnndiag import checkpoints, devices, execution, measurements, probe, wiring
    from rnndiag.network import Network

    progress("reading the checkpoint")
    checkpoint = checkpoints.read(Path(path))
    graph = wiring.wire(checkpoint, options)
    batches = probe.make(graph, options)
    progress("rebuilding the network")
    network = Network(graph, devices.choose(options.device))
    progress("running the probe")
    run = execution.run(network, batches, options)
    progress("measuring")
    layers = tuple(_layer_report(layer, measurements.measure(layer, options)) for layer in run.layers)
    return Diagnosis(report=_report(checkpoint, run, layers), run=run)


def _layer_report(run: LayerRun, facts: object) -> LayerReport:
    return LayerReport(
        name=run.label,
        kind=run.kind,
        direction=run.direction,
        index=run.index,
        input_size=run.input_size,
        hidden_size=run.hidden_size,
        analysed=True,
        reason=run.isolated,
        measurements=facts,  # type: ignore[arg-type]
    )


def _report(checkpoint: Checkpoint, run: ProbeRun, layers: tuple[LayerReport, ...]) -> Report:
    missing = tuple(
        LayerReport(
            name=item.name,
            kind=item.kind,
            direction=None,
            index=0,
            input_size=None,
            hidden_size=None,
            analysed=False,
            reason=item.reason,
        )
        for item in run.not_analysed
    )
    return Report(
        rnndiag_version=__version__,
        exit_code=0 if layers else NOTHING_ANALYSED,
        checkpoint=_checkpoint_report(checkpoint),
        probe=ProbeReport(
            source=run.probe.source,
            batch=run.probe.batch,
            timesteps=run.probe.timesteps,
            seeds=run.probe.seeds,
            device=run.device,
            wiring=run.wiring,
            loss=run.loss,
        ),
        layers=(*layers, *missing),
        training=checkpoint.training,
        notes=(*checkpoint.notes, *run.probe.notes, *run.notes),
    )


def _checkpoint_report(checkpoint: Checkpoint) -> CheckpointReport:
    content = checkpoint.content
    if isinstance(content, KerasModel):
        arrays = [named.array for own in content.weights.values() for named in own]
    else:
        arrays = list(content.tensors.values())
    return CheckpointReport(
        path=str(checkpoint.path),
        format=checkpoint.format,
        framework=checkpoint.writer.framework,
        framework_version=checkpoint.writer.version,
        sha256=checkpoint.sha256,
        bytes=checkpoint.size_bytes,
        parameters=sum(int(array.size) for array in arrays),
    )
