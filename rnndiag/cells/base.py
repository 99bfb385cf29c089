"""What every recurrent cell offers, and what follows for any cell from its step alone.

Row-vector convention throughout: x (…, I), kernel (I, G·H), recurrent kernel (H, G·H),
gate blocks side by side in the order of ``gates``. ``z`` is the input's projection,
x @ kernel + bias, and ``r`` what `Cell.products` makes of the state before. A state is a tuple
of tensors, h first. What takes z and r takes one timestep (B, …) or many (T, B, …) at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from rnndiag import mapping
from rnndiag.activations import Activation
from rnndiag.cells.linearisation import AutogradLinearisation, Linearisation, State
from rnndiag.products import Product
from rnndiag.records import Array, LayerSpec, LayerWeights


class UnfitWeights(ValueError):
    """The arrays in the file do not fit the cell that the file names."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What a cell did at some timesteps, (n, B, …) each: all that its derivatives take."""

    z: Tensor
    r: Tensor
    gates: tuple[Tensor, ...]
    """The activated gates, (n, B, H) each."""
    before: State
    """What each step started from."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Pre-activations as sums of three parts; they broadcast to (n, B, columns)."""

    kernel: Tensor
    recurrent: Tensor
    bias: Tensor


@dataclass(frozen=True, kw_only=True)
class InTorch:
    """A cell as torch.nn has it; its state dict shows how many gates, and nothing else."""

    name: str
    """Its class in torch.nn, which packs one block of rows for each of the cell's gates."""
    projects: bool = False
    """Whether it may have ``weight_hr``, which narrows the state."""
    chooses_activation: bool = False
    """Whether it has tanh or relu by an argument, which the state dict does not tell."""


class Cell(nn.Module, ABC):
    """A recurrent cell with its weights, exact in evaluation mode."""

    kinds: ClassVar[tuple[str, ...]]
    """Keras's names: its layer first; those of cells by themselves end in ``Cell``."""
    gates: ClassVar[tuple[str, ...]]
    """In the order of the column blocks. The measurements go by these names: ``forget`` or
    ``update`` keeps the state, ``candidate`` is what may be written to it."""
    in_torch: ClassVar[InTorch | None] = None
    kernel: Tensor
    recurrent_kernel: Tensor
    bias: Tensor

    def __init__(
        self,
        kernel: Array,
        recurrent_kernel: Array,
        bias: Array | None,
        functions: tuple[Activation, ...],
        units: int | None = None,
    ) -> None:
        """`functions` are the state's activation and, in a gated cell, the gates'.

        `units` is the width of a gate's block where it is not that of h. Raises
        `UnfitWeights` where the shapes are not the cell's.
        """
        super().__init__()
        hidden = len(recurrent_kernel)
        columns = len(self.gates) * (units or hidden)
        self._keep("kernel", kernel, len(kernel), columns)
        self._keep("recurrent_kernel", recurrent_kernel, hidden, columns)
        self._keep("bias", bias, columns)
        # All of them are copies, of what may be mapped.
        mapping.let_go()
        self.has_bias = bias is not None
        self.functions = functions

    @classmethod
    @abstractmethod
    def from_spec(cls, spec: LayerSpec) -> Cell:
        """Unpack the arrays of `spec`; raises `UnfitWeights`."""

    @abstractmethod
    def products(self, z: Tensor, state: State) -> Tensor:
        """What the recurrent kernel makes of the state, r (…, G·H): all that is costly."""

    @abstractmethod
    def activate(self, z: Tensor, r: Tensor) -> tuple[Tensor, ...]:
        """The activated gates, in the order of ``gates``."""

    @abstractmethod
    def advance(self, gates: tuple[Tensor, ...], state: State) -> State:
        """The next state, by the activated gates."""

    def step(self, z: Tensor, state: State) -> State:
        """The cell's equations: the next state."""
        return self.advance(self.activate(z, self.products(z, state)), state)

    def hidden_states(self, x: Tensor, state: State) -> Tensor | None:
        """(n, B, H) what h is after each step of `x`, by a kernel that runs them in one call.

        None where there is no such kernel; then the steps go one by one.
        """
        return None

    def follow(self, gates: tuple[Tensor, ...], before: Tensor, first: State) -> State:
        """What steps in a row leave, (n, B, H) each: `advance` for all of them together.

        Known are the activated gates, the h `before` each step, and the whole of the `first` state.
        """
        return self.advance(gates, (before,))

    @property
    def offset(self) -> Tensor:
        """What `project` adds to each element of the pre-activations."""
        return self.bias

    def parts(self, steps: Steps) -> tuple[Parts, ...]:
        """The gates' pre-activations by origin: of a few gates at a time, in their order."""
        return (Parts(kernel=steps.z - self.offset, recurrent=steps.r, bias=self.offset),)

    @property
    def activation(self) -> Activation:
        """The state's activation function."""
        return self.functions[0]

    @property
    def recurrent_activation(self) -> Activation:
        """The gates' activation function; without gates, the state's."""
        return self.functions[-1]

    @property
    def input_size(self) -> int:
        """Features that each timestep of the input has."""
        return self.kernel.shape[0]

    @property
    def hidden_size(self) -> int:
        """Width of the hidden state h, at one of its positions."""
        return self.recurrent_kernel.shape[0]

    @property
    def units(self) -> int:
        """Width of a gate, at one of its positions; with a projection h has fewer."""
        return self.bias.shape[0] // len(self.gates)

    @property
    def positions(self) -> int:
        """Places at which each unit has a state of its own; they stand side by side in h."""
        return 1

    @property
    def has_slopes(self) -> bool:
        """Whether all activations act on each element by itself, as closed forms need."""
        return all(function.elementwise for function in self.functions)

    # A cell that reads images (`conv_lstm`) has its own of these; all others read vectors.

    @property
    def step_shape(self) -> tuple[int, ...]:
        """One timestep of an input that the cell takes; where several fit, one of them."""
        return (self.input_size,)

    @property
    def wanted(self) -> str:
        """The input's shape, for a person."""
        return f"(batch, timesteps, {self.input_size})"

    def takes(self, x: Tensor) -> bool:
        """Whether `x` is such an input."""
        return x.dim() == 3 and x.shape[-1] == self.input_size

    def over(self, x: Tensor) -> Cell:
        """The cell to run over the input `x`."""
        return self

    def flattened(self, state: Tensor) -> Tensor:
        """A part of the state as Keras has it, in a row for each sample."""
        return state

    def shaped(self, state: Tensor) -> Tensor:
        """What undoes `flattened`, whatever axes stand before."""
        return state

    def project(self, x: Tensor) -> Tensor:
        """The input's share of all pre-activations, biases included."""
        return self.inwards(x, self.offset)

    def unproject(self, x: Tensor, dz: Tensor) -> Tensor:
        """The gradient of the input `x` from that of its projection."""
        return dz @ self.kernel.T

    def zero_state(self, batch: int) -> State:
        """The state before the first step, where nothing else is given."""
        return (self.kernel.new_zeros(batch, self.hidden_size),)

    def linearise(self, steps: Steps) -> Linearisation:
        """Jacobians of the `steps`; a cell with a closed form returns its own."""
        return AutogradLinearisation(self.step, steps.z, steps.before)

    def hidden_cotangent(self, steps: Steps, cotangent: State) -> State:
        """Autograd's totals for the states: what reaches c_t through h_t is added to γ_t."""
        return cotangent

    def stored(self) -> LayerWeights:
        """The weights as arrays, for the measurements."""
        return LayerWeights(
            gates=self.gates,
            kernel=as_array(self.kernel),
            recurrent_kernel=as_array(self.recurrent_kernel),
            bias=as_array(self.bias) if self.has_bias else None,
        )

    @cached_property
    def inwards(self) -> Product:
        """From the input to the pre-activations."""
        return Product(self.kernel, often=False)

    @cached_property
    def onwards(self) -> Product:
        """From a state to the next step's pre-activations."""
        return Product(self.recurrent_kernel)

    @cached_property
    def backwards(self) -> Product:
        """From the gradient of the pre-activations to that of the state before."""
        return Product(self.recurrent_kernel.T)

    def _apply(self, *args: Any, **options: Any) -> Any:
        """What `to` and `double` do to the weights: the products are others then."""
        self._forget_products()
        return super()._apply(*args, **options)  # type: ignore[no-untyped-call]

    def load_state_dict(self, *args: Any, **options: Any) -> Any:
        """Take other weights."""
        self._forget_products()
        return super().load_state_dict(*args, **options)

    def _forget_products(self) -> None:
        for name in [own for own, value in vars(self).items() if isinstance(value, Product)]:
            del self.__dict__[name]

    def _keep(self, name: str, array: Array | None, *shape: int) -> None:
        """Hold an array, which must have this shape; zeros where the file has none."""
        array = np.zeros(shape, np.float32) if array is None else array
        if array.shape != shape:
            kind = type(self).__name__
            raise UnfitWeights(f"the {name} of this {kind} has shape {array.shape}, not {shape}")
        self.register_buffer(name, as_tensor(array))


def as_tensor(array: Array) -> Tensor:
    """A float32 tensor of its own memory, column by column, as torch's kernels take a matrix."""
    tensor = torch.empty(array.shape[::-1], dtype=torch.float32).t()
    # Beyond float32's range is infinite, and a measurement tells of it.
    with np.errstate(over="ignore"):
        tensor.numpy()[...] = array
    return tensor


def as_array(tensor: Tensor) -> Array:
    """The array of a detached tensor, on the CPU."""
    array: Array = tensor.detach().cpu().numpy()
    return array
