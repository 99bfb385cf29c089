"""What is known beside the checkpoint: histories, series of checkpoints, trials, settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class History:
    """The losses of a training run, one entry an evaluation (most often an epoch).

    `train` and `validation` are as long as `epochs`; an entry is None where the file has none.
    """

    source: str
    """The file."""
    epochs: tuple[float, ...]
    """Where on the training's axis each entry stands: epochs, or steps."""
    axis: str
    """What `epochs` counts: ``epoch`` or ``step``."""
    train: tuple[float | None, ...]
    """Training loss; empty where the file has none."""
    validation: tuple[float | None, ...]
    """Validation loss; empty where the file has none."""
    train_column: str | None = None
    """The name that the file gives the training loss."""
    validation_column: str | None = None
    not_finite: tuple[float, ...] = ()
    """Where on the axis the training loss was NaN or infinite; `train` has None there."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WeightSizes:
    """Frobenius norms of one recurrent layer and direction at each checkpoint of a series.

    None where a checkpoint lacks the layer, or has no finite weights in it.
    """

    kernel: tuple[float | None, ...]
    recurrent: tuple[float | None, ...]
    bias: tuple[float | None, ...]
    """Empty where the layer has no biases."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """Checkpoints of one training run, the earliest first."""

    checkpoints: tuple[str, ...]
    """The files that could be read."""
    steps: tuple[float | None, ...]
    """Epoch or step of each, where its file tells."""
    layers: Mapping[str, WeightSizes]
    """By ``layer id/direction``, for example ``lstm_l1/forward``."""
    notes: tuple[str, ...] = ()
    """Gaps: files that could not be read, and why."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One setting that was tried, and what came of it."""

    settings: Mapping[str, object]
    """By name, for example ``recurrent_dropout``; what was not set is not there."""
    metric: float


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Settings that were tried, in the order in which they were."""

    source: str
    trials: tuple[Trial, ...]
    metric: str
    """The name of what was measured, for example ``val_loss``."""
    lower_is_better: bool = True
    notes: tuple[str, ...] = ()
    """What was left out of the file."""


@dataclass(frozen=True, kw_only=True)
class Setting(Generic[T]):
    """One thing that is known of how a network was trained."""

    value: T
    source: str
    """Where it was read: ``config``, ``optimizer.param_groups[0]``, ``run.toml``."""


@dataclass(frozen=True, kw_only=True)
class LayerSettings:
    """How one recurrent layer was trained. None where it is not known.

    "Known to be absent" is a value too: 0 for a rate, ``""`` for a constraint.
    """

    kernel_decay: Setting[float] | None = None
    """λ of the L2 penalty or of the decoupled decay on K, whichever there is."""
    recurrent_decay: Setting[float] | None = None
    """The same for R."""
    bias_decay: Setting[float] | None = None
    """The same for b."""
    penalty: Setting[bool] | None = None
    """Whether any of these is a penalty in the loss or gradient, rather than decoupled."""
    dropout: Setting[float] | None = None
    """Of the layer's input."""
    recurrent_dropout: Setting[float] | None = None
    """Of the state that goes round."""
    kernel_constraint: Setting[str] | None = None
    recurrent_constraint: Setting[str] | None = None
    bias_constraint: Setting[str] | None = None
    activity: Setting[str] | None = None
    """An activity regularizer or constraint."""
    use_bias: Setting[bool] | None = None
    stateful: Setting[bool] | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a whole network was trained. None where it is not known."""

    optimizer: Setting[str] | None = None
    """Its class without the framework: ``Adam``, ``AdamW``, ``Nadam``, ``SGD``."""
    learning_rate: Setting[float] | None = None
    weight_decay: Setting[float] | None = None
    """The optimizer's own, on all parameters that it is not kept from; 0 where it has none."""
    decoupled: Setting[bool] | None = None
    """Whether that decay is decoupled from the gradient (Loshchilov & Hutter 2019)."""
    clipping: Setting[str] | None = None
    """What clips gradients, ``clipnorm 1``; ``""`` where nothing does."""
    steps: Setting[int] | None = None
    """Updates of the whole training run."""
    epochs: Setting[int] | None = None
    batch_size: Setting[int] | None = None
    samples: Setting[int] | None = None
    """Sequences in the training set."""
    shuffle: Setting[bool] | None = None
    split: Setting[tuple[float, ...]] | None = None
    """Shares of training, validation and test set."""
    test_in_training: Setting[bool] | None = None
    """Whether the test set was used in training, or to choose anything."""
    conflicts: tuple[str, ...] = ()
    """Where the file and the context say different things, and which was taken."""
    layers: Mapping[str, LayerSettings] = field(default_factory=dict)
    """By `LayerReport.id`."""
