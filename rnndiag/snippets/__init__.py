"""Snippets: the lines that carry out an advice, one framework a file.

Rules ask for them by what they do (`base.Snippets`); they come in the words of the framework
that wrote the checkpoint, with the names and sizes of its layers.
"""

from __future__ import annotations

from rnndiag.records import LayerReport, Report
from rnndiag.snippets.base import Snippets


def for_(report: Report, layer: LayerReport | None) -> Snippets:
    """The snippets for `layer` of the report's network; for all its RNN layers where None."""
    if report.checkpoint.framework == "keras":
        from rnndiag.snippets.keras import KerasSnippets

        return KerasSnippets(report, layer)
    from rnndiag.snippets.torch import TorchSnippets

    return TorchSnippets(report, layer)
