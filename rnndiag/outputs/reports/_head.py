"""What every table begins with, and what it says of coverage."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from rnndiag.outputs._grid import bullet, grouped
from rnndiag.outputs.reports._coverage import array_counts
from rnndiag.records import Report
from rnndiag.wording import byte_count, counted, number, title, written_by


def print_head(console: Console, report: Report) -> None:
    """What the file is, and what was run through it."""
    file, probe = report.checkpoint, report.probe
    console.print(Text(file.path, style="bold"))
    console.print(
        f"{written_by(file)}, {file.format}, {byte_count(file.bytes)}, "
        f"{file.parameters:,} parameters"
    )
    if not any(layer.analysed for layer in report.layers):
        console.print()
        return
    seeds = f" × {probe.seeds} seeds" if probe.seeds > 1 else ""
    source = {"synthetic": "synthetic probe", "file": "probe from file"}[probe.source]
    loss = "" if probe.loss is None else f", loss {number(probe.loss, 4)}"
    console.print(
        f"{source}: {counted(probe.batch, 'sample')}{seeds}, "
        f"{counted(probe.timesteps, 'timestep')}; "
        f"{probe.wiring} wiring, on {probe.device}{loss}"
    )
    console.print()


def print_coverage(console: Console, report: Report) -> None:
    """How much of the file the numbers cover."""
    layers = [layer for layer in report.layers if layer.analysed]
    missing = [layer for layer in report.layers if not layer.analysed]
    rnns = len(layers) + len(missing)
    console.print(Text(f"{len(layers)} of {rnns} RNN layers and directions analysed", "bold"))
    counts = array_counts(report)
    if counts:
        console.print(Text(counts))
    for layer in missing:
        console.print(bullet(f"not analysed: {layer.reason}", "red"))
    isolated = grouped((layer.reason, title(layer)) for layer in layers if layer.reason)
    for reason, titles in isolated.items():
        console.print(
            bullet(f"isolated, fed with a stand-in: {', '.join(titles)}: {reason}", "yellow")
        )
