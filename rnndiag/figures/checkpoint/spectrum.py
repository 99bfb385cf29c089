"""What each gate's recurrent block does to a state: singular values, and eigenvalues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from rnndiag.figures._grids import hide_unused
from rnndiag.figures._style import BLACK, CYCLE, GRAY, legend, log_ticks, plain_numbers, sheet
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.measurements._gates import columns
from rnndiag.records import Array, LayerRun
from rnndiag.wording import number

PLACE = 45
TITLE = "Spectrum of the recurrent weights"
# Of n rows both cost n³: on one core, 512 eigenvalues half a second a gate, 1024 singular
# values as much, 2048 some six seconds.
_MOST_EIGENVALUES = 512
_MOST_SINGULAR = 1024
_MOST_OF_ONE_GATE = 2048
_OUTSIDE = 1 + 1e-4
"""|λ| of a rotation is 1, and rounding puts half of them beyond it."""
_SPREAD = 100.0
"""Largest over median singular value from which their axis is logarithmic."""
_LEAST, _LARGEST = 1e-250, 1e250
"""Sizes that axes can show."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """The recurrent weights of one gate, (H, U): h @ block feeds its U units."""

    gate: str
    color: str
    singular: Array
    """Descending."""
    eigenvalues: Array | None
    """Complex; None where the block is not square, or too large to be worth the time."""

    @property
    def radius(self) -> float | None:
        """The spectral radius, max |λ|."""
        return None if self.eigenvalues is None else float(np.abs(self.eigenvalues).max())


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction with a block that is finite and not too large."""
    for layer in subject.layers:
        blocks = list(_blocks(layer.run))
        if blocks:
            yield _picture(layer, blocks)


def _blocks(run: LayerRun) -> Iterator[Block]:
    for gate, color in zip(run.weights.gates, CYCLE, strict=False):
        matrix = columns(run.weights.recurrent_kernel, run.weights, gate).astype(np.float64)
        if not _shown(gate, matrix, run.weights.gates):
            continue
        square = matrix.shape[0] == matrix.shape[1] <= _MOST_EIGENVALUES
        yield Block(
            gate=gate,
            color=color,
            singular=np.linalg.svd(matrix, compute_uv=False),
            eigenvalues=np.linalg.eigvals(matrix) if square else None,
        )


def _shown(gate: str, matrix: Array, gates: Sequence[str]) -> bool:
    size = float(np.abs(matrix).max(initial=0.0))
    large = max(matrix.shape)
    alone = gate == _alone(gates) and large <= _MOST_OF_ONE_GATE
    # A comparison that NaN fails, too.
    return size < _LARGEST and (large <= _MOST_SINGULAR or alone)


def _alone(gates: Sequence[str]) -> str:
    """The gate that stands for all of a layer too large: through it the state feeds itself."""
    return "candidate" if "candidate" in gates else gates[0]


def _picture(layer: Layer, blocks: Sequence[Block]) -> Picture:
    round_ = [block for block in blocks if block.eigenvalues is not None]
    across = min(2, len(round_))
    rows = -(-len(round_) // 2)
    figure, axes = sheet(
        f"{TITLE}: {layer.title}",
        1 + rows,
        max(1, across),
        height=(3.3 if round_ else 3.6) + 3.1 * rows,
        squeeze=False,
    )
    _singular(_whole_row(figure, axes), blocks)
    end = 1.08 * max([1.0, *(block.radius or 0.0 for block in round_)])
    for own, block in zip(axes[1:].flat, round_, strict=False):
        _eigenvalues(own, block, end)
    hide_unused(axes[1:], len(round_))
    return Picture(
        name="spectrum",
        title=TITLE,
        caption=_caption(layer.run, blocks),
        alt=_alt(blocks),
        figure=figure,
        layer=layer.report,
    )


def _whole_row(figure: Figure, axes: Any) -> Axes:
    """The first row of a grid as a single pair of axes."""
    for own in axes[0]:
        own.remove()
    return figure.add_subplot(axes[0, 0].get_gridspec()[0, :])


# ---------------------------------------------------------------- what is drawn


def _singular(axes: Axes, blocks: Sequence[Block]) -> None:
    for block in blocks:
        told = f"{block.gate}: σ max {number(block.singular[0])}"
        if block.radius is not None:
            told += f", ρ {number(block.radius)}"
        rank = np.arange(1, len(block.singular) + 1)
        dots = "o" if len(rank) <= 64 else ""
        axes.plot(rank, block.singular, marker=dots, ms=3.5, color=block.color, label=told)
    if _wide(blocks):
        axes.set_yscale("log")
        axes.set_ylim(bottom=_bottom(blocks))
        log_ticks(axes.yaxis)
    else:
        axes.set_ylim(bottom=0)
    axes.axhline(1, color=GRAY, lw=1, ls="--", label="σ = 1")
    plain_numbers(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_xlabel("rank")
    axes.set_ylabel("singular value σ")
    legend(axes.figure, axes, columns=2)  # type: ignore[arg-type]


def _wide(blocks: Sequence[Block]) -> bool:
    """Whether a linear axis would show the largest alone."""
    tops = [float(block.singular[0]) for block in blocks]
    middles = [float(np.median(block.singular)) for block in blocks]
    return max(tops) > _LEAST and max(tops) > _SPREAD * max(min(middles), _LEAST)


def _bottom(blocks: Sequence[Block]) -> float:
    """Six decades below the largest: beneath that a block is as good as singular."""
    return max(_LEAST, 1e-6 * max(float(block.singular[0]) for block in blocks))


def _eigenvalues(axes: Axes, block: Block, end: float) -> None:
    assert block.eigenvalues is not None
    axes.add_patch(Circle((0, 0), 1, fill=False, ec=BLACK, lw=1.2))
    count = len(block.eigenvalues)
    values = block.eigenvalues
    axes.plot(
        values.real,
        values.imag,
        "o",
        ms=5 if count <= 64 else 3,
        alpha=0.6,
        color=block.color,
        mew=0,
    )
    outside = int((np.abs(values) > _OUTSIDE).sum())
    axes.set_title(f"{block.gate}: {outside} of {count} outside")
    axes.set(xlim=(-end, end), ylim=(-end, end), aspect="equal")
    axes.set(xlabel="Re λ", ylabel="Im λ")
    for own in (axes.xaxis, axes.yaxis):
        own.set_major_locator(MaxNLocator(nbins=5, symmetric=True))
        plain_numbers(own)


# ---------------------------------------------------------------- what is said


def _caption(run: LayerRun, blocks: Sequence[Block]) -> str:
    told = [
        "Singular values σ of each gate's recurrent block, sorted: how much it can stretch a "
        "state at most and in every direction."
    ]
    if any(block.eigenvalues is not None for block in blocks):
        told.append(_READING)
    told += filter(None, (_without_eigenvalues(run), _left_out(run, blocks)))
    return " ".join(told)


_READING = (
    "Below, eigenvalues λ and the unit circle; ρ is the largest |λ|. In a linear recurrence by "
    "this block alone, what lies along |λ| > 1 would grow step by step and along |λ| < 1 fade; "
    "gates, activations and the cell state change that, so the gradient's profile decides."
)


def _without_eigenvalues(run: LayerRun) -> str:
    """Why a layer's blocks have none."""
    rows, units = run.weights.recurrent_kernel.shape
    units //= len(run.weights.gates)
    if run.weights.window > 1:
        return (
            f"There are no eigenvalues: a convolution's block ({rows} × {units}) is no map from "
            "states to states, and its σ are those of the matrix, not of the image's."
        )
    if rows != units:
        return f"There are no eigenvalues: the blocks are {rows} × {units}, h being a projection."
    if units > _MOST_EIGENVALUES:
        return f"Eigenvalues of more than {_MOST_EIGENVALUES} units would take too long."
    return ""


def _left_out(run: LayerRun, blocks: Sequence[Block]) -> str:
    shown = {block.gate for block in blocks}
    missing = [gate for gate in run.weights.gates if gate not in shown]
    if not missing:
        return ""
    if max(columns(run.weights.recurrent_kernel, run.weights, missing[0]).shape) > _MOST_SINGULAR:
        why = f"over {_MOST_SINGULAR} units are drawn for one gate alone"
    else:
        why = "their weights are not finite"
    return f"Left out: {', '.join(missing)}, because {why}."


def _alt(blocks: Sequence[Block]) -> str:
    told: Mapping[str, str] = {block.gate: _numbers(block) for block in blocks}
    kinds = "Sorted singular values"
    if any(block.eigenvalues is not None for block in blocks):
        kinds += ", and eigenvalues in the complex plane"
    return f"{kinds}. {'; '.join(f'{gate}: {own}' for gate, own in told.items())}."


def _numbers(block: Block) -> str:
    median = float(np.median(block.singular))
    told = f"largest σ {number(block.singular[0])}, median {number(median)}"
    if block.eigenvalues is None:
        return told
    outside = int((np.abs(block.eigenvalues) > _OUTSIDE).sum())
    return f"{told}, spectral radius {number(block.radius)}, {outside} outside the unit circle"
