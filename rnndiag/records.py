"""The frozen records that cross the boundaries between the steps of a diagnosis.

Nothing here computes, and nothing here needs torch: a report can be read where torch is
not installed. Shapes use B batch, T timesteps, I input size, H units, G gates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rnndiag.errors import BadOption

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[Any]"
Shape: TypeAlias = tuple[int, ...]
Wiring = Literal["exact", "assumed", "isolated"]
Direction = Literal["forward", "backward"]


# ---------------------------------------------------------------- what a file says


@dataclass(frozen=True, kw_only=True)
class Writer:
    """The framework that wrote a file; some equations depend on its version."""

    framework: Literal["keras", "torch"]
    version: str | None = None
    backend: str | None = None
    """What Keras ran on: ``tensorflow``, ``theano``, ``torch`` and so on."""

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


@dataclass(frozen=True, kw_only=True)
class KerasModel:
    """A Keras model as data: its configuration, and each layer's arrays in stored order."""

    config: Mapping[str, Any]
    weights: Mapping[str, tuple[NamedArray, ...]]


@dataclass(frozen=True, kw_only=True)
class StateDict:
    """Tensors by name, as PyTorch's ``state_dict()`` names them; there is no graph."""

    tensors: Mapping[str, Array]
    """Read from the file when they are asked for."""
    shapes: Mapping[str, Shape]
    """The tensors' shapes, in the same order; known without their numbers."""


@dataclass(frozen=True, kw_only=True)
class TrainingFact:
    """Something the file tells about how the network was trained."""

    name: str
    """For example ``learning_rate``, ``kernel_regularizer``, ``dropout``, ``loss``."""
    value: Any
    layer: str | None = None
    """The layer it belongs to; None for the whole network."""
    source: str
    """Where it was read, for example ``training_config`` or ``optimizer_states[0]``."""


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


# ---------------------------------------------------------------- who feeds whom


@dataclass(frozen=True, kw_only=True)
class Ref:
    """The `tensor`-th output of the `call`-th call of a layer."""

    layer: str
    call: int = 0
    tensor: int = 0


@dataclass(frozen=True, kw_only=True)
class LayerSpec:
    """One layer: Keras's name for its kind, its configuration, its arrays by position.

    A state dict's layers are described in the same terms (``nn.Linear`` as ``Dense``);
    only recurrent arrays keep their framework's `packing`, which the cell unpacks.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    writer: Writer
    weights: tuple[Array, ...] = ()
    packing: Literal["keras", "torch"] = "keras"
    label: str | None = None
    """The name to show where it differs from `name`: ``lstm`` for ``lstm_l1``."""
    index: int = 0
    """Position in a stack that the framework stores as one module."""
    graph: Graph | None = None
    """The layers of a nested model."""
    inner: tuple[LayerSpec, ...] = ()
    """What a wrapper wraps: forward and backward layer, the distributed layer, the cells."""
    problem: str | None = None
    """Why this layer cannot be rebuilt, if it cannot."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One use of a layer in the graph."""

    layer: str
    index: int = 0
    inputs: tuple[Ref, ...] = ()
    initial_state: tuple[Ref, ...] = ()
    mask: Ref | None = None
    """A mask that the call is given by hand, in the place of the input's own."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A network as data; `calls` stand in an order in which they can run."""

    layers: Mapping[str, LayerSpec]
    calls: tuple[Call, ...]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    wiring: Wiring = "exact"
    notes: tuple[str, ...] = ()


# ---------------------------------------------------------------- what was run


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything a user can choose about a diagnosis; the command line's options."""

    probe: str | None = None
    probe_key: tuple[str, ...] = ()
    probe_kind: Literal["auto", "normal", "uniform", "onehot", "ids"] = "auto"
    targets: str | None = None
    targets_key: tuple[str, ...] = ()
    loss: str | None = None
    loss_weights: tuple[float, ...] = ()
    """What each output's loss counts; all the same where there are none."""
    timesteps: int | None = None
    batch: int = 16
    seeds: int = 3
    seed: int = 0
    device: str = "auto"
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    windows: int = 1
    alpha: float = 1e-2

    def __post_init__(self) -> None:
        """Raises `BadOption`: the command line is not the only caller."""
        for name in ("batch", "seeds", "windows"):
            if getattr(self, name) < 1:
                raise BadOption(f"{name} is {getattr(self, name)}, but must be at least 1")
        if self.timesteps is not None and self.timesteps < 1:
            raise BadOption(f"timesteps is {self.timesteps}, but must be at least 1")
        if self.seed < 0:
            raise BadOption(f"seed is {self.seed}, but must not be negative")
        if not 0 < self.alpha < 1:
            raise BadOption(f"alpha is {self.alpha}, but must lie between 0 and 1")
        for file in ("probe", "targets"):
            if getattr(self, f"{file}_key") and getattr(self, file) is None:
                hint = f"name the file: --{file} FILE"
                raise BadOption(f"--{file}-key without --{file}", hint)
        if self.probe_kind not in ("auto", "normal", "uniform", "onehot", "ids"):
            raise BadOption(f"probe_kind is {self.probe_kind!r}, which rnndiag cannot make up")
        if self.nonlinearity not in ("tanh", "relu"):
            raise BadOption(f"nonlinearity is {self.nonlinearity!r}, but must be tanh or relu")


@dataclass(frozen=True, kw_only=True)
class Probe:
    """The batches that are run through the network; seeds are stacked along the batch."""

    inputs: tuple[Array, ...]
    source: Literal["synthetic", "file"]
    batch: int
    timesteps: int
    seeds: int
    paddings: tuple[Array | None, ...] = ()
    """For each input (B, T) bool, true at trailing steps of zeros; None where none are."""
    packed: bool = False
    """Whether the padding is to be skipped, as PyTorch does with packed sequences."""
    targets: tuple[Array, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LayerWeights:
    """The arrays of one recurrent layer and direction, in row-vector orientation.

    ``kernel`` (I, G·H), ``recurrent_kernel`` (H, G·H), ``bias`` (G·H,) or None; column
    blocks in the order of `gates`. Two biases that enter as a sum are summed; a recurrent
    bias that does not (GRU with reset_after) is in ``recurrent_bias``.
    """

    gates: tuple[str, ...]
    kernel: Array
    recurrent_kernel: Array
    bias: Array | None
    recurrent_bias: Array | None = None


@dataclass(frozen=True, kw_only=True)
class LayerRun:
    """What one recurrent layer and direction did on the probe, in processing order."""

    name: str
    id: str
    """The name that no other layer has: ``lstm_l1`` in the stack ``lstm``."""
    kind: str
    direction: Direction
    index: int
    call: int
    input_size: int
    hidden_size: int
    weights: LayerWeights
    bounded: bool
    """Whether the output activation saturates (tanh, sigmoid, …)."""
    rectified: bool
    """Whether the output activation is zero on a half-line (relu)."""
    framework: str
    h: Array
    """(B, T, H) what the cell computed at each step; the states that were carried: see mask."""
    c: Array | None
    """(B, T, H) LSTM cell state."""
    gate_values: Mapping[str, Array]
    """Gate name → (B, T, H)."""
    preactivations: Mapping[str, Mapping[str, float]]
    """Gate name → mean square of the kernel, recurrent and bias parts of its pre-activation."""
    mask: Array
    """(B, T) bool, true where the step was real to the network."""
    real: Array
    """(B, T) bool, `mask` without trailing padding."""
    why_isotropic: str | None
    """Why the pulse is random unit vectors on h_T; None where it is a loss on the output."""
    pulse_log_norm: Array
    """(P, B, T) natural logarithm of ‖(δ, γ)‖ of each pulse; -inf before it and where zero."""
    tangent_log_growth: Array
    """(B, T) natural logarithm of a tangent vector's growth in each step; nan at masked ones."""
    dL_dh: Array
    """(B, T, H) total gradient of the chosen cotangent; 0 at masked steps."""
    dL_dc: Array | None
    """(B, T, H) as autograd gives it for c_t, the path c_t → h_t of the same step included."""
    gamma: Array | None = None
    """(B, T, H) dL/dc_t without that path: (h_t, c_t) as independent coordinates."""
    loss_log_norm: Array | None = None
    """(B, T) natural logarithm of ‖(δ, γ)‖ of the loss; None without a loss."""
    isolated: str | None = None
    """Why the layer was fed with noise instead of what the network feeds it."""
    stateful: bool = False
    seeds: int = 1
    """How many made-up probes are stacked along B, each as many samples as the others."""


@dataclass(frozen=True, kw_only=True)
class NotAnalysed:
    """A recurrent layer, or one that may be, that could not be run."""

    name: str
    kind: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ProbeRun:
    """One probe through one network."""

    probe: Probe
    device: str
    wiring: Wiring
    layers: tuple[LayerRun, ...]
    not_analysed: tuple[NotAnalysed, ...]
    outputs: tuple[Array, ...]
    """The network's outputs; empty where its wiring is not known to the end."""
    loss: float | None = None
    notes: tuple[str, ...] = ()


# ---------------------------------------------------------------- what was found


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A measurement that does not apply here, and why: a result, not an error."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Failed(Skipped):
    """A measurement that broke: whoever reads the report goes on as if it were skipped."""


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """One recurrent layer and direction in the report."""

    name: str
    id: str
    """The name that no other layer has, and the prefix of its arrays: ``lstm_l1``."""
    kind: str
    direction: Direction | None
    index: int
    input_size: int | None
    hidden_size: int | None
    analysed: bool
    call: int = 0
    """Which use of a shared layer this is."""
    reason: str | None = None
    measurements: Mapping[str, Any] = field(default_factory=dict)
    """Measurement name → its fact, or `Skipped` or `Failed` with the reason."""


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """The probe as the report tells of it."""

    source: Literal["synthetic", "file"]
    batch: int
    timesteps: int
    seeds: int
    device: str
    wiring: Wiring
    loss: float | None = None


@dataclass(frozen=True, kw_only=True)
class CheckpointReport:
    """The file as the report tells of it."""

    path: str
    format: str
    framework: str
    framework_version: str | None
    sha256: str
    bytes: int
    parameters: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a diagnosis; every output format is a function of it."""

    rnndiag_version: str
    exit_code: int
    checkpoint: CheckpointReport
    probe: ProbeReport
    layers: tuple[LayerReport, ...]
    training: tuple[TrainingFact, ...] = ()
    notes: tuple[str, ...] = ()
    schema_version: int = 1
