"""Run a probe through a network and record what the recurrent layers did.

This is the last step that knows torch: what leaves it is numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rnndiag import pulses
from rnndiag.cells.base import as_array
from rnndiag.layers.base import Entry, Recorder
from rnndiag.losses import loss_value
from rnndiag.network import Network, Pass
from rnndiag.progress import Progress, silent
from rnndiag.recording import layer_run
from rnndiag.records import Options, Probe, ProbeRun
from rnndiag.recurrence import TotalGradients


def run(network: Network, probe: Probe, options: Options, progress: Progress = silent) -> ProbeRun:
    """One forward pass; backward passes for the pulses and, where there is one, the loss."""
    inputs = tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in probe.inputs)
    recorder = Recorder(
        generator=torch.Generator().manual_seed(options.seed),
        batch=probe.batch * probe.seeds,
        timesteps=probe.timesteps,
        device=network.device,
    )
    done = network.run(inputs, _input_masks(network, probe), recorder)
    entries = done.recorder.entries
    outputs = [signal.value for signal in done.outputs if signal.value is not None]
    known = len(outputs) == len(done.outputs)
    real = [_real_steps(entry, probe) for entry in entries]
    behind_known = network.graph.wiring != "isolated"
    aimed = pulses.aim(done, real, probe, known=behind_known, seed=options.seed)
    loss = _backpropagate_loss(done, outputs if known else [], probe, options)
    layers = []
    for k, (entry, steps, pulse) in enumerate(zip(entries, real, aimed, strict=True)):
        progress(f"following the gradient in {entry.spec.name}", 0.3 + 0.6 * k / len(entries))
        layers.append(layer_run(entry, steps, pulse, probe.seeds, options.seed))
    isolated = any(entry.isolated for entry in entries)
    return ProbeRun(
        probe=probe,
        device=str(network.device),
        wiring="isolated" if isolated else network.graph.wiring,
        layers=tuple(layers),
        not_analysed=network.not_analysed,
        outputs=tuple(map(as_array, outputs)) if known and not isolated else (),
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


def _backpropagate_loss(
    done: Pass, outputs: Sequence[Tensor], probe: Probe, options: Options
) -> float | None:
    """Send the loss back; each journal then holds its layer's total gradients."""
    for entry in done.recorder.entries:
        # The pulses came through here too, and left theirs.
        entry.journal.totals = None
    masks = [signal.mask for signal in done.outputs]
    loss = loss_value(outputs, probe.targets, options.loss, masks)
    if loss is None:
        return None
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
