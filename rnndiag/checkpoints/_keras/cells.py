"""What kind of cell arrays are, by their shapes: for weights that came without a configuration.

Shapes tell the gates, the units, whether there are biases and, where there are, whether a GRU's
reset gate stands after the product. They do not tell activations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rnndiag.records import NamedArray, Shape

_KINDS = {1: "SimpleRNN", 3: "GRU", 4: "LSTM"}
"""By the number of gates."""
_CUDNN = {3: "CuDNNGRU", 4: "CuDNNLSTM"}
_CONVOLVED = {3: "ConvLSTM1D", 4: "ConvLSTM2D", 5: "ConvLSTM3D"}
"""By the axes of a kernel: those of space, then channels in and out."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell: its class as Keras calls the layer, and what its arrays tell."""

    kind: str
    config: Mapping[str, Any]
    input_size: int
    problem: str | None = None
    """Why it is no cell that can be rebuilt."""


def cell_of(arrays: Sequence[NamedArray], hint: str | None = None) -> Cell:
    """The cell that has these arrays; `hint` is the class that the file tells, if it does.

    Keras stores a kernel (I, G·H), a recurrent kernel (H, G·H), and a bias or none.
    """
    shapes = [named.array.shape for named in arrays]
    told = ", ".join(str(shape) for shape in shapes) or "no arrays"
    if len(shapes) in (2, 3) and len(shapes[0]) in _CONVOLVED:
        reason = f"its arrays ({told}) are a convolution's, whose strides and padding are not told"
        return _convolved(shapes, reason)
    found = _found(shapes)
    if found is None or (hint in _KINDS.values() and not found.kind.endswith(str(hint))):
        return _unknown(hint or "RNN", f"its arrays ({told}) are no cell's that rnndiag knows")
    return found


def _found(shapes: Sequence[Shape]) -> Cell | None:
    """The cell of a kernel, a recurrent kernel and perhaps a bias; None where they are none's."""
    if len(shapes) not in (2, 3) or any(len(shape) != 2 for shape in shapes[:2]):
        return None
    (features, width), (units, columns), *bias = shapes
    gates, rest = divmod(columns, units) if units else (0, 0)
    if width != columns or rest or gates not in _KINDS:
        return None
    kind = _bias_kinds(columns, gates).get(bias[0]) if bias else _KINDS[gates]
    if kind is None:
        return None
    config: dict[str, Any] = {"units": units, "use_bias": bool(bias)}
    if kind == "GRU" and bias:
        config["reset_after"] = len(bias[0]) == 2
    return Cell(kind=kind, config=config, input_size=features)


def _bias_kinds(columns: int, gates: int) -> dict[Shape, str]:
    """The class that a bias of each shape belongs to; CuDNN's are twice as long."""
    found: dict[Shape, str] = {(columns,): _KINDS.get(gates, "")}
    if gates == 3:
        found[2, columns] = "GRU"
    if gates in _CUDNN:
        found[2 * columns,] = _CUDNN[gates]
    return found


def _convolved(shapes: Sequence[Shape], problem: str) -> Cell:
    """A convolutional LSTM as far as its arrays tell, which is not enough to run it."""
    *size, channels, columns = shapes[0]
    config = {"filters": columns // 4, "kernel_size": size, "use_bias": len(shapes) == 3}
    return Cell(
        kind=_CONVOLVED[len(shapes[0])], config=config, input_size=channels, problem=problem
    )


def _unknown(kind: str, problem: str) -> Cell:
    return Cell(kind=kind, config={}, input_size=0, problem=problem)
