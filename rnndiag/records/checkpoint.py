"""What a file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rnndiag.records.common import Array, Shape
from rnndiag.records.coverage import StoredArray


@dataclass(frozen=True, kw_only=True)
class Writer:
    """The framework that wrote a file; some equations depend on its version."""

    framework: Literal["keras", "torch"]
    version: str | None = None
    backend: str | None = None
    """What Keras ran on: ``tensorflow``, ``theano``, ``torch`` and so on."""
    assumed: bool = False
    """Whether the version is a guess after what the file holds, which does not tell it."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """The version as numbers, ``()`` where unknown: 2.15 is newer than 2.3."""
        parts = (self.version or "").replace("-", ".").split(".")
        return tuple(int(part) for part in parts[:3] if part.isdigit())


@dataclass(frozen=True, kw_only=True)
class NamedArray:
    """One stored array and the name it has in the file."""

    name: str
    array: Array
    owner: tuple[str, ...] = ()
    """Within a nested model, the layers that it is in, the outermost first; empty where the
    file tells them by no more than the order of the arrays."""
    places: tuple[str, ...] = ()
    """Where in the file it stands, by `StoredArray.name`; several where it is stored in pieces,
    and none where its name says it."""


@dataclass(frozen=True, kw_only=True)
class KerasModel:
    """A Keras model as data: its configuration, and each layer's arrays in stored order."""

    config: Mapping[str, Any]
    weights: Mapping[str, tuple[NamedArray, ...]]
    problems: Mapping[str, str] = field(default_factory=dict)
    """Why a layer cannot be rebuilt, by the name of the layer."""
    isolated: bool = False
    """Whether the configuration was made up from the arrays, so that it says nothing of who
    feeds whom."""


@dataclass(frozen=True, kw_only=True)
class TorchModule:
    """A module of a pickled network, as its attributes tell; none of its code was run."""

    class_name: str
    """With the Python module that it is of: ``torch.nn.modules.rnn.LSTM``."""
    settings: Mapping[str, Any]
    """Its attributes that are numbers, truths and short texts."""
    hooked: bool = False
    """Whether functions were registered that run before or after it."""


@dataclass(frozen=True, kw_only=True)
class StateDict:
    """Tensors by name, as PyTorch's ``state_dict()`` names them; there is no graph."""

    tensors: Mapping[str, Array]
    """Read from the file when they are asked for."""
    shapes: Mapping[str, Shape]
    """The tensors' shapes, in the same order; known without their numbers."""
    modules: Mapping[str, TorchModule] = field(default_factory=dict)
    """By their paths, where the file holds whole modules; the network itself has an empty one."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Recurrent weights that are stored, but not as numbers that can be used; and why."""


@dataclass(frozen=True, kw_only=True)
class TrainingFact:
    """Something the file tells about how the network was trained."""

    name: str
    """For example ``learning_rate``, ``kernel_regularizer``, ``dropout``, ``loss``."""
    value: Any
    layer: str | None = None
    """The layer it belongs to; None for the whole network."""
    parameter: str | None = None
    """The array it belongs to, by its name in the file; None where it is of all of them."""
    source: str
    """Where it was read, for example ``training_config`` or ``optimizer_states[0]``."""


@dataclass(frozen=True, kw_only=True)
class ParameterUpdate:
    """How far the optimizer's last step moved one array, as its state in the file tells."""

    size: int
    """Numbers in the array."""
    weight_rms: float
    """Root mean square of the array itself."""
    update_rms: float | None
    """Root mean square of the last update at the file's learning rate, decoupled weight decay
    left out; None where the optimizer's state does not determine it."""
    gradient_rms: float | None
    """Root mean square of the running mean of the gradient, a coupled weight decay included."""


NO_OPTIMIZER = "the file has no optimizer state; save it beside the weights"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """All that a reader got from one file; nothing in it has been run."""

    path: Path
    format: str
    writer: Writer
    size_bytes: int
    sha256: str
    content: KerasModel | StateDict
    training: tuple[TrainingFact, ...] = ()
    notes: tuple[str, ...] = ()
    unrun: tuple[str, ...] = ()
    """Those of the notes that hold as long as nothing has run the file's pickle."""
    updates: Mapping[str, ParameterUpdate] = field(default_factory=dict)
    """By the name of the array in the file; computed when they are asked for."""
    why_no_updates: str = NO_OPTIMIZER
    """Why `updates` lacks an array, where it does."""
    stored: tuple[StoredArray, ...] = ()
    """Every array in the file, in its order."""
