"""Run a probe through a network and record what the recurrent layers did.

This is the last step that knows torch: what leaves it is numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor

from rnndiag.cells.base import as_array
from rnndiag.layers.base import Entry, Recorder, Signal
from rnndiag.losses import WITHOUT_TARGETS, check_range, loss_value
from rnndiag.progress import Progress, silent
from rnndiag.records import Array, Options, Probe, ProbeRun, Wiring
from rnndiag.recurrence.arriving import Losses
from rnndiag.running import affording, images, pulses
from rnndiag.running.network import Pass, Runnable
from rnndiag.running.recording import USUAL, Wanted, layer_run


def run(
    network: Runnable,
    probe: Probe,
    options: Options,
    progress: Progress = silent,
    wanted: Wanted = USUAL,
) -> ProbeRun:
    """One forward pass; backward passes for the pulses and, where there is one, the loss."""
    with _step_by_step():
        return _run(network, probe, options, progress, wanted)


@contextmanager
def own_modes() -> Iterator[None]:
    """Leave modes that the caller's own code is in.

    Without gradients other things are found; with automatic mixed precision, others by 1e-3.
    """
    kinds = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    with torch.inference_mode(False), torch.enable_grad(), ExitStack() as precisions:
        for kind in kinds:
            precisions.enter_context(torch.autocast(kind, enabled=False))
        yield


@contextmanager
def _step_by_step() -> Iterator[None]:
    """Set torch up for many small steps in a row; it is the process's, so only for now.

    Denormal numbers slow a CPU down many times, and are no part of any result. Nor are the ten
    bits that GPUs' convolutions round to unless they are told not to. Threads wait
    for one another at every small product. A three-layer LSTM of 256 units on two cores took
    4 to 5 s with one thread, and with two 4 s where both cores were free, 16 s where not.
    """
    threads, rounding = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings():
            # cuDNN would have the weights in one piece of memory, as a module has that trains.
            warnings.filterwarnings("ignore", "RNN module weights are not part of single")
            yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.allow_tf32 = rounding
        torch.set_flush_denormal(False)


def _run(
    network: Runnable, probe: Probe, options: Options, progress: Progress, wanted: Wanted
) -> ProbeRun:
    probe = affording.affordable(
        probe, network.graph, lambda some: _forward(network, some, options).recorder.entries
    )
    done = _forward(network, probe, options, options.seed if wanted.tangents else None)
    entries = done.recorder.entries
    behind_known = network.graph.wiring != "isolated"
    aimed = pulses.aim(done, known=behind_known, seed=options.seed)
    ears = [Losses(in_full=wanted.arrays) for _ in entries]
    loss = _backpropagate_loss(done, probe, options, network.graph.wiring, ears)
    layers = []
    for k, (entry, pulse, ear) in enumerate(zip(entries, aimed, ears, strict=True)):
        progress(f"following the gradient in {entry.spec.name}", 0.3 + 0.6 * k / len(entries))
        told = None if loss is None else ear
        layers.append(layer_run(entry, pulse, told, wanted, probe.seeds, options))
    isolated = any(entry.isolated for entry in entries)
    return ProbeRun(
        probe=probe,
        device=str(network.device),
        wiring="isolated" if isolated else network.graph.wiring,
        layers=tuple(layers),
        not_analysed=network.not_analysed,
        not_rebuilt=network.not_rebuilt,
        outputs=tuple(map(as_array, _known_outputs(done))),
        loss=loss,
        notes=(
            *network.graph.notes,
            *images.told(entries),
            *_lost(done),
            *_unfollowed_padding(entries, probe),
        ),
    )


def _forward(
    network: Runnable, probe: Probe, options: Options, tangents: int | None = None
) -> Pass:
    recorder = Recorder(
        generator=torch.Generator().manual_seed(options.seed),
        batch=probe.batch * probe.seeds,
        timesteps=probe.timesteps,
        device=network.device,
        tangents=tangents,
    )
    return network.run(tuple(_signals(probe, network.device)), recorder)


def _known_outputs(done: Pass) -> list[Tensor]:
    """All outputs; none where one is not known, or comes of noise."""
    values = [s.value for s in done.outputs if s.value is not None and s.lost is None]
    return values if len(values) == len(done.outputs) else []


def _lost(done: Pass) -> tuple[str, ...]:
    return tuple(f"output not computed: {s.lost}" for s in done.outputs if s.lost is not None)


def _unfollowed_padding(entries: Sequence[Entry], probe: Probe) -> tuple[str, ...]:
    """Pooling and strides change the time axis, and nothing tells where padding went."""
    lengths = {padding.shape[1] for padding in probe.paddings if padding is not None}
    bare = [e for e in entries if e.journal.mask is None and e.padding is None]
    changed = [e.spec.name for e in bare if len(e.journal.run) not in lengths]
    if not lengths or not changed:
        return ()
    return (f"padding is not followed to {', '.join(changed)}: its timesteps are not the probe's",)


def _signals(probe: Probe, device: torch.device) -> Iterator[Signal]:
    """The inputs; PyTorch's padding is a mask, as packed sequences leave it out."""
    paddings = probe.paddings or (None,) * len(probe.inputs)
    for array, padding in zip(probe.inputs, paddings, strict=True):
        value = torch.from_numpy(np.ascontiguousarray(array)).to(device)
        blank = None if padding is None else torch.from_numpy(padding).to(device)
        mask = None if blank is None or not probe.packed else ~blank
        yield Signal(value, mask, padding=blank)


def _as_targeted(signal: Signal, target: Array, loss: str) -> Tensor:
    """An assumed output (B, T, C), or its last real step where that is what the target is for.

    A state dict does not tell whether the network answers at each step or at the end.
    """
    output = signal.value
    assert output is not None
    per_step = target.ndim > 1 and target.shape[1] == output.shape[1]
    if not loss.startswith("sparse") and output.shape[-1] > 1:
        per_step = target.ndim == output.dim()
    if output.dim() != 3 or per_step:
        return output
    last = pulses.last_true(pulses.real_steps(output, signal).T)
    return output[torch.arange(len(output), device=output.device), last]


def _backpropagate_loss(
    done: Pass, probe: Probe, options: Options, wiring: Wiring, ears: Sequence[Losses]
) -> float | None:
    """The loss, of which each layer's ear hears; None where none is asked for."""
    masks = [signal.mask for signal in done.outputs]
    outputs = _known_outputs(done)
    compared = options.loss not in (None, WITHOUT_TARGETS)
    if wiring == "assumed" and compared and len(outputs) == len(probe.targets):
        pairs = zip(done.outputs, probe.targets, strict=True)
        outputs = [_as_targeted(*pair, str(options.loss)) for pair in pairs]
        check_range(outputs, options.loss)
    loss = loss_value(outputs, probe.targets, options.loss, masks, options.loss_weights)
    if loss is None:
        return None
    done.send_back([loss], [torch.ones_like(loss)], ears)
    return float(loss.detach())
