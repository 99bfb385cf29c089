"""The whole story: a checkpoint becomes a report.

    read → wire → rebuild → probe → run → measure → report

Measuring never judges, and nothing behind `execution` knows torch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rnndiag import memory
from rnndiag.errors import BadOption, BadProbe
from rnndiag.progress import Progress, silent
from rnndiag.records import Checkpoint, Options, ProbeRun, Report

if TYPE_CHECKING:
    from rnndiag.running.network import Runnable


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """A report, and the run that it rests on."""

    report: Report
    run: ProbeRun


def diagnose(path: str, options: Options) -> Report:
    """The report of one checkpoint; raises `rnndiag.errors.RnndiagError`."""
    return inspect(path, options).report


def inspect(
    path: str, options: Options, progress: Progress = silent, *, in_full: bool = False
) -> Diagnosis:
    """The report and its run; `progress` hears what is being done.

    `in_full` keeps every state, gate and gradient, for pictures and files.
    """
    from rnndiag.saved import reports

    reports.refuse(path)
    _check_named(options)
    with memory.bounded(options.max_memory, path):
        return _inspect(path, options, progress, in_full)


def _inspect(path: str, options: Options, progress: Progress, in_full: bool) -> Diagnosis:
    from rnndiag import checkpoints

    progress("reading the checkpoint", 0.0)
    checkpoint = checkpoints.read(Path(path), options.architecture)

    # Only now: a file that cannot be read should not have to wait for torch.
    from rnndiag.running import execution

    with execution.own_modes():
        return _measured(checkpoint, options, progress, in_full)


def _measured(
    checkpoint: Checkpoint, options: Options, progress: Progress, in_full: bool
) -> Diagnosis:
    from rnndiag import losses, measurements, probe, reporting, updates
    from rnndiag.running import execution, recording

    progress("rebuilding the network", 0.05)
    network = _network(checkpoint, options)
    checkpoint = _as_run(checkpoint, options)
    graph = network.graph
    names = [ref.layer for ref in graph.outputs]
    options = losses.choose(options, checkpoint.training, names)
    batches = probe.make(graph, options)

    progress("running the probe", 0.1)
    wanted = recording.Wanted(arrays=in_full)
    run = execution.run(network, batches, options, progress, wanted)
    run = updates.attach(run, checkpoint)
    # What it holds beside the weights, to be quick, is as large as they are.
    del network

    progress("measuring", 0.9)
    facts = [measurements.measure(layer, options) for layer in run.layers]
    if options.windows > 1 and run.layers and not any(layer.stateful for layer in run.layers):
        run = replace(run, notes=(*run.notes, _NOTHING_CARRIED))
    return Diagnosis(report=reporting.assemble(checkpoint, graph, run, facts), run=run)


def _check_named(options: Options) -> None:
    """Raise where a file that an option names is missing: told before the work, not after it."""
    # Targets without a probe are another mistake, which the probe's maker tells.
    for name in ("probe", "targets") if options.probe is not None else ():
        place = getattr(options, name)
        if place is not None and not Path(place).exists():
            told = f"{place}: cannot be opened: No such file or directory"
            raise BadProbe(told, f"check the path after --{name}")
    file = (options.model or "").rpartition(":")[0]
    if file.endswith(".py") and not Path(file).is_file():
        hint = "check the path before the colon"
        raise BadOption(f"--model {options.model}: no file {file}", hint)


def _network(checkpoint: Checkpoint, options: Options) -> Runnable:
    """The user's own network where it is asked for, else one rebuilt from what the file tells."""
    from rnndiag import wiring
    from rnndiag.running import devices
    from rnndiag.running.network import Network

    device = devices.choose(options.device)
    if options.model is not None or options.unsafe_load:
        from rnndiag import live

        found = live.open_network(checkpoint, options, device)
        if found is not None:
            return found
    graph = wiring.wire(checkpoint, options)
    if options.unsafe_load:
        graph = replace(graph, notes=(_NOTHING_GAINED, *graph.notes))
    return Network(graph, device)


_NOTHING_CARRIED = "--windows does not count: no layer is stateful, which would carry its state on"
_NOTHING_GAINED = (
    "--unsafe-load: the file's pickle was run and made no torch.nn.Module, so that the report "
    "is of the weights, as it is without the option"
)


def _as_run(checkpoint: Checkpoint, options: Options) -> Checkpoint:
    """Without the notes that say what was not run, where it was."""
    if not options.unsafe_load:
        return checkpoint
    kept = tuple(note for note in checkpoint.notes if note not in checkpoint.unrun)
    return replace(checkpoint, notes=kept)
