"""Networks that write to what they handed to a recurrent module, and their twins that do not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FEATURES, UNITS = 4, 6


class Residual(nn.Module):
    """Adds the layer's output to its input."""

    in_place = True

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.before = nn.Linear(FEATURES, UNITS)
        self.rnn = nn.LSTM(UNITS, UNITS, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x)
        y, _ = self.rnn(x)
        if self.in_place:
            x += y
            return x
        return x + y


class Buffered(nn.Module):
    """Copies each step into the same place."""

    in_place = True

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.rnn = nn.GRUCell(FEATURES, UNITS)

    def forward(self, x: Tensor) -> Tensor:
        h, buffer = x.new_zeros(len(x), UNITS), x[:, 0].clone()
        for t in range(x.shape[1]):
            if self.in_place:
                buffer.copy_(x[:, t])
            else:
                buffer = x[:, t].clone()
            h = self.rnn(buffer, h)
        return h


class PlainResidual(Residual):
    in_place = False


class PlainBuffered(Buffered):
    in_place = False
