"""Networks of one recurrent layer and a head, whose weights forget at once or hardly at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rnndiag.records import Array, Graph
from tests.graphs import chain, layer, source

Kind = Literal["LSTM", "GRU", "GRU, reset before", "SimpleRNN"]
Memory = Literal["vanishing", "long memory"]
MEMORIES: tuple[Memory, ...] = ("vanishing", "long memory")
GATES: dict[Kind, int] = {"LSTM": 4, "GRU": 3, "GRU, reset before": 3, "SimpleRNN": 1}


@dataclass(frozen=True)
class Shape:
    """The sizes of a benchmark."""

    batch: int
    timesteps: int
    inputs: int
    hidden: int

    def __str__(self) -> str:
        return f"({self.batch}, {self.timesteps}, {self.inputs}, {self.hidden})"


SHAPES = (
    Shape(32, 100, 64, 128),
    Shape(32, 500, 64, 128),
    Shape(8, 1000, 40, 256),
    Shape(64, 200, 128, 512),
)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network and its input, as plain arrays in Keras's packing, which every contestant gets."""

    kind: Kind
    shape: Shape
    kernel: Array
    """(I, G·H)."""
    recurrent: Array
    """(H, G·H)."""
    bias: Array
    """(G·H,), or (2, G·H) for a GRU with reset_after."""
    head: Array
    """(H, 1)."""
    x: Array
    """(B, T, I)."""

    @property
    def layer(self) -> str:
        """What Keras calls the layer."""
        return self.kind.partition(",")[0]

    @property
    def settings(self) -> dict[str, object]:
        """What the layer is built with in Keras, beside its size."""
        return {} if self.layer != "GRU" else {"reset_after": self.kind == "GRU"}

    @property
    def arrays(self) -> tuple[Array, Array, Array]:
        return self.kernel, self.recurrent, self.bias


def subject(kind: Kind, memory: Memory, shape: Shape) -> Subject:
    """The same numbers for the same sizes, whoever asks; Keras's default initialisation of K."""
    rng = np.random.default_rng(0)
    width = GATES[kind] * shape.hidden
    limit = math.sqrt(6 / (shape.inputs + width))
    kernel = rng.uniform(-limit, limit, (shape.inputs, width))
    recurrent = np.hstack([_orthogonal(rng, shape.hidden) for _ in range(GATES[kind])])
    rate = _kept(kind, memory, shape.timesteps)
    if kind == "SimpleRNN":
        recurrent *= rate
        # Long memory needs tanh where it is straight: at states near zero.
        kernel *= 1.0 if memory == "vanishing" else 0.005
    else:
        recurrent *= 0.2
    return Subject(
        kind=kind,
        shape=shape,
        kernel=_single(kernel),
        recurrent=_single(recurrent),
        bias=_single(_bias(kind, shape.hidden, rate)),
        head=_single(rng.uniform(-1, 1, (shape.hidden, 1))),
        x=_single(rng.standard_normal((shape.batch, shape.timesteps, shape.inputs))),
    )


def _kept(kind: Kind, memory: Memory, timesteps: int) -> float:
    """The share of a state that one step keeps.

    Vanishing: as a default initialisation has it, or less, where that is needed for a pulse to
    be under 1e-38, where float32's normal numbers end, at half of the timesteps.
    """
    if memory == "long memory":
        return 0.999 if kind == "SimpleRNN" else _sigmoid(6)
    default = _sigmoid(1) if kind == "LSTM" else 0.5
    return min(default, 10 ** (-38 / (timesteps / 2)))


def _bias(kind: Kind, hidden: int, kept: float) -> Array:
    """Zero but for the gate that keeps the state: LSTM's second, GRU's first."""
    bias = np.zeros(GATES[kind] * hidden)
    if kind == "SimpleRNN":
        return bias
    first = hidden if kind == "LSTM" else 0
    bias[first : first + hidden] = math.log(kept / (1 - kept))
    return np.stack((bias, np.zeros_like(bias))) if kind == "GRU" else bias


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _orthogonal(rng: np.random.Generator, size: int) -> Array:
    found: Array = np.linalg.qr(rng.standard_normal((size, size)))[0]
    return found


def _single(array: Array) -> Array:
    return array.astype(np.float32)


def graph(subject: Subject) -> Graph:
    """The network as a Keras checkpoint tells it: exact wiring, the state at the end, a head."""
    shape = subject.shape
    recurrent = layer(
        "rnn",
        subject.layer,
        *subject.arrays,
        config={"units": shape.hidden, "return_sequences": False, **subject.settings},
    )
    head = layer("head", "Dense", subject.head, config={"units": 1, "use_bias": False})
    return chain(source("x", (None, None, shape.inputs)), recurrent, head)
