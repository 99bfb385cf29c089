"""What is compared: each quantity, where it stands in a report, and which way is worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from rnndiag.errors import BadOption
from rnndiag.records import LayerReport


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """Something that is compared: where it stands in a report, and which way is worse."""

    name: str
    label: str
    unit: str
    fact: str
    field: str
    worse: Literal["less", "more"] | None
    """None for what is neither good nor bad in itself, such as a norm."""
    tolerance: float
    relative: bool = True

    def of(self, layer: LayerReport) -> float | None:
        """Its value in a layer's report; None where it was not measured."""
        fact = layer.fact(self.fact)
        if fact is None:
            return None
        if isinstance(fact, Mapping):
            # A record for each gate: the worst of them.
            return max(float(getattr(gate, self.field)) for gate in fact.values())
        value = getattr(fact, self.field)
        return None if value is None else float(value)


def _quantity(name: str, label: str, unit: str, source: str, **more: Any) -> Quantity:
    fact, _, field = source.partition(".")
    return Quantity(name=name, label=label, unit=unit, fact=fact, field=field, **more)


_NORM: Mapping[str, Any] = {"worse": None, "tolerance": 0.1}
_SHARE: Mapping[str, Any] = {"worse": "more", "tolerance": 0.05, "relative": False}
QUANTITIES: Sequence[Quantity] = (
    _quantity("span", "span", "timesteps", "gradient_span.span", worse="less", tolerance=0.1),
    _quantity("half_life", "half-life", "timesteps", "gradient_span.half_life", **_NORM),
    _quantity("growth", "growth", "", "gradient_span.growth", **_NORM),
    _quantity(
        "lyapunov", "λ₁", "per step", "lyapunov.top", worse=None, tolerance=0.02, relative=False
    ),
    _quantity("kernel_norm", "‖K‖", "", "weight_norms.kernel", **_NORM),
    _quantity("recurrent_norm", "‖R‖", "", "weight_norms.recurrent", **_NORM),
    _quantity("bias_norm", "‖b‖", "", "weight_norms.bias", **_NORM),
    _quantity("dead_share", "dead units", "share", "unit_activity.dead_share", **_SHARE),
    _quantity("extreme_share", "extreme values", "share", "unit_activity.extreme_share", **_SHARE),
    _quantity("stuck_share", "stuck gates", "share", "gate_activity.stuck_share", **_SHARE),
    _quantity("timescale", "median τ", "timesteps", "timescale.p50", **_NORM),
    _quantity(
        "recurrent_budget",
        "budget of R·h",
        "share",
        "preactivation_budget.recurrent",
        worse=None,
        tolerance=0.05,
        relative=False,
    ),
    _quantity("dimension", "state directions", "", "state_dimension.participation_ratio", **_NORM),
    _quantity(
        "non_finite",
        "NaN or ∞",
        "values",
        "non_finite.total",
        worse="more",
        tolerance=0,
        relative=False,
    ),
)
"""In the order in which they are shown. The tolerances are this project's own: the same network
on another seed's probe moves less."""


def with_tolerances(given: Mapping[str, float]) -> tuple[Quantity, ...]:
    """The quantities with the tolerances `given` by name; raises `BadOption` for other names."""
    known = [quantity.name for quantity in QUANTITIES]
    for name in given:
        if name not in known:
            raise BadOption(f"nothing is compared that is called {name!r}", ", ".join(known))
    return tuple(replace(own, tolerance=given.get(own.name, own.tolerance)) for own in QUANTITIES)
