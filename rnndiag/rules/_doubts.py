"""Why a rule is not sure of what it says, where several rules have the same doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnndiag.records import Confidence

if TYPE_CHECKING:
    from rnndiag.measurements.gradient_span import GradientSpan


def by_pulse(span: GradientSpan) -> tuple[Confidence, str | None]:
    """High where the gradient is that of the network's output; otherwise medium, and why."""
    if span.cotangent == "output":
        return "high", None
    why = f": {span.why_isotropic}" if span.why_isotropic else ""
    return "medium", f"the pulse is random unit vectors, no loss of the network{why}"


def seeds_differ(span: GradientSpan) -> str:
    """What each made-up probe gave: ``spans by seed: 6, 8, 14``."""
    spans = ", ".join("none" if own is None else str(own) for own in span.by_seed)
    return f"spans by seed: {spans}"
