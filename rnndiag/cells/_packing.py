"""The arrays of a recurrent layer as each framework stores them, brought to one orientation.

The order of the gates is the cell's own affair; what all cells share stands here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnndiag.activations import Activation, activation
from rnndiag.cells.base import UnfitWeights
from rnndiag.records import Array, LayerSpec


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """Arrays in row-vector orientation, gate blocks in the order of the file."""

    kernel: Array
    """(I, G·H)"""
    recurrent_kernel: Array
    """(H, G·H)"""
    biases: tuple[Array, ...]
    """None; one; or the input's and the recurrent one."""
    projection: Array | None = None
    """PyTorch's ``weight_hr``, turned: (units, H)."""

    @property
    def bias(self) -> Array | None:
        """The sum of the biases, which is all that most cells need; rounded once."""
        if not self.biases:
            return None
        with np.errstate(invalid="ignore"):  # ∞ - ∞ is NaN, and a measurement tells of it
            total: Array = np.stack(self.biases).sum(0, dtype=np.float64)
        return total


def unpack(spec: LayerSpec, gates: int) -> Unpacked:
    """The arrays of a cell with so many gates; raises `UnfitWeights` if they cannot be one's."""
    if len(spec.weights) < 2 or any(array.ndim != 2 for array in spec.weights[:2]):
        shapes = ", ".join(str(array.shape) for array in spec.weights) or "no arrays"
        raise UnfitWeights(f"{spec.kind} needs a kernel and a recurrent kernel, but has {shapes}")
    if spec.packing == "torch":
        return _from_torch(spec.weights, gates)
    return _from_keras(spec.weights, gates)


def names_by_part(spec: LayerSpec) -> dict[str, tuple[str, ...]]:
    """What the file calls each part of a cell; nothing where the names are not known."""
    if len(spec.parameters) < 2:
        return {}
    kernel, recurrent, *rest = spec.parameters
    named = {"kernel": kernel, "recurrent": recurrent}
    if spec.packing == "torch" and len(rest) % 2:
        named["projection"] = rest.pop()
    return {**named, "bias": tuple(name for names in rest for name in names)}


def gate_functions(spec: LayerSpec) -> tuple[Activation, Activation]:
    """φ and σ; PyTorch's and CuDNN's are fixed and in no configuration."""
    return (
        activation(spec.config.get("activation", "tanh"), spec.writer),
        activation(spec.config.get("recurrent_activation", "sigmoid"), spec.writer),
    )


def _from_torch(arrays: tuple[Array, ...], gates: int) -> Unpacked:
    """PyTorch: weight_ih (G·H, I), weight_hh (G·H, H), two biases or none; an LSTM's weight_hr."""
    kernel, recurrent, *rest = arrays
    projection = rest.pop().T if gates == 4 and len(rest) % 2 else None
    if len(rest) not in (0, 2) or len({bias.shape for bias in rest}) > 1:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise UnfitWeights(f"arrays {shapes} are not a recurrent layer's")
    return Unpacked(
        kernel=kernel.T, recurrent_kernel=recurrent.T, biases=tuple(rest), projection=projection
    )


def _from_keras(arrays: tuple[Array, ...], gates: int) -> Unpacked:
    """Keras: kernel (I, G·H), recurrent kernel (H, G·H), at most one bias.

    A bias of twice the columns is CuDNN's: its two halves add up, and the kernels that come
    with it have a layout of their own.
    """
    kernel, recurrent, *biases = arrays
    if len(biases) > 1:
        raise UnfitWeights(f"a recurrent layer has 2 or 3 arrays in Keras, not {len(arrays)}")
    columns = gates * len(recurrent)
    fits = kernel.shape[1] == recurrent.shape[1] == columns
    if fits and gates > 1 and biases and biases[0].shape == (2 * columns,):
        kernel, recurrent = _from_cudnn(kernel, recurrent, gates)
        biases = np.split(biases[0], 2)
    return Unpacked(kernel=kernel, recurrent_kernel=recurrent, biases=tuple(biases))


def _from_cudnn(kernel: Array, recurrent: Array, gates: int) -> tuple[Array, Array]:
    """Undo CuDNN's layout as Keras 2 stores it: each gate's block is transposed.

    A kernel block has the shape (I, H) but holds the data of (H, I), row by row; a recurrent
    block is square and simply turned.
    """
    blocks = np.split(kernel, gates, axis=1)
    turned = [block.reshape(block.shape[::-1]).T for block in blocks]
    recurrent_turned = [block.T for block in np.split(recurrent, gates, axis=1)]
    return np.concatenate(turned, axis=1), np.concatenate(recurrent_turned, axis=1)
