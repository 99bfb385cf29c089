"""A history's losses as the rules about training look at them."""

from __future__ import annotations

from dataclasses import dataclass

from rnndiag.records import History, Skipped

_ENOUGH = 3
"""Evaluations without which there is no course to judge."""


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Evaluations that have a validation loss, in order."""

    axis: str
    epochs: tuple[float, ...]
    train: tuple[float | None, ...]
    """As long as `epochs`; None where that evaluation has none."""
    validation: tuple[float, ...]

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
        known = [loss for loss in self.train if loss is not None]
        return known[-1] if known else None

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


def losses_of(history: History) -> Losses | Skipped:
    """The evaluations with a validation loss; skipped where there are too few."""
    train = history.train or (None,) * len(history.epochs)
    rows = [
        (epoch, own, validation)
        for epoch, own, validation in zip(history.epochs, train, history.validation, strict=False)
        if validation is not None
    ]
    if not rows:
        return Skipped(reason=f"{history.source} has no validation loss: name it, --val-column")
    if len(rows) < _ENOUGH:
        return Skipped(reason=f"{history.source} has fewer than {_ENOUGH} evaluations")
    epochs, own, validation = zip(*rows, strict=True)
    return Losses(axis=history.axis, epochs=epochs, train=own, validation=validation)
