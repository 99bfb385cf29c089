"""Recurrent cells in numpy and float64, from the equations: what the package is held against.

Gate blocks are side by side: i, f, g, o (LSTM) and u, r, n (GRU). Nothing here is shared
with the package but the records that a cell is made from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rnndiag.cells.base import Cell, Parts, Steps
from rnndiag.cells.gru import GRU
from rnndiag.cells.lstm import LSTM
from rnndiag.cells.simple_rnn import SimpleRNN
from rnndiag.records import LayerSpec, Writer

Floats = NDArray[Any]
KERAS_2 = Writer(framework="keras", version="2.15.0")
KERAS_3 = Writer(framework="keras", version="3.10.0")
TORCH = Writer(framework="torch", version="2.6.0")
UNITS, INPUTS, OUTPUTS = 5, 3, 2
"""Of the examples; with a projection h has OUTPUTS elements."""


def softmax(x: Floats) -> Floats:
    """Over the last axis: the one activation here that is not elementwise."""
    e: Floats = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


ACTIVATIONS: dict[str, tuple[str, Writer, Callable[[Floats], Floats]]] = {
    "tanh": ("tanh", KERAS_3, np.tanh),
    "relu": ("relu", KERAS_3, lambda x: np.maximum(x, 0)),
    "sigmoid": ("sigmoid", KERAS_3, lambda x: 1 / (1 + np.exp(-x))),
    "hard_sigmoid of Keras 2": ("hard_sigmoid", KERAS_2, lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
    "hard_sigmoid of Keras 3": ("hard_sigmoid", KERAS_3, lambda x: np.clip((x + 3) / 6, 0, 1)),
    "softsign": ("softsign", KERAS_3, lambda x: x / (1 + np.abs(x))),
    "elu": ("elu", KERAS_3, lambda x: np.where(x > 0, x, np.expm1(x))),
    "linear": ("linear", KERAS_3, lambda x: x),
    "softmax": ("softmax", KERAS_3, softmax),
}
"""Case → Keras's name, the writer that decides its meaning, and the function."""

PAIRS = (
    ("tanh", "sigmoid"),
    ("relu", "hard_sigmoid of Keras 2"),
    ("softsign", "hard_sigmoid of Keras 3"),
    ("elu", "sigmoid"),
    ("linear", "tanh"),
    ("sigmoid", "relu"),
    ("softmax", "sigmoid"),
    ("tanh", "softmax"),
)
"""State's and gates' activation; one writer must do for both."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """A cell of the package and the same cell in numpy."""

    spec: LayerSpec
    cell: Cell
    step: Callable[[Floats, tuple[Floats, ...]], tuple[Floats, ...]]
    """x (B, I) and the state before to the state after."""
    gates: Callable[[Floats, tuple[Floats, ...]], tuple[Floats, ...]]
    widths: tuple[int, ...]
    """Of the parts of the state."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Which cell an example is of; `str` is the test's name."""

    kind: str
    phi: str = "tanh"
    sigma: str = "sigmoid"
    bias: bool = True
    options: dict[str, bool] = field(default_factory=dict)

    def __str__(self) -> str:
        extra = [f"{name}={value}" for name, value in self.options.items()]
        return ", ".join([self.kind, self.phi, self.sigma, f"bias={self.bias}", *extra])

    @property
    def elementwise(self) -> bool:
        """Whether a closed form applies."""
        return "softmax" not in (self.phi, self.sigma)

    def make(self, seed: int = 0, scale: float = 0.8) -> Example:
        """Float32 weights drawn at random; everything else is float64."""
        rng = np.random.default_rng(seed)

        def draw(*shape: int) -> Floats:
            return (scale * rng.standard_normal(shape)).astype(np.float32)

        return _MAKERS[self.kind](self, draw)

    def spec(self, *arrays: Floats, packing: Any = "keras", **config: Any) -> LayerSpec:
        """The record that the package's cell is made from."""
        (phi, writer, _), (sigma, other, _) = ACTIVATIONS[self.phi], ACTIVATIONS[self.sigma]
        config = {"activation": phi, "recurrent_activation": sigma, **config}
        if KERAS_2 in (writer, other):
            writer = KERAS_2
        return LayerSpec(
            name="rnn",
            kind=self.kind,
            config=config,
            writer=writer,
            weights=arrays,
            packing=packing,
        )


Draw = Callable[..., Floats]


def _functions(case: Case) -> tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]:
    return ACTIVATIONS[case.phi][2], ACTIVATIONS[case.sigma][2]


def _simple_rnn(case: Case, draw: Draw) -> Example:
    phi, _ = _functions(case)
    K, R, b = draw(INPUTS, UNITS), draw(UNITS, UNITS), draw(UNITS)
    spec = case.spec(K, R, b) if case.bias else case.spec(K, R)
    b = b if case.bias else np.zeros(UNITS)

    def step(x: Floats, state: tuple[Floats, ...]) -> tuple[Floats, ...]:
        (h,) = state
        return (phi(x @ K.astype(float) + h @ R.astype(float) + b),)

    return Example(
        spec=spec, cell=SimpleRNN.from_spec(spec), step=step, gates=step, widths=(UNITS,)
    )


def _lstm(case: Case, draw: Draw) -> Example:
    phi, sigma = _functions(case)
    projected = case.options.get("projection", False)
    H = OUTPUTS if projected else UNITS
    K, R, b, P = draw(INPUTS, 4 * UNITS), draw(H, 4 * UNITS), draw(4 * UNITS), draw(UNITS, H)
    if projected:
        biases = (b / 4, 3 * b / 4) if case.bias else ()
        spec = case.spec(K.T, R.T, *biases, P.T, packing="torch")
        b = sum(biases, np.zeros_like(b))
    else:
        spec = case.spec(K, R, b) if case.bias else case.spec(K, R)
    k_i, k_f, k_g, k_o = np.split(K.astype(float), 4, axis=1)
    r_i, r_f, r_g, r_o = np.split(R.astype(float), 4, axis=1)
    b_i, b_f, b_g, b_o = np.split(b.astype(float) if case.bias else np.zeros(4 * UNITS), 4)

    def gates(x: Floats, state: tuple[Floats, ...]) -> tuple[Floats, ...]:
        h, _ = state
        i = sigma(x @ k_i + h @ r_i + b_i)
        f = sigma(x @ k_f + h @ r_f + b_f)
        g = phi(x @ k_g + h @ r_g + b_g)
        o = sigma(x @ k_o + h @ r_o + b_o)
        return i, f, g, o

    def step(x: Floats, state: tuple[Floats, ...]) -> tuple[Floats, ...]:
        i, f, g, o = gates(x, state)
        c = f * state[1] + i * g
        h = o * phi(c)
        return (h @ P.astype(float) if projected else h), c

    return Example(spec=spec, cell=LSTM.from_spec(spec), step=step, gates=gates, widths=(H, UNITS))


def _gru(case: Case, draw: Draw) -> Example:
    phi, sigma = _functions(case)
    after = case.options["reset_after"]
    K, R, b = draw(INPUTS, 3 * UNITS), draw(UNITS, 3 * UNITS), draw(2, 3 * UNITS)
    b = b if after else b[0]
    arrays = (K, R, b) if case.bias else (K, R)
    spec = case.spec(*arrays, reset_after=after)
    k_u, k_r, k_n = np.split(K.astype(float), 3, axis=1)
    r_u, r_r, r_n = np.split(R.astype(float), 3, axis=1)
    both = np.zeros((2, 3 * UNITS))
    if case.bias:
        both[:1] = b[:1] if after else b
        both[1:] = b[1:] if after else 0
    (b_u, b_r, b_n), (s_u, s_r, s_n) = (np.split(row, 3) for row in both)

    def gates(x: Floats, state: tuple[Floats, ...]) -> tuple[Floats, ...]:
        (h,) = state
        u = sigma(x @ k_u + h @ r_u + b_u + s_u)
        r = sigma(x @ k_r + h @ r_r + b_r + s_r)
        through = r * (h @ r_n + s_n) if after else (r * h) @ r_n
        return u, r, phi(x @ k_n + b_n + through)

    def step(x: Floats, state: tuple[Floats, ...]) -> tuple[Floats, ...]:
        u, _, n = gates(x, state)
        return (u * state[0] + (1 - u) * n,)

    return Example(spec=spec, cell=GRU.from_spec(spec), step=step, gates=gates, widths=(UNITS,))


_MAKERS = {"SimpleRNN": _simple_rnn, "LSTM": _lstm, "GRU": _gru}

PLAIN = (
    Case(kind="SimpleRNN"),
    Case(kind="LSTM"),
    Case(kind="LSTM", options={"projection": True}),
    Case(kind="GRU", options={"reset_after": True}),
    Case(kind="GRU", options={"reset_after": False}),
)
"""Every cell once, with the usual activations."""

WITHOUT_BIAS = tuple(Case(kind=case.kind, bias=False, options=case.options) for case in PLAIN)

ALL = (
    *WITHOUT_BIAS,
    *(Case(kind="SimpleRNN", phi=name) for name in ACTIVATIONS),
    *(
        Case(kind=case.kind, phi=phi, sigma=sigma, options=case.options)
        for case in PLAIN[1:]
        for phi, sigma in PAIRS
    ),
)
"""Every cell with every activation."""


def parts_of(cell: Cell, steps: Steps) -> Parts:
    """The parts of all pre-activations together, (n, B, G·H) each."""
    blocks = [
        torch.broadcast_tensors(own.kernel, own.recurrent, own.bias) for own in cell.parts(steps)
    ]
    kernel, recurrent, bias = (torch.cat(part, -1) for part in zip(*blocks, strict=True))
    return Parts(kernel=kernel, recurrent=recurrent, bias=bias)


def orthogonal(units: int, seed: int = 0) -> Floats:
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((units, units)))
    return q


def linear(recurrent: Floats) -> Cell:
    """h' = h R + x: with s times an orthogonal R every gradient shrinks by exactly s a step."""
    spec = LayerSpec(
        name="rnn",
        kind="SimpleRNN",
        config={"activation": "linear"},
        writer=KERAS_3,
        weights=(np.eye(len(recurrent)), recurrent),
    )
    return SimpleRNN.from_spec(spec)
