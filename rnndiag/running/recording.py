"""What one recurrent layer did, as numbers: the record that the measurements work on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rnndiag.cells._packing import names_by_part
from rnndiag.cells.base import as_array
from rnndiag.cells.linearisation import State
from rnndiag.layers.base import Entry
from rnndiag.records import Array, LayerArrays, LayerRun, Options
from rnndiag.recurrence.arriving import Losses
from rnndiag.recurrence.following import (
    PulseGradients,
    pulse_gradients,
    random_tangent,
    tangent_growth,
)
from rnndiag.recurrence.journal import Journal
from rnndiag.recurrence.observing import observe
from rnndiag.recurrence.unrolling import Block, Trajectory, join
from rnndiag.running.pulses import Pulse, floor


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is made of a run beside what costs little."""

    tangents: bool = True
    """How a small difference of the states grows: one more product a timestep."""
    arrays: bool = False
    """Every state, gate and gradient."""


USUAL = Wanted()
"""For a report."""


def layer_run(
    entry: Entry, pulse: Pulse, loss: Losses | None, wanted: Wanted, seeds: int, options: Options
) -> LayerRun:
    """Send the pulse and a tangent through one layer's run; everything batch first.

    The arrays, where they are wanted, have the gradients of the `loss`, where one was sent back,
    else the first pulse's.
    """
    run, cell, spec = entry.journal.run, entry.journal.cell, entry.spec
    observer = entry.journal.observer
    shown = wanted.arrays and loss is None
    down_to = floor(options.alpha)
    sent = pulse_gradients(run, pulse.at, pulse.cotangents, floor=down_to, in_full=shown)
    real = entry.real
    mask = torch.ones_like(real) if run.mask is None else run.mask
    return LayerRun(
        name=spec.label or spec.name,
        id=spec.name,
        kind=type(cell).__name__,
        direction="backward" if entry.go_backwards else "forward",
        index=spec.index,
        call=entry.call,
        input_size=cell.input_size,
        hidden_size=cell.hidden_size,
        positions=cell.positions,
        weights=cell.stored(),
        bounded=cell.activation.bounded,
        rectified=cell.activation.rectified,
        framework=spec.writer.framework,
        activity=observe(run) if observer is None else observer.activity(),
        mask=_batch_first(mask),
        real=_batch_first(real),
        why_isotropic=pulse.why_isotropic,
        pulse_log_norm=as_array(sent.log_norm.permute(1, 2, 0)),
        tangent_log_growth=_tangent(entry.journal, options.seed) if wanted.tangents else None,
        loss_log_norm=_batch_first(loss.log_norm(run)) if loss else None,
        arrays=_arrays(run, pulse, sent, loss) if wanted.arrays else None,
        isolated=entry.isolated,
        stateful=bool(spec.config.get("stateful")),
        arguments=spec.arguments,
        parameters=names_by_part(spec),
        seeds=seeds,
    )


def _batch_first(tensor: Tensor) -> Array:
    return as_array(tensor.transpose(0, 1))


def _tangent(journal: Journal, seed: int) -> Array:
    """(B, T) a random tangent's growth."""
    run = journal.run
    if journal.tangent is not None:
        return _batch_first(journal.tangent.growth(run.mask))
    return _batch_first(tangent_growth(run, random_tangent(run.initial, seed)))


# ---------------------------------------------------------------- arrays


def _arrays(
    run: Trajectory, pulse: Pulse, sent: PulseGradients, loss: Losses | None
) -> LayerArrays:
    """Every state, gate and gradient."""
    cell = run.cell
    states = sent.first if loss is None else loss.states(run)
    assert states is not None
    blocks = list(run.blocks())
    computed = join(cell.advance(own.steps.gates, own.steps.before) for own in blocks)
    gates = join(own.steps.gates for own in blocks)
    shown = join(_shown(own, states) for own in blocks)
    direct = _pulse_itself(run, pulse) if loss is None else loss.direct(run)
    return LayerArrays(
        h=_batch_first(computed[0]),
        c=_second(computed),
        gate_values=dict(zip(cell.gates, map(_batch_first, gates), strict=True)),
        dL_dh=_batch_first(shown[0]),
        dL_dc=_second(shown),
        direct=_batch_first(direct),
        gamma=_second(states),
    )


def _shown(block: Block, states: State) -> State:
    """Autograd's totals at a block's steps, from the `states` (T, B, H) of the whole run."""
    steps = slice(block.start, block.start + len(block.steps.z))
    own = tuple(part[steps] for part in states)
    found = block.cell.hidden_cotangent(block.steps, own)
    if block.mask is None:
        return found
    return tuple(torch.where(block.mask.unsqueeze(-1), part, 0.0) for part in found)


def _second(states: State) -> Array | None:
    """The cell state's part, where the cell has one."""
    return _batch_first(states[1]) if len(states) > 1 else None


def _pulse_itself(run: Trajectory, pulse: Pulse) -> Tensor:
    """(T, B, H) the first pulse where it starts, and zero everywhere else."""
    steps = torch.arange(len(run), device=run.h.device).unsqueeze(-1)
    return torch.where((steps == pulse.at).unsqueeze(-1), pulse.cotangents[0][0], 0.0)
