"""How the norms of a layer's weights changed over a series of checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from rnndiag.records import LayerReport, LayerSettings, Series, Setting, Skipped
from rnndiag.rules.base import NO_SERIES

_ENOUGH = 3
"""Checkpoints without which a change is no course."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """The Frobenius norm of one matrix at the two ends of a series, and where it was highest."""

    first: float
    last: float
    peak: float

    @property
    def factor(self) -> float:
        """How many times the first norm the last one is.

        The two ends, and no fitted slope: weights change most at the beginning, which a robust
        slope would take for outliers.
        """
        return self.last / self.first

    @property
    def since_peak(self) -> float:
        """How many times the highest norm the last one is: 1 or less."""
        return self.last / self.peak

    @property
    def text(self) -> str:
        """Both ends and the change between them: ``8 to 12 (+50.0%)``."""
        return f"{self.first:.3g} to {self.last:.3g} ({self.factor - 1:+.1%})"


@dataclass(frozen=True, kw_only=True)
class Courses:
    """All matrices of one layer, over the checkpoints that have all of them."""

    kernel: Course
    recurrent: Course
    bias: Course | None
    """None where the layer has no biases."""
    checkpoints: int
    """How many those are."""

    def kernels(self, own: LayerSettings) -> tuple[Matrix, Matrix]:
        """K and R, with the decay that each is known to have."""
        return (
            Matrix(name="kernel", course=self.kernel, decay=_value(own.kernel_decay)),
            Matrix(
                name="recurrent kernel",
                course=self.recurrent,
                decay=_value(own.recurrent_decay),
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """One of the two kernels."""

    name: str
    course: Course
    decay: float | None
    """None where it is not known."""


def _value(decay: Setting[float] | None) -> float | None:
    return decay.value if decay else None


def courses(layer: LayerReport, series: Series | None) -> Courses | Skipped:
    """The layer's courses; skipped without a series, and where too few checkpoints have it.

    Checkpoints with a gap are left out, and those in which something is still 0, as Keras's
    biases are before the first step: nothing grows from 0 by any factor.
    """
    if series is None:
        return NO_SERIES
    sizes = series.layers.get(f"{layer.id}/{layer.direction}")
    if sizes is None:
        return Skipped(reason="the series does not have this layer: give checkpoints of this run")
    columns = [own for own in (sizes.kernel, sizes.recurrent, sizes.bias) if own]
    rows = [
        tuple(value for value in row if value)
        for row in zip(*columns, strict=True)
        if all(value is not None and value > 0 for value in row)
    ]
    if len(rows) < _ENOUGH:
        return Skipped(
            reason=f"{len(rows)} checkpoints of the series have this layer's norms, and it takes "
            f"{_ENOUGH}: give more with --series"
        )
    found = [Course(first=own[0], last=own[-1], peak=max(own)) for own in zip(*rows, strict=True)]
    return Courses(
        kernel=found[0],
        recurrent=found[1],
        bias=found[2] if len(found) > 2 else None,
        checkpoints=len(rows),
    )
