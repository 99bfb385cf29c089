"""How many timesteps a stateful model's carried state may span."""

from __future__ import annotations

from dataclasses import dataclass

from rnndiag.measurements import gradient_span
from rnndiag.records import LayerRun, Options, Skipped


@dataclass(frozen=True, kw_only=True)
class CarriedContext:
    """State *values* carried from window to window; gradients end at each window's start.

    So this is no measured gradient, and it makes sense only where the gradient reaches
    through a whole window.
    """

    timesteps: int
    """Span × windows."""
    span: int
    """The censored gradient span within one window, in timesteps."""
    windows: int
    """Windows that the state is carried across: ``--windows``."""


def measure(run: LayerRun, options: Options) -> CarriedContext | Skipped:
    """Span × windows of a stateful layer whose span is censored."""
    if not run.stateful:
        return Skipped(reason="the layer is not stateful")
    reach = gradient_span.measure(run, options)
    if isinstance(reach, Skipped):
        return reach
    if not reach.censored:
        return Skipped(reason="the gradient does not reach through a whole window")
    return CarriedContext(
        timesteps=reach.span * options.windows, span=reach.span, windows=options.windows
    )
