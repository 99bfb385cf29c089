"""What stands around a recurrent layer, as far as the order of the calls tells."""

from __future__ import annotations

import re

from rnndiag.records import LayerReport, Report, Surrounding

_NORMALIZATION = re.compile(r"(batch|layer|group|instance|rms|unit)_?norm", re.IGNORECASE)
"""Keras's ``Normalization`` is none of these: it scales data, once and for all."""


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


def normalizations(report: Report) -> tuple[Surrounding, ...]:
    """The layers that normalize what goes through the network while it trains."""
    return tuple(own for own in report.network if _NORMALIZATION.search(own.kind))


def _place(layer: LayerReport, report: Report) -> int | None:
    """Where the layer stands in the order of the calls, if that is known."""
    names = [own.name for own in report.network] if is_exact(report) else []
    found = [names.index(name) for name in (layer.id, layer.name) if name in names]
    return found[0] if found else None
