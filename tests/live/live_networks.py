"""Networks as users write them, built without arguments, for the tests of ``--model``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

TOKENS, FEATURES, UNITS, CLASSES = 11, 4, 6, 3


class Chain(nn.Module):
    """One that a state dict can be assumed to be."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, FEATURES)
        self.lstm = nn.LSTM(FEATURES, UNITS, 2, batch_first=True, **options)
        width = (options.get("proj_size") or UNITS) * (2 if options.get("bidirectional") else 1)
        self.fc = nn.Linear(width, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        return self.fc(self.lstm(self.embedding(ids))[0])


class Reader(nn.Module):
    """A recurrent module alone, whatever it is."""

    def __init__(self, rnn: nn.Module) -> None:
        super().__init__()
        self.rnn = rnn

    def forward(self, x: Tensor) -> Any:
        return self.rnn(x)


class Loop(nn.Module):
    """A cell in a Python loop; `change` is what happens to its state in between."""

    def __init__(self, cell: nn.Module | None = None, change: float = 1.0) -> None:
        super().__init__()
        self.cell = cell or nn.LSTMCell(FEATURES, UNITS)
        self.fc = nn.Linear(UNITS, CLASSES)
        self.change = change
        self.unused = nn.GRU(2, 2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        state: Any = None
        steps = []
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
            h = state[0] if isinstance(state, tuple) else state
            if self.change != 1.0:
                h = h * self.change
                state = (h, state[1]) if isinstance(state, tuple) else h
            steps.append(self.fc(h))
        return {"logits": torch.stack(steps, 1), "last": h}


class Steps(nn.Module):
    """nn.LSTM called for a few timesteps at a time, its state handed on."""

    def __init__(self, size: int = 1) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, UNITS, 2, batch_first=True)
        self.fc = nn.Linear(UNITS, CLASSES)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        state, parts = None, []
        for part in x.split(self.size, 1):
            y, state = self.lstm(part, state)
            parts.append(self.fc(y))
        return torch.cat(parts, 1)


class Packed(nn.Module):
    """Sequences of several lengths, which it is given beside them."""

    def __init__(self, bidirectional: bool = True) -> None:
        super().__init__()
        self.gru = nn.GRU(FEATURES, UNITS, 2, batch_first=True, bidirectional=bidirectional)
        self.fc = nn.Linear(2 * UNITS if bidirectional else UNITS, CLASSES)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        y, h = self.gru(packed)
        return self.fc(pad_packed_sequence(y, batch_first=True)[0]), h


class TimeFirst(nn.Module):
    """With torch's own order of axes."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(FEATURES, UNITS)
        self.fc = nn.Linear(UNITS, CLASSES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, h = self.gru(x)
        return self.fc(y), h


class BatchFirst(TimeFirst):
    """The same with the batch first."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(FEATURES, UNITS, batch_first=True)


class LoopTimeFirst(nn.Module):
    """A cell in a loop over the first axis."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(FEATURES, UNITS)

    def forward(self, x: Tensor) -> Tensor:
        h, steps = None, []
        for step in x:
            h = self.cell(step, h)
            steps.append(h)
        return torch.stack(steps)


class Frozen(Reader):
    """Made for inference alone."""

    def __init__(self) -> None:
        super().__init__(nn.GRU(FEATURES, UNITS, batch_first=True))

    @torch.no_grad()
    def forward(self, x: Tensor) -> Any:
        return super().forward(x)


class OwnCell(nn.Module):
    """With torch's names for its weights, and equations of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(UNITS, FEATURES))
        self.weight_hh = nn.Parameter(torch.randn(UNITS, UNITS))

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        drive = x @ self.weight_ih.T
        return drive.sin() if h is None else (drive + h @ self.weight_hh.T).sin()


class OwnEquations(Loop):
    """A loop over a cell that only looks like torch's, and a layer of torch's behind it."""

    def __init__(self) -> None:
        super().__init__(OwnCell())
        self.unused = nn.GRU(CLASSES, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.unused(super().forward(x)["logits"])[0]


class OwnLSTM(nn.LSTM):
    """A subclass that does more than torch's."""

    def forward(self, x: Tensor, hx: Any = None) -> Any:  # type: ignore[override]
        return super().forward(x * 0.5, hx)[0]


class Twice(nn.Module):
    """One module called two times, on different sequences, and from a learnt state."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = OwnLSTM(FEATURES, UNITS, batch_first=True)
        self.first = nn.Parameter(torch.randn(2, UNITS))
        self.fc = nn.Linear(2 * UNITS, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        h, c = (part.expand(1, len(x), UNITS).contiguous() for part in self.first)
        both = self.lstm(x, (h, c)), self.lstm(x.flip(1))
        return self.fc(torch.cat([y[:, -1] for y in both], -1))


class Counting(nn.Module):
    """Gives something else each time."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(FEATURES, UNITS, batch_first=True, nonlinearity="relu")
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.rnn(x)[0] + self.calls


class Failing(nn.Module):
    """Its forward has a mistake."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(FEATURES, UNITS, batch_first=True)
        self.fc = nn.Linear(UNITS + 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.rnn(x)[0]
        return self.fc(y)  # here


class Convolving(nn.Module):
    """Whose first layer does not tell what it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, FEATURES, 3)
        self.rnn = nn.RNN(FEATURES, UNITS, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(self.conv(x.unsqueeze(1)).transpose(1, 2))[0]


class Complex(nn.Module):
    """With parameters and buffers that no reader loads."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(FEATURES, UNITS, batch_first=True)
        self.turn = nn.Parameter(torch.randn(UNITS, dtype=torch.complex64))

    def forward(self, x: Tensor) -> Tensor:
        return (self.rnn(x)[0] * self.turn).abs()


class ComplexBuffer(Complex):
    """The same, not trained."""

    def __init__(self) -> None:
        super().__init__()
        turn = self.turn.detach()
        del self.turn
        self.register_buffer("turn", turn)


def changed() -> Loop:
    """A loop that does something to the state in between."""
    return Loop(change=0.9)


def gru_loop() -> Loop:
    return Loop(nn.GRUCell(FEATURES, UNITS))


def rnn_loop() -> Loop:
    return Loop(nn.RNNCell(FEATURES, UNITS, nonlinearity="relu"))


def noisy() -> Chain:
    print("building")
    return Chain()


def needing(units: int) -> Chain:
    raise AssertionError(units)


READY = Chain()
NUMBER = 3
