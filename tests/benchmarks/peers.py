"""What the measurement phase is held against, on the same weights and the same input.

Each peer makes its modules once and gives the call that is timed. The loss touches the last
step alone, as the pulse does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from tests.benchmarks.contest import Contestant
from tests.benchmarks.networks import Subject

FUSED = "(a) fused layer, forward and backward"
UNROLLED = "(b) cell unrolled, every h retained"
KERAS = "(c) Keras on torch, forward and backward"
FLOOR = "(d) matrix products alone"
SLOW = {KERAS: 2}
"""Rounds of peers that take many times what the others do."""
FLUSHED = ", denormals flushed"
ONE_THREAD = ", one thread"
Step = Callable[[], object]


def contestants(subject: Subject, *, quick: bool = False) -> list[Contestant]:
    """The peers of a subject; `quick` leaves out Keras and the second look at each."""
    made: dict[str, Step] = {UNROLLED: unrolled(subject)}
    if subject.kind != "GRU, reset before":  # no torch layer has its equations
        made = {FUSED: fused(subject), **made}
    if not quick:
        from tests.benchmarks.keras_peer import sequence

        made[KERAS] = sequence(subject)
    entrants = [Contestant(name=n, run=run, rounds=SLOW.get(n)) for n, run in made.items()]
    floor = products(subject)
    entrants.append(Contestant(name=FLOOR, run=floor))
    if quick:
        return entrants
    flushing = partial(settings, flush=True)
    for contestant in entrants[: len(made)]:
        name = contestant.name + FLUSHED
        entrants.append(replace(contestant, name=name, around=flushing))
    entrants.append(Contestant(name=FLOOR + ONE_THREAD, run=floor, around=partial(settings, 1)))
    return entrants


@contextmanager
def settings(threads: int | None = None, *, flush: bool = False) -> Iterator[None]:
    """Torch with so many threads, and with or without denormal numbers; the process's, for now."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    torch.set_flush_denormal(flush)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


# ---------------------------------------------------------------- (a), (b): torch


def fused(subject: Subject, device: str = "cpu") -> Step:
    """``nn.LSTM`` and its like, forward and backward: what a training step costs."""
    kind = {"LSTM": nn.LSTM, "GRU": nn.GRU, "SimpleRNN": nn.RNN}[subject.layer]
    layer = kind(subject.shape.inputs, subject.shape.hidden, batch_first=True)
    _load(layer, subject, suffix="_l0")
    trained = nn.ModuleList((layer, _head(subject))).to(device)
    x = torch.from_numpy(subject.x).to(device)

    def step() -> Tensor:
        trained.zero_grad()
        h: Tensor = trained[0](x)[0]
        trained[1](h[:, -1]).sum().backward()
        return h.detach()

    return step


def unrolled(subject: Subject) -> Step:
    """A loop over ``nn.LSTMCell`` and its like that keeps the gradient of every h."""
    trained = nn.ModuleList((_cell(subject), _head(subject)))
    x = torch.from_numpy(subject.x)

    def step() -> Tensor:
        trained.zero_grad()
        state, kept = None, []
        for t in range(x.shape[1]):
            state = trained[0](x[:, t], state)
            h = state[0] if isinstance(state, tuple) else state
            h.retain_grad()
            kept.append(h)
        trained[1](kept[-1]).sum().backward()
        return torch.stack([h.detach() for h in kept], 1)

    return step


class ResetBeforeCell(nn.Module):
    """The GRU that torch does not have, as a user would write it after its equations."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        arrays = (torch.from_numpy(array) for array in subject.arrays)
        self.kernel, self.recurrent, self.bias = (nn.Parameter(array) for array in arrays)

    def forward(self, x: Tensor, state: Tensor | None) -> Tensor:
        """(B, H) of (B, I) and (B, H)."""
        units = self.recurrent.shape[0]
        h = x.new_zeros(len(x), units) if state is None else state
        z = x @ self.kernel + self.bias
        gates = torch.sigmoid(z[:, : 2 * units] + h @ self.recurrent[:, : 2 * units])
        update, reset = gates.chunk(2, -1)
        candidate = torch.tanh(z[:, 2 * units :] + (reset * h) @ self.recurrent[:, 2 * units :])
        return update * h + (1 - update) * candidate


def _cell(subject: Subject) -> nn.Module:
    if subject.kind == "GRU, reset before":
        return ResetBeforeCell(subject)
    kind = {"LSTM": nn.LSTMCell, "GRU": nn.GRUCell, "SimpleRNN": nn.RNNCell}[subject.layer]
    cell: nn.Module = kind(subject.shape.inputs, subject.shape.hidden)
    _load(cell, subject)
    return cell


def _load(layer: nn.Module, subject: Subject, suffix: str = "") -> None:
    """Keras's arrays in torch's packing, where a GRU's reset gate comes first."""
    units = subject.shape.hidden
    bias = torch.from_numpy(subject.bias)
    input_bias, recurrent_bias = bias if bias.dim() == 2 else (bias, torch.zeros_like(bias))
    arrays = {
        "weight_ih": torch.from_numpy(subject.kernel).T,
        "weight_hh": torch.from_numpy(subject.recurrent).T,
        "bias_ih": input_bias,
        "bias_hh": recurrent_bias,
    }
    for name, array in arrays.items():
        if subject.layer == "GRU":
            update, reset, candidate = array.split(units)
            array = torch.cat((reset, update, candidate))
        with torch.no_grad():
            getattr(layer, name + suffix).copy_(array)


def _head(subject: Subject) -> nn.Linear:
    head = nn.Linear(subject.shape.hidden, 1, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(subject.head).T)
    return head


# ---------------------------------------------------------------- (d): the floor


def products(subject: Subject) -> Step:
    """The products that a measurement cannot do without, into buffers that are there already.

    That of the input with its kernel for all steps at once; at each step that of the state
    with the recurrent kernel, and backward that of the gates' gradients with its transpose.
    """
    shape, width = subject.shape, subject.kernel.shape[1]
    x, kernel = torch.from_numpy(subject.x).flatten(0, 1), torch.from_numpy(subject.kernel)
    blocks = _blocks(subject)
    z = torch.empty(len(x), width)
    h = torch.rand(shape.batch, shape.hidden)
    gates = [torch.rand(shape.batch, block.shape[1]) for block in blocks]
    forward = [(h, block, torch.empty_like(dz)) for block, dz in zip(blocks, gates, strict=True)]
    backward = [(dz, block.T, torch.empty_like(h)) for block, dz in zip(blocks, gates, strict=True)]

    def run() -> None:
        with torch.no_grad():
            torch.mm(x, kernel, out=z)
            for pairs in (forward, backward):
                for _ in range(shape.timesteps):
                    for a, b, result in pairs:
                        torch.mm(a, b, out=result)

    return run


def _blocks(subject: Subject) -> list[Tensor]:
    """The recurrent kernel; in two where the candidate's part waits for the reset gate."""
    recurrent = torch.from_numpy(subject.recurrent)
    if subject.kind != "GRU, reset before":
        return [recurrent]
    units = subject.shape.hidden
    return [recurrent[:, : 2 * units].contiguous(), recurrent[:, 2 * units :].contiguous()]
