"""Run a probe through a network and record what the recurrent layers did.

This is the last step that knows torch: what leaves it is numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rnndiag.cells.base import State, as_array
from rnndiag.layers.base import Entry, Signal
from rnndiag.losses import loss_value
from rnndiag.network import Network, Pass
from rnndiag.records import Array, LayerRun, Options, Probe, ProbeRun
from rnndiag.recurrence import PulseGradients, TotalGradients, pulse_gradients, tangent_growth

_PULSES_WANTED = 16
"""Pulses in all that a profile rests on; small batches send several from each sample."""
_PULSES_AT_MOST = 4
"""From one sample."""


def run(network: Network, probe: Probe, options: Options) -> ProbeRun:
    """One forward pass; backward passes for the pulses and, where there is one, the loss."""
    torch.set_flush_denormal(True)
    inputs = tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in probe.inputs)
    masks = _input_masks(network, probe)
    done = network.run(inputs, masks, options.seed, probe.timesteps)
    outputs = [signal.value for signal in done.outputs if signal.value is not None]
    known = len(outputs) == len(done.outputs)
    real = [_real_steps(entry, probe) for entry in done.recorder.entries]
    pulses = _pulses(done, real, probe, options)
    loss = _backpropagate_loss(done, outputs if known else [], probe, options)
    layers = zip(done.recorder.entries, real, pulses, strict=True)
    return ProbeRun(
        probe=probe,
        device=str(network.device),
        wiring=network.graph.wiring if known else "isolated",
        layers=tuple(_layer_run(entry, r, pulse, options.seed) for entry, r, pulse in layers),
        not_analysed=network.not_analysed,
        outputs=tuple(map(as_array, outputs)) if known else (),
        loss=loss,
        notes=(*network.graph.notes, *_lost(done)),
    )


def _lost(done: Pass) -> tuple[str, ...]:
    return tuple(f"output not computed: {s.lost}" for s in done.outputs if s.lost is not None)


def _input_masks(network: Network, probe: Probe) -> tuple[Tensor | None, ...]:
    """Masks that no layer makes: PyTorch packs padded sequences outside the graph."""
    none: tuple[Tensor | None, ...] = (None,) * len(probe.inputs)
    if probe.padding is None or not probe.packed:
        return none
    return (torch.from_numpy(~probe.padding), *none[1:])


def _real_steps(entry: Entry, probe: Probe) -> Tensor:
    """(T, B) bool in processing order: neither masked nor trailing padding."""
    steps, batch = entry.sequence.shape[:2]
    mask = entry.journal.mask
    real = entry.sequence.new_ones(steps, batch, dtype=torch.bool) if mask is None else mask
    if probe.padding is not None and probe.padding.shape == (batch, steps):
        padding = torch.from_numpy(probe.padding.T.copy()).to(real.device)
        real = real & ~(padding.flip(0) if entry.go_backwards else padding)
    return real


# ---------------------------------------------------------------- pulses


@dataclass(frozen=True, kw_only=True)
class _Pulse:
    """A layer's pulse and where its direction came from."""

    origin: Literal["output", "isotropic"]
    gradients: PulseGradients


def _pulses(done: Pass, real: Sequence[Tensor], probe: Probe, options: Options) -> list[_Pulse]:
    """One set of pulses a layer, each from the last real step of its samples.

    Where the network behind the layer is known, their direction is the gradient of a random
    projection of the network's output at that step; elsewhere, or where nothing of it
    arrives, random unit vectors stand in.
    """
    generator = torch.Generator().manual_seed(options.seed)
    entries = done.recorder.entries
    arriving = _arriving(done, probe, generator)
    pulses: list[_Pulse] = []
    for k, (entry, steps) in enumerate(zip(entries, real, strict=True)):
        at = _last_true(steps)
        cotangents = [_at_step(dh, last, at) for dh, last in (a[k] for a in arriving[entry.reflipped])]
        origin: Literal["output", "isotropic"] = "output"
        if not cotangents or not any(bool(c[0].any()) for c in cotangents):
            origin, cotangents = "isotropic", _isotropic(entry, generator)
        stacked = tuple(torch.stack(parts) for parts in zip(*cotangents, strict=True))
        gradients = pulse_gradients(entry.journal.run, at, stacked)
        pulses.append(_Pulse(origin=origin, gradients=gradients))
    return pulses


Arrival = list[tuple[Tensor, State]]
"""What reaches each layer's (T, B, H) sequence, and its other last states."""


def _arriving(done: Pass, probe: Probe, generator: torch.Generator) -> dict[bool, list[Arrival]]:
    """For the outputs' last step (False) and first (True): an arrival for each pulse."""
    outputs = [s for s in done.outputs if s.value is not None and s.value.requires_grad]
    entries = done.recorder.entries
    if not outputs or not entries:
        return {False: [], True: []}
    width = max(s.value.shape[-1] for s in outputs if s.value is not None)
    count = min(_count(done.recorder.batch), width)
    ends = {entry.reflipped for entry in entries}
    found: dict[bool, list[Arrival]] = {False: [], True: []}
    for first in ends:
        for _ in range(count):
            cotangents = [_output_cotangent(s, probe, first, generator) for s in outputs]
            found[first].append(_reaching(outputs, cotangents, entries))
    return found


def _count(batch: int) -> int:
    return max(1, min(_PULSES_AT_MOST, -(-_PULSES_WANTED // batch)))


def _output_cotangent(
    signal: Signal, probe: Probe, first: bool, generator: torch.Generator
) -> Tensor:
    """A random direction of unit length for each sample, at one step where there are steps."""
    value = signal.value
    assert value is not None
    direction = torch.randn(value.shape, generator=generator).to(value.device)
    if value.dim() > 2:
        at = _output_step(signal, probe, first)
        steps = torch.arange(value.shape[1], device=value.device)
        chosen = (steps == at.unsqueeze(-1)).view(*value.shape[:2], *([1] * (value.dim() - 2)))
        direction = direction * chosen
    norm = direction.flatten(1).norm(dim=1).clamp(min=torch.finfo(direction.dtype).tiny)
    return direction / norm.view(-1, *([1] * (value.dim() - 1)))


def _output_step(signal: Signal, probe: Probe, first: bool) -> Tensor:
    """(B,) the output's first or last real step."""
    value = signal.value
    assert value is not None
    real = signal.mask
    if real is None:
        real = value.new_ones(value.shape[:2], dtype=torch.bool)
        if probe.padding is not None and probe.padding.shape == tuple(value.shape[:2]):
            real = torch.from_numpy(~probe.padding).to(value.device)
    return real.int().argmax(1) if first else _last_true(real.T)


def _last_true(steps: Tensor) -> Tensor:
    """(B,) index of the last true step of (T, B); -1 where there is none."""
    index = torch.arange(steps.shape[0], device=steps.device).unsqueeze(-1)
    return torch.where(steps, index, -1).amax(0)


def _reaching(
    outputs: Sequence[Signal], cotangents: Sequence[Tensor], entries: Sequence[Entry]
) -> Arrival:
    """What the outputs' cotangents send to each recurrent layer from behind it."""
    wanted = [tensor for entry in entries for tensor in (entry.sequence, *entry.last)]
    values = [s.value for s in outputs if s.value is not None]
    got = torch.autograd.grad(
        values, wanted, list(cotangents), retain_graph=True, allow_unused=True,
        materialize_grads=True,
    )
    each = iter(got)
    return [(next(each), tuple(next(each) for _ in entry.last)) for entry in entries]


def _at_step(dh: Tensor, last: State, at: Tensor) -> State:
    """The cotangent of the state at each sample's step `at`: (B, H) each."""
    steps, batch, units = dh.shape
    index = at.clamp(min=0).view(1, batch, 1).expand(1, batch, units)
    at_end = (at == steps - 1).unsqueeze(-1)
    return dh.gather(0, index)[0], *(torch.where(at_end, part, 0.0) for part in last)


def _isotropic(entry: Entry, generator: torch.Generator) -> list[State]:
    """Random unit vectors on h_T; the other states have none."""
    batch, units = entry.sequence.shape[1:]
    zeros = tuple(torch.zeros_like(part) for part in entry.last)
    vectors = torch.randn(_PULSES_AT_MOST, batch, units, generator=generator)
    vectors = torch.nn.functional.normalize(vectors, dim=-1).to(entry.sequence.device)
    return [(vector, *zeros) for vector in vectors]


# ---------------------------------------------------------------- the loss


def _backpropagate_loss(
    done: Pass, outputs: Sequence[Tensor], probe: Probe, options: Options
) -> float | None:
    """Send the loss back; each journal then holds its layer's total gradients."""
    loss = loss_value(outputs, probe.targets, options.loss)
    if loss is None:
        return None
    for entry in done.recorder.entries:
        entry.journal.totals = None
    z = [entry.z for entry in done.recorder.entries]
    torch.autograd.grad(loss, z, allow_unused=True)
    for entry in done.recorder.entries:
        entry.journal.totals = entry.journal.totals or _no_gradient(entry)
    return float(loss.detach())


def _no_gradient(entry: Entry) -> TotalGradients:
    """The loss does not depend on this layer."""
    after = entry.journal.run.after
    states = tuple(torch.zeros_like(s) for s in after)
    return TotalGradients(
        states=states, dz=torch.zeros_like(entry.z), initial=tuple(s[0] for s in states)
    )


# ---------------------------------------------------------------- to numbers


def _layer_run(entry: Entry, real: Tensor, pulse: _Pulse, seed: int) -> LayerRun:
    """One layer's run as arrays, batch first."""
    run, cell, spec = entry.journal.run, entry.journal.cell, entry.spec
    totals = entry.journal.totals
    mask = torch.ones_like(real) if run.mask is None else run.mask
    states = totals.states if totals else pulse.gradients.first
    shown = cell.hidden_cotangent(run.z, run.before, states)
    shown = tuple(torch.where(mask.unsqueeze(-1), part, 0.0) for part in shown)
    computed = cell.step(run.z, run.before)
    gates = cell.gate_values(run.z, run.before)
    return LayerRun(
        name=spec.name,
        label=spec.label or spec.name,
        kind=type(cell).__name__,
        direction="backward" if entry.go_backwards else "forward",
        index=spec.index,
        call=entry.call,
        input_size=cell.input_size,
        hidden_size=cell.hidden_size,
        weights=cell.stored(),
        bounded=cell.activation.bounded,
        rectified=cell.activation.rectified,
        framework=spec.writer.framework,
        h=_batch_first(computed[0]),
        c=_batch_first(computed[1]) if len(computed) > 1 else None,
        gate_values=dict(zip(cell.gates, map(_batch_first, gates), strict=True)),
        preactivations=_budget(entry, mask),
        mask=_batch_first(mask),
        real=_batch_first(real),
        pulse=pulse.origin,
        pulse_log_norm=as_array(pulse.gradients.log_norm.permute(1, 2, 0)),
        tangent_log_growth=_batch_first(_tangent(entry, seed)),
        dL_dh=_batch_first(shown[0]),
        dL_dc=_batch_first(shown[1]) if len(shown) > 1 else None,
        loss_log_norm=_batch_first(_log_norm(totals.states)) if totals else None,
        isolated=entry.isolated,
        stateful=bool(spec.config.get("stateful")),
    )


def _batch_first(tensor: Tensor) -> Array:
    return as_array(tensor.transpose(0, 1))


def _log_norm(states: State) -> Tensor:
    return torch.linalg.vector_norm(torch.cat(states, -1).double(), dim=-1).log()


def _tangent(entry: Entry, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    start = tuple(
        torch.randn(s.shape[1:], generator=generator).to(s.device) for s in entry.journal.run.after
    )
    return tangent_growth(entry.journal.run, start)


def _budget(entry: Entry, mask: Tensor) -> dict[str, dict[str, float]]:
    """Mean square of each part of each gate's pre-activation over the real steps."""
    run, cell = entry.journal.run, entry.journal.cell
    budget = {}
    for gate, parts in zip(cell.gates, cell.parts(run.z, run.before), strict=True):
        named = {"kernel": parts.kernel, "recurrent": parts.recurrent, "bias": parts.bias}
        budget[gate] = {name: _mean_square(part, mask) for name, part in named.items()}
    return budget


def _mean_square(part: Tensor, mask: Tensor) -> float:
    if part.dim() == 1:
        return float(part.double().square().mean())
    return float(part[mask].double().square().mean())
