"""What an optimizer's state tells of its last step, whichever framework wrote it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from rnndiag.records import NO_OPTIMIZER, Array, ParameterUpdate, TrainingFact
from rnndiag.squares import pieces, rms

Compute = Callable[[], ParameterUpdate]
Sizes = tuple[float | None, float | None]
"""Root mean squares of the last update and of the running gradient."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What the optimizers in a file tell of single arrays."""

    facts: tuple[TrainingFact, ...] = ()
    updates: Mapping[str, ParameterUpdate] = field(default_factory=dict)
    why_no_updates: str = NO_OPTIMIZER
    notes: tuple[str, ...] = ()


class LazyUpdates(Mapping[str, ParameterUpdate]):
    """Updates by parameter, each computed when it is first asked for.

    Moments are twice as large as the model, and only those of recurrent layers are looked at.
    """

    def __init__(self, compute: Mapping[str, Compute]) -> None:
        self._compute = compute
        self._done: dict[str, ParameterUpdate] = {}

    def __getitem__(self, name: str) -> ParameterUpdate:
        if name not in self._done:
            self._done[name] = self._compute[name]()
        return self._done[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._compute)

    def __len__(self) -> int:
        return len(self._compute)


@dataclass(frozen=True, kw_only=True)
class AdamStep:
    """The numbers of one step of Adam (Kingma & Ba 2015, algorithm 1) or AdamW."""

    learning_rate: float | None
    beta1: float
    beta2: float
    epsilon: float
    """ε beside √v̂."""
    step: int
    """How many steps were made, from 1 on."""

    def sizes(self, mean: Array, square: Array) -> Sizes:
        """Of lr·m̂/(√v̂ + ε), and of m̂; `square` is v, or its largest so far with amsgrad."""
        if self.step < 1:
            return None, None
        # Whatever is infinite or NaN comes out as such.
        moved = gradient = 0.0
        with np.errstate(all="ignore"):
            for piece in pieces(mean, square):
                corrected, step = self._moved(*piece)
                gradient += float(np.square(corrected).sum())
                moved += float(np.square(step).sum())
        gradient, moved = (math.sqrt(squares / max(1, mean.size)) for squares in (gradient, moved))
        return None if self.learning_rate is None else abs(self.learning_rate) * moved, gradient

    def _moved(self, mean: Array, square: Array) -> tuple[Array, Array]:
        """m̂, and the step for a learning rate of 1."""
        corrected = mean / (1 - self.beta1**self.step)
        spread = np.sqrt(square / (1 - self.beta2**self.step))
        # Where no gradient ever came both moments are 0, and ε may be 0 as well.
        return corrected, corrected / np.where(corrected == 0, 1.0, spread + self.epsilon)


def update_of(array: Array, sizes: Sizes) -> ParameterUpdate:
    """The update of a stored array, of which a step's `sizes` are known."""
    update, gradient = sizes
    return ParameterUpdate(
        size=array.size, weight_rms=rms(array), update_rms=update, gradient_rms=gradient
    )
