"""Cuts that several rules share, and with them the number and where it comes from."""

from __future__ import annotations

from rnndiag.records import LayerReport, Settings, Severity
from rnndiag.rules.base import Cut

UNITS = Cut(16, "units", "own cut: in fewer, a share of the units says little")
ADAPTIVE_RATE = Cut(3e-3, "learning rate", "own cut: three times Adam's default")
PLAIN_RATE = Cut(0.1, "learning rate", "own cut: ten times Keras's default for SGD")

_ADAPTIVE = ("Adam", "AdamW", "Adamax", "Nadam", "NadamW", "RAdam", "RMSprop", "Lion")
"""Optimizers whose steps are about as large as their learning rate."""
_SCALE_FREE = ("Adadelta", "LBFGS", "Rprop")
"""Optimizers that choose the size of their steps; a rate of 1 is usual."""


def lowered(severity: Severity) -> Severity:
    """One step less grave, down to a note."""
    return "warning" if severity == "error" else "note"


def few_units(layer: LayerReport, severity: Severity) -> str:
    """Why it counts for less where a layer has fewer units than `UNITS`."""
    return f"{severity} by the numbers, but of {layer.hidden_size} units alone"


def highest_rate(settings: Settings, adaptive: float, plain: float) -> float:
    """Above which learning rate it is a high one for the optimizer that there is.

    The plain one where the optimizer is not known; infinite where it chooses its steps itself.
    """
    names = settings.optimizer.value.split(" or ") if settings.optimizer else []
    if any(name in _SCALE_FREE for name in names):
        return float("inf")
    return adaptive if names and set(names) <= set(_ADAPTIVE) else plain
