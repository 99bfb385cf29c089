"""The whole story: a checkpoint becomes a report.

    read → wire → probe → rebuild → run → measure → report

Measuring never judges, and nothing behind `execution` knows torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rnndiag.progress import Progress, silent
from rnndiag.records import Options, ProbeRun, Report


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """A report, and the run that it rests on."""

    report: Report
    run: ProbeRun


def diagnose(path: str, options: Options) -> Report:
    """The report of one checkpoint; raises `rnndiag.errors.RnndiagError`."""
    return inspect(path, options).report


def inspect(path: str, options: Options, progress: Progress = silent) -> Diagnosis:
    """The report and its run; `progress` hears what is being done."""
    from rnndiag import checkpoints

    progress("reading the checkpoint", 0.0)
    checkpoint = checkpoints.read(Path(path), options.architecture)

    # Only now: a file that cannot be read should not have to wait for torch.
    from rnndiag import devices, execution, losses, measurements, probe, reporting, updates, wiring
    from rnndiag.network import Network

    graph = wiring.wire(checkpoint, options)
    names = [ref.layer for ref in graph.outputs]
    options = losses.choose(options, checkpoint.training, names)
    batches = probe.make(graph, options)

    progress("rebuilding the network", 0.05)
    network = Network(graph, devices.choose(options.device))

    progress("running the probe", 0.1)
    run = execution.run(network, batches, options, progress)
    run = updates.attach(run, checkpoint)

    progress("measuring", 0.9)
    facts = [measurements.measure(layer, options) for layer in run.layers]
    return Diagnosis(report=reporting.assemble(checkpoint, graph, run, facts), run=run)
