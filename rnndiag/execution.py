"""Run a probe through a network and record what the recurrent layers did.

This is the last step that knows torch: what leaves it is numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from rnndiag import pulses
from rnndiag.cells.base import as_array
from rnndiag.layers.base import Entry, Recorder
from rnndiag.losses import check_range, loss_value
from rnndiag.network import Network, Pass
from rnndiag.progress import Progress, silent
from rnndiag.recording import layer_run
from rnndiag.records import Options, Probe, ProbeRun, Wiring
from rnndiag.recurrence import TotalGradients


def run(network: Network, probe: Probe, options: Options, progress: Progress = silent) -> ProbeRun:
    """One forward pass; backward passes for the pulses and, where there is one, the loss."""
    with _step_by_step():
        return _run(network, probe, options, progress)


@contextmanager
def _step_by_step() -> Iterator[None]:
    """Set torch up for many small steps in a row; it is the process's, so only for now.

    Denormal numbers slow a CPU down many times, and are no part of any result. Threads wait
    for one another at every small product. A three-layer LSTM of 256 units on two cores took
    4 to 5 s with one thread, and with two 4 s where both cores were free, 16 s where not.
    """
    threads = torch.get_num_threads()
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)


def _run(network: Network, probe: Probe, options: Options, progress: Progress) -> ProbeRun:
    inputs = tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in probe.inputs)
    recorder = Recorder(
        generator=torch.Generator().manual_seed(options.seed),
        batch=probe.batch * probe.seeds,
        timesteps=probe.timesteps,
        device=network.device,
    )
    done = network.run(inputs, _input_masks(network, probe), recorder)
    entries = recorder.entries
    real = [_real_steps(entry, probe) for entry in entries]
    behind_known = network.graph.wiring != "isolated"
    aimed = pulses.aim(done, real, probe, known=behind_known, seed=options.seed)
    loss, totals = _backpropagate_loss(done, probe, options, network.graph.wiring)
    layers = []
    for k, (entry, steps, pulse) in enumerate(zip(entries, real, aimed, strict=True)):
        progress(f"following the gradient in {entry.spec.name}", 0.3 + 0.6 * k / len(entries))
        seeds = probe.seeds, options.seed
        layers.append(layer_run(entry, steps, pulse, totals[k] if totals else None, *seeds))
    isolated = any(entry.isolated for entry in entries)
    return ProbeRun(
        probe=probe,
        device=str(network.device),
        wiring="isolated" if isolated else network.graph.wiring,
        layers=tuple(layers),
        not_analysed=network.not_analysed,
        outputs=tuple(map(as_array, _known_outputs(done))),
        loss=loss,
        notes=(*network.graph.notes, *_lost(done), *_unfollowed_padding(entries, probe)),
    )


def _known_outputs(done: Pass) -> list[Tensor]:
    """All outputs; none where one is not known, or comes of noise."""
    values = [s.value for s in done.outputs if s.value is not None and s.lost is None]
    return values if len(values) == len(done.outputs) else []


def _lost(done: Pass) -> tuple[str, ...]:
    return tuple(f"output not computed: {s.lost}" for s in done.outputs if s.lost is not None)


def _unfollowed_padding(entries: Sequence[Entry], probe: Probe) -> tuple[str, ...]:
    """Pooling and strides change the time axis, and nothing tells where padding went."""
    if probe.padding is None:
        return ()
    changed = [e.spec.name for e in entries if e.journal.run.z.shape[1::-1] != probe.padding.shape]
    if not changed:
        return ()
    return (f"padding is not followed to {', '.join(changed)}: its timesteps are not the probe's",)


def _input_masks(network: Network, probe: Probe) -> tuple[Tensor | None, ...]:
    """Masks that no layer makes: PyTorch packs padded sequences outside the graph."""
    none: tuple[Tensor | None, ...] = (None,) * len(probe.inputs)
    if probe.padding is None or not probe.packed:
        return none
    return (torch.from_numpy(~probe.padding), *none[1:])


def _real_steps(entry: Entry, probe: Probe) -> Tensor:
    """(T, B) bool in processing order: neither masked nor trailing padding."""
    steps, batch = entry.journal.run.z.shape[:2]
    mask = entry.journal.mask
    real = entry.z.new_ones(steps, batch, dtype=torch.bool) if mask is None else mask
    if probe.padding is not None and probe.padding.shape == (batch, steps):
        padding = torch.from_numpy(probe.padding.T.copy()).to(real.device)
        real = real & ~(padding.flip(0) if entry.go_backwards else padding)
    return real


def _as_targeted(output: Tensor, k: int, probe: Probe) -> Tensor:
    """An assumed output (B, T, C) at its last real step, where its targets have no steps.

    A state dict does not tell whether the network answers at each step or at the end.
    """
    if k >= len(probe.targets) or output.dim() != 3:
        return output
    batch, steps, _ = output.shape
    shape = probe.targets[k].shape
    if len(shape) > 1 and shape[1] == steps:
        return output
    real = torch.ones(batch, steps, dtype=torch.bool)
    if probe.padding is not None and probe.padding.shape == (batch, steps):
        real = torch.from_numpy(~probe.padding)
    return output[torch.arange(batch), pulses.last_true(real.T).to(output.device)]


def _backpropagate_loss(
    done: Pass, probe: Probe, options: Options, wiring: Wiring
) -> tuple[float | None, list[TotalGradients]]:
    """The loss, and each layer's total gradients of it; nothing where none is asked for."""
    masks = [signal.mask for signal in done.outputs]
    outputs = _known_outputs(done)
    if wiring == "assumed":
        outputs = [_as_targeted(y, k, probe) for k, y in enumerate(outputs)]
        check_range(outputs, options.loss)
    loss = loss_value(outputs, probe.targets, options.loss, masks, options.loss_weights)
    if loss is None:
        return None, []
    return float(loss.detach()), done.gradients([loss], [torch.ones_like(loss)])
