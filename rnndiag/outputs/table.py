"""The report as tables for a person: plain text where there is no terminal."""

from __future__ import annotations

from rnndiag.records import Report


def render(report: Report, *, width: int, color: bool, verbose: bool) -> str:
    """Tables of what the checkpoint is and what each layer does."""
    lines = [report.checkpoint.path]
    lines += [f"{layer.name} {layer.kind} {layer.direction} {layer.measurements}"
              for layer in report.layers]
    return "\n".join(lines) + "\n"
