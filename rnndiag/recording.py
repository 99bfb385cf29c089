"""What one recurrent layer did, as numbers: the record that the measurements work on."""

from __future__ import annotations

import torch
from torch import Tensor

from rnndiag.cells._packing import names_by_part
from rnndiag.cells.base import State, as_array
from rnndiag.layers.base import Entry
from rnndiag.pulses import Pulse
from rnndiag.records import Array, LayerRun
from rnndiag.recurrence import TotalGradients, Trajectory, pulse_gradients, tangent_growth


def layer_run(
    entry: Entry,
    real: Tensor,
    pulse: Pulse,
    totals: TotalGradients | None,
    seeds: int,
    seed: int,
) -> LayerRun:
    """Send the pulse and a tangent through one layer's run; everything batch first.

    `real` (T, B) are the steps that count. The gradients shown are `totals`, those of the
    loss, where one was sent back, else the first pulse's.
    """
    run, cell, spec = entry.journal.run, entry.journal.cell, entry.spec
    sent = pulse_gradients(run, pulse.at, pulse.cotangents)
    mask = torch.ones_like(real) if run.mask is None else run.mask
    states = totals.states if totals else sent.first
    shown = _at_real_steps(cell.hidden_cotangent(run.z, run.before, states), mask)
    computed = cell.step(run.z, run.before)
    gates = cell.gate_values(run.z, run.before)
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
        h=_batch_first(computed[0]),
        c=_second(computed),
        gate_values=dict(zip(cell.gates, map(_batch_first, gates), strict=True)),
        preactivations=_budget(entry, mask),
        mask=_batch_first(mask),
        real=_batch_first(real),
        why_isotropic=pulse.why_isotropic,
        pulse_log_norm=as_array(sent.log_norm.permute(1, 2, 0)),
        tangent_log_growth=_batch_first(_tangent(entry, seed)),
        dL_dh=_batch_first(shown[0]),
        dL_dc=_second(shown),
        direct=_batch_first(totals.direct if totals else _pulse_itself(run, pulse)),
        gamma=_second(states),
        loss_log_norm=_batch_first(_log_norm(totals.states)) if totals else None,
        isolated=entry.isolated,
        stateful=bool(spec.config.get("stateful")),
        arguments=spec.arguments,
        parameters=names_by_part(spec),
        seeds=seeds,
    )


def _batch_first(tensor: Tensor) -> Array:
    return as_array(tensor.transpose(0, 1))


def _second(states: State) -> Array | None:
    """The cell state's part, where the cell has one."""
    return _batch_first(states[1]) if len(states) > 1 else None


def _pulse_itself(run: Trajectory, pulse: Pulse) -> Tensor:
    """(T, B, H) the first pulse where it starts, and zero everywhere else."""
    steps = torch.arange(len(run.z), device=run.z.device).unsqueeze(-1)
    return torch.where((steps == pulse.at).unsqueeze(-1), pulse.cotangents[0][0], 0.0)


def _at_real_steps(states: State, mask: Tensor) -> State:
    return tuple(torch.where(mask.unsqueeze(-1), part, 0.0) for part in states)


def _log_norm(states: State) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(torch.cat(states, -1).cpu().double(), dim=-1)
    return norm.log()


def _tangent(entry: Entry, seed: int) -> Tensor:
    """A random tangent's growth; drawn on the CPU, so that every device sees the same."""
    generator = torch.Generator().manual_seed(seed)
    start = tuple(
        torch.randn(state.shape[1:], generator=generator).to(state.device)
        for state in entry.journal.run.after
    )
    return tangent_growth(entry.journal.run, start)


def _budget(entry: Entry, mask: Tensor) -> dict[str, dict[str, float]]:
    """Mean square of each part of each gate's pre-activation over the unmasked steps."""
    run, cell = entry.journal.run, entry.journal.cell
    budget = {}
    for gate, parts in zip(cell.gates, cell.parts(run.z, run.before), strict=True):
        named = {"kernel": parts.kernel, "recurrent": parts.recurrent, "bias": parts.bias}
        budget[gate] = {name: _mean_square(part, mask) for name, part in named.items()}
    return budget


def _mean_square(part: Tensor, mask: Tensor) -> float:
    steps = part if part.dim() == 1 else part[mask]
    return float(steps.cpu().double().square().mean())
