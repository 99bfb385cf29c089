"""What each gate listens to: its input, the state before, or its bias."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rnndiag.figures._style import GRAY, PARTS, legend, sheet
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.measurements.preactivation_budget import PreactivationBudget
from rnndiag.records import Array
from rnndiag.wording import percent

PLACE = 75
TITLE = "Pre-activation budget"
_LABELS = {
    "kernel": "kernel · input",
    "recurrent": "recurrent kernel · state",
    "bias": "bias",
}


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction whose budget was measured."""
    for layer, budget in subject.measured("preactivation_budget", PreactivationBudget):
        yield _picture(layer, budget)


def _picture(layer: Layer, budget: PreactivationBudget) -> Picture:
    gates = list(layer.run.activity.preactivations)
    shares = _shares(layer)
    figure, axes = sheet(f"{TITLE}: {layer.title}", height=1.7 + 0.42 * len(gates))
    left = np.zeros(len(gates))
    for part, own in zip(_LABELS, shares, strict=True):
        bars = axes.barh(gates, own, left=left, color=PARTS[part], label=_LABELS[part], height=0.7)
        told = [percent(share) if share >= 0.07 else "" for share in own]
        axes.bar_label(bars, told, label_type="center", color="white", fontsize=10)
        left = left + own
    for place, gate in enumerate(gates):
        if gate not in budget.gates:
            axes.text(1.01, place, "not counted", va="center", color=GRAY, fontsize=9)
    axes.set(xlim=(0, 1.18), xlabel="share of the pre-activation", xticks=np.linspace(0, 1, 6))
    axes.invert_yaxis()
    axes.grid(visible=False)
    legend(figure, axes)
    return Picture(
        name="preactivation_budget",
        title=TITLE,
        caption=_caption(budget, gates),
        alt=_alt(budget),
        figure=figure,
        layer=layer.report,
    )


def _shares(layer: Layer) -> Array:
    """(3, gates) of the sum of the three parts' root mean squares; 0 where all are."""
    budgets = layer.run.activity.preactivations.values()
    squares = [[getattr(gate, part) for gate in budgets] for part in _LABELS]
    sizes = np.sqrt(np.array(squares, float))
    total = sizes.sum(axis=0)
    found: Array = np.divide(sizes, total, out=np.zeros_like(sizes), where=total > 0)
    return found


def _caption(budget: PreactivationBudget, gates: Sequence[str]) -> str:
    counted = ""
    if len(budget.gates) < len(gates):
        counted = (
            f" As one number for the layer only {', '.join(budget.gates)} count: biases of the "
            "others are set by initialisation."
        )
    return (
        "Root mean squares of the three summands of each gate's pre-activation over the probe's "
        f"real steps, as shares of their sum.{counted}"
    )


def _alt(budget: PreactivationBudget) -> str:
    shares = (f"{part} {percent(getattr(budget, part))}" for part in _LABELS)
    return f"Stacked bars, one a gate. Over {', '.join(budget.gates)}: {', '.join(shares)}."
