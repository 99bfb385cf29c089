"""A history's losses as the rules about training look at them."""

from __future__ import annotations

from dataclasses import dataclass

from rnndiag.records import Confidence, History, Settings, Skipped

_ENOUGH = 3
"""Evaluations without which there is no course to judge."""
PATIENCE = 5
"""Evaluations to wait after the best: the fewest of B's checklist."""
_COUNTED = "checkpoint"
"""The source of an epoch that the file counted; hyper-parameters and contexts tell a plan."""


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Evaluations that have a validation loss, in order, up to the checkpoint."""

    axis: str
    epochs: tuple[float, ...]
    train: tuple[float | None, ...]
    """As long as `epochs`; None where that evaluation has none."""
    validation: tuple[float, ...]
    written_last: bool
    """Whether the file says that it was written at the last of them. Otherwise it may be that of
    an earlier one, as where training ends by going back to the best."""

    @property
    def confidence(self) -> Confidence:
        """How sure it is that the last losses are the checkpoint's own."""
        return "high" if self.written_last else "medium"

    @property
    def doubt(self) -> str | None:
        """Why that is not sure."""
        return None if self.written_last else "the checkpoint may be that of an earlier epoch"

    @property
    def best(self) -> int:
        """Which evaluation has the lowest validation loss; the earliest of several."""
        return self.validation.index(self.best_validation)

    @property
    def best_validation(self) -> float:
        """The lowest validation loss."""
        return min(self.validation)

    @property
    def best_epoch(self) -> float:
        """Where it stands on the training's axis."""
        return self.epochs[self.best]

    @property
    def last_validation(self) -> float:
        """Where validation ended."""
        return self.validation[-1]

    @property
    def last_train(self) -> float | None:
        """Where training ended; None without a training loss."""
        known = self.known_train
        return known[-1] if known else None

    @property
    def known_train(self) -> tuple[float, ...]:
        """The training losses of the evaluations that have one."""
        return tuple(loss for loss in self.train if loss is not None)

    @property
    def gap(self) -> float | None:
        """(validation - training) / training at the end; None without a positive training loss."""
        train = self.last_train
        return (self.last_validation - train) / train if train and train > 0 else None

    @property
    def rise(self) -> float:
        """How far validation ended above its best, as a share of the best."""
        size = abs(self.best_validation)
        return (self.last_validation - self.best_validation) / size if size else 0.0

    @property
    def since_best(self) -> int:
        """Evaluations after the best one."""
        return len(self.validation) - 1 - self.best


def losses_of(history: History, settings: Settings) -> Losses | Skipped:
    """The evaluations with a validation loss; skipped where there are too few.

    What came after the checkpoint was written is left out, where the file tells its epoch.
    """
    train = history.train or (None,) * len(history.epochs)
    written = _written(history, settings)
    rows = [
        (epoch, own, validation)
        for epoch, own, validation in zip(history.epochs, train, history.validation, strict=False)
        if validation is not None and (written is None or epoch <= written)
    ]
    if not any(loss is not None for loss in history.validation):
        return Skipped(reason=f"{history.source} has no validation loss: name it, --val-column")
    if len(rows) < _ENOUGH:
        until = "" if written is None else f" up to the checkpoint's epoch, {written}"
        return Skipped(reason=f"{history.source} has fewer than {_ENOUGH} evaluations{until}")
    epochs, own, validation = zip(*rows, strict=True)
    # Some count the epochs that are done, others number them from 0: the last is one less.
    ends = written is not None and epochs[-1] >= written - 1
    return Losses(
        axis=history.axis,
        epochs=epochs,
        train=own,
        validation=validation,
        written_last=ends,
    )


def _written(history: History, settings: Settings) -> int | None:
    """The epoch at which the checkpoint was written, where it counts what the history counts."""
    known = settings.epochs
    if known is None or known.source != _COUNTED or history.axis != "epoch":
        return None
    return known.value
