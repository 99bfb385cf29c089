"""What was run, and what the layers did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rnndiag.records.activity import Activity
from rnndiag.records.checkpoint import NO_OPTIMIZER, ParameterUpdate
from rnndiag.records.common import Array, Direction, Wiring


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
    window: int = 1
    """Places that a convolution's window covers; both kernels have that many rows a channel."""


@dataclass(frozen=True, kw_only=True)
class LayerArrays:
    """What one recurrent layer and direction did at each step; for pictures and for files."""

    h: Array
    """(B, T, H) what the cell computed at each step, before a mask discards it."""
    c: Array | None
    """(B, T, H) LSTM cell state."""
    gate_values: Mapping[str, Array]
    """Gate name → (B, T, H)."""
    dL_dh: Array
    """(B, T, H) total gradient of the chosen cotangent; 0 at masked steps."""
    dL_dc: Array | None
    """(B, T, H) as autograd gives it for c_t, the path c_t → h_t of the same step included."""
    direct: Array
    """(B, T, H) the part of `dL_dh` that comes by way of no later step: all that a gradient of
    the layer's output shows."""
    gamma: Array | None = None
    """(B, T, H) dL/dc_t without that path: (h_t, c_t) as independent coordinates."""


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
    """Units of h; a convolution's are its filters."""
    weights: LayerWeights
    bounded: bool
    """Whether the output activation saturates (tanh, sigmoid, …)."""
    rectified: bool
    """Whether the output activation is zero on a half-line (relu)."""
    framework: str
    activity: Activity
    """What the units and gates did over the unmasked steps, summed up."""
    mask: Array
    """(B, T) bool, true where the step was real to the network."""
    real: Array
    """(B, T) bool, `mask` without trailing padding."""
    why_isotropic: str | None
    """Why the pulse is random unit vectors on h_T; None where it is a loss on the output."""
    pulse_log_norm: Array
    """(P, B, T) natural logarithm of ‖(δ, γ)‖ of each pulse; -inf before it, where it is zero,
    and where it was not followed any further."""
    tangent_log_growth: Array | None
    """(B, T) natural logarithm of a tangent vector's growth in each step; nan at masked ones.
    None where none was sent along."""
    loss_log_norm: Array | None = None
    """(B, T) natural logarithm of ‖(δ, γ)‖ of the loss; None without a loss."""
    arrays: LayerArrays | None = None
    """Every state, gate and gradient, where somebody asked for them."""
    isolated: str | None = None
    """Why the layer was fed with something else than what the network feeds it: noise, mostly."""
    stateful: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What the layer was built with, in the words of its own framework."""
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the file calls its ``kernel``, ``recurrent``, ``bias`` and ``projection``."""
    updates: Mapping[str, ParameterUpdate] = field(default_factory=dict)
    """The optimizer's last step on ``kernel``, ``recurrent`` and ``bias``, where it is known."""
    why_no_updates: str = NO_OPTIMIZER
    """Why it is not."""
    positions: int = 1
    """Places at which each unit has a state of its own: pixels, where a layer convolves. Arrays
    (B, T, H) then have H = positions x units, the units of each place side by side."""
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
    not_rebuilt: Mapping[str, str] = field(default_factory=dict)
    """Why a layer, recurrent or not, was left out of the network, by its name."""
    notes: tuple[str, ...] = ()
