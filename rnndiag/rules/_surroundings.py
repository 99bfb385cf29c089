"""What stands around a recurrent layer, as far as the order of the calls tells."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rnndiag.records import LayerReport, Report, Surrounding

_NORMALIZATION = re.compile(r"(batch|layer|group|instance|rms|unit)_?norm", re.IGNORECASE)
"""Keras's ``Normalization`` is none of these: it scales data, once and for all."""

_WITHOUT_WEIGHTS = re.compile(r"dropout|norm|masking|activation|noise", re.IGNORECASE)
"""What may stand between two recurrent layers of a stack."""
_MERGES = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
"""The same of what puts several layers' outputs together."""


def before(layer: LayerReport, report: Report) -> tuple[Surrounding, ...]:
    """What is called before the layer, the nearest first; empty where no file tells."""
    place = _place(layer, report)
    return () if place is None else tuple(reversed(report.network[:place]))


def behind(layer: LayerReport, report: Report) -> tuple[Surrounding, ...]:
    """What is called after the layer, the nearest first; empty where no file tells."""
    place = _place(layer, report)
    return () if place is None else report.network[place + 1 :]


def is_exact(report: Report) -> bool:
    """Whether the file tells of every layer, and of their order."""
    return report.probe.wiring == "exact"


def is_recurrent(own: Surrounding, report: Report) -> bool:
    """Whether it is one of the report's recurrent layers."""
    return any(own.name in (layer.id, layer.name) for layer in report.layers)


def stands_on_recurrent(layer: LayerReport, report: Report) -> bool:
    """Whether what comes into the layer is other recurrent layers' output.

    An upper layer of PyTorch's stacks is told by its index. In Keras the order of the layers tells,
    which its files have even where the wiring is not understood, and the sizes: of two branches
    side by side, the second one's inputs are as many as the first one's units only by chance.
    """
    if layer.index > 0:
        return True
    below = _below(layer, report)
    if not below.widths:
        return False
    if below.crossed:
        # What was crossed may be another branch, if what was merged has just this layer's size.
        return below.merged and below.adds_up_to(layer.input_size)
    return below.merged or None in below.widths or layer.input_size in below.widths


@dataclass(frozen=True, kw_only=True)
class _Below:
    """The nearest recurrent layers that are called before a layer, and what is in between."""

    widths: tuple[int | None, ...] = ()
    """How many features leave each of them, both directions together; None where not known."""
    merged: bool = False
    """Whether something puts them together."""
    crossed: bool = False
    """Whether a layer with weights stands between that and the layer."""

    def adds_up_to(self, size: int | None) -> bool:
        """Whether they have `size` features together, if those not known are like the others."""
        known = [width for width in self.widths if width is not None]
        return bool(known) and size == sum(known) / len(known) * len(self.widths)


def _below(layer: LayerReport, report: Report) -> _Below:
    place = _listed(layer, report) if report.checkpoint.framework == "keras" else None
    widths: list[int | None] = []
    merged = crossed = False
    for own in reversed(report.network[:place] if place else ()):
        if is_recurrent(own, report):
            widths.append(_width(own, report))
        elif widths:
            break
        elif own.kind in _MERGES:
            merged = True
        elif not _WITHOUT_WEIGHTS.search(own.kind):
            if merged:
                return _Below()
            crossed = True
    return _Below(widths=tuple(widths), merged=merged, crossed=crossed)


def _width(own: Surrounding, report: Report) -> int | None:
    sizes = [
        layer.hidden_size
        for layer in report.layers
        if own.name in (layer.id, layer.name) and not layer.call
    ]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def normalizations(report: Report) -> tuple[Surrounding, ...]:
    """The layers that normalize what goes through the network while it trains."""
    return tuple(own for own in report.network if _NORMALIZATION.search(own.kind))


def _place(layer: LayerReport, report: Report) -> int | None:
    """Where the layer stands in the order of the calls, if that is known."""
    return _listed(layer, report) if is_exact(report) else None


def _listed(layer: LayerReport, report: Report) -> int | None:
    """Where the layer stands in the file's list of layers."""
    names = [own.name for own in report.network]
    found = [names.index(name) for name in (layer.id, layer.name) if name in names]
    return found[0] if found else None
