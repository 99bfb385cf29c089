"""What the settings are now, as far as the report tells, and what their next values are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, cast

from rnndiag import decays, ladders
from rnndiag.records import LayerReport, LayerSettings, Report, Setting, Settings
from rnndiag.records.plan import Value
from rnndiag.rules._decay_advice import columns, two_digits
from rnndiag.rules._last_resort import above
from rnndiag.rules._surroundings import behind, normalizations

if TYPE_CHECKING:
    from rnndiag.measurements.weight_norms import WeightNorms

OFF = "none"
_USUAL_RATE = 1e-3
"""Of Adam in both frameworks, for where the learning rate is not known."""
_STARTS: Mapping[str, Value] = {
    **{"between_dropout": 0.3, "clipping": 1.0, "zoneout": 0.1},
    "optimizer": "Nadam",
}
"""What is tried first of settings that have no ladder, as the rules advise it."""
_OF_LAYERS = ("kernel_decay", "recurrent_decay", "bias_decay", "dropout", "recurrent_dropout")


class Present:
    """What is known of the settings of one network."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.settings = report.settings or Settings()
        self.layers = tuple(own for own in report.layers if own.analysed and not own.call)

    def of(self, knob: str) -> Value | None:
        """What it is; None where that is not known, 0 or ``none`` where it is not in use."""
        if knob in _OF_LAYERS:
            return self._largest(knob)
        if knob == "normalization":
            return normalizations(self.report)[0].kind if normalizations(self.report) else OFF
        if knob == "units":
            return self.width
        if knob in ("optimizer", "learning_rate", "clipping"):
            known: Setting[Value] | None = getattr(self.settings, knob)
            return None if known is None else known.value or OFF
        return None

    def _largest(self, name: str) -> float | None:
        found: list[Setting[float] | None] = [
            getattr(own, name) for own in self.settings.layers.values()
        ]
        return max((setting.value for setting in found if setting is not None), default=None)

    @cached_property
    def width(self) -> int | None:
        """The units of every recurrent layer; None where they differ."""
        widths = {layer.hidden_size for layer in self.layers}
        return widths.pop() if len(widths) == 1 else None

    @cached_property
    def norms(self) -> WeightNorms | None:
        """Those of the first recurrent layer, which the rules advise on first as well."""
        return next((norms for _, norms in self.normed()), None)

    @cached_property
    def column(self) -> float:
        """The largest root mean square of column norms, of any K or R; 0 where none is known."""
        return max((max(columns(*own)) for own in self.normed()), default=0.0)

    @property
    def has_biases(self) -> bool:
        """Whether any recurrent layer is known to have some."""
        return any(own.use_bias and own.use_bias.value for own in self.settings.layers.values())

    @property
    def stacks(self) -> bool:
        """Whether something takes what a recurrent layer gives: another one, or what is behind."""
        names = {layer.name for layer in self.layers}
        above_first = any(layer.index > 0 for layer in self.layers) or len(names) > 1
        return above_first or any(behind(layer, self.report) for layer in self.layers)

    def normed(self) -> Iterator[tuple[LayerReport, WeightNorms]]:
        """Each recurrent layer that has them, with its norms."""
        for layer in self.layers:
            norms = layer.fact("weight_norms")
            if norms is not None:
                yield layer, cast("WeightNorms", norms)


# ---------------------------------------------------------------- decays


def decay_range(present: Present, knob: str) -> tuple[float, float]:
    """The documents' decade for one matrix, lower for the one that is much smaller."""
    part = knob.removesuffix("_decay")
    if present.norms is None:
        return decays.SMALLEST, decays.LARGEST
    low, high = (
        getattr(decays.fitted(present.norms, top), part)
        for top in (decays.SMALLEST, decays.LARGEST)
    )
    return float(low), float(high)


def fits(present: Present, knob: str) -> dict[str, float]:
    """The first decay that fits each layer's own matrix, by the layer's id."""
    part = knob.removesuffix("_decay")
    return {layer.id: float(getattr(decays.fitted(own), part)) for layer, own in present.normed()}


def more_decay(present: Present, knob: str, *, strong: bool) -> float | None:
    """A first decay, at the upper end if `strong`, or ten times that of now; None at the end."""
    now = present.of(knob)
    low, high = decay_range(present, knob)
    if not now:
        return high if strong else low
    if present.norms is None:
        return None
    own = LayerSettings(
        kernel_decay=_setting(present.of("kernel_decay")),
        recurrent_decay=_setting(present.of("recurrent_decay")),
    )
    part = knob.removesuffix("_decay")
    fit = decays.next_decay(own, present.norms, raising=(part,))
    return None if fit is None else float(getattr(fit, part))


def less_decay(present: Present, knob: str, *, fit: bool) -> float:
    """A tenth; with `fit` the share that the size of the matrix allows it."""
    now = float(present.of(knob) or 0)
    if fit and present.norms is not None:
        return float(getattr(decays.fitted(present.norms, now), knob.removesuffix("_decay")))
    return rounded(now / 10, 3)


def _setting(value: Value | None) -> Setting[float] | None:
    return None if value is None else Setting(value=float(value), source="")


# ---------------------------------------------------------------- everything else


def higher(present: Present, knob: str, profile: str, *, growing: bool) -> Value | None:
    """The next value upwards of what is no decay; None where there is none."""
    now = present.of(knob)
    if knob == "dropout":
        rungs = (0.3, 0.5) if profile == "b" else ladders.LADDERS["dropout"].rungs
        return next((rung for rung in rungs if rung > float(now or 0)), None)
    if knob == "recurrent_dropout":
        return above(float(now or 0))
    if knob == "max_norm":
        bound = present.column / 2 if growing else present.column
        return two_digits(bound) or None
    if knob == "learning_rate":
        return rounded(10 * float(now), 2) if now else None
    if knob == "units":
        return present.width and 2 * present.width
    return _STARTS.get(knob)


def lower(present: Present, knob: str, profile: str, *, halve: bool) -> Value | None:
    """The next value downwards; None where there is nothing that could go down."""
    now = present.of(knob)
    if knob == "learning_rate":
        return rounded(float(now or _USUAL_RATE) / 3, 1)
    if knob == "units":
        return present.width // 2 if present.width and present.width > 1 else None
    if not now or isinstance(now, str):
        return None
    if knob == "dropout" and not halve:
        return 0.3 if profile == "b" else 0.1
    return rounded(float(now) / 2, 2)


def rounded(value: float, digits: int) -> float:
    """`value` with so many digits: more would promise too much."""
    return float(f"{value:.{digits}g}")
