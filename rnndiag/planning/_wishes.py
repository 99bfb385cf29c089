"""What each finding wants of which setting.

A rule's advice is prose; what it comes to for a setting stands here, by the rule's code, and a
test sees to it that every rule is in one of the tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from rnndiag.records import CONFIDENCES, SEVERITIES, Finding

Way = Literal["raise", "lower"]
"""More of a setting, or its first use; less of it, or none."""


class Rank(IntEnum):
    """How much a wish knows of its setting; lower ones are followed first."""

    MEASURED = 0
    """The rule is about what this very setting has done."""
    CAUSE = 1
    """Something is wrong that the setting acts on."""
    OPTION = 2
    """Nothing is wrong; it has not been tried."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One finding's wish for one setting."""

    knob: str
    way: Way
    rank: Rank
    finding: Finding | None = None
    """None for an experiment that the documents begin with."""

    @property
    def key(self) -> tuple[int, int, int, str]:
        """Whose wish is followed: lower before higher."""
        found = self.finding
        if found is None:
            return self.rank, SEVERITIES.index("note"), len(CONFIDENCES), ""
        # At equal weight the smaller code: gradients and units are causes, histories what follows.
        worst, surest = SEVERITIES.index(found.severity), CONFIDENCES.index(found.confidence)
        return self.rank, worst, surest, found.rule


Row = tuple[tuple[str, Way], ...]
_DECAYS: Row = (("kernel_decay", "raise"), ("recurrent_decay", "raise"))
_LINEARIZE: Row = (("recurrent_decay", "raise"), ("normalization", "raise"))
_BIAS: Row = (("bias_decay", "raise"),)
_STEADIER: Row = (("clipping", "raise"), ("learning_rate", "lower"))
_LESS: Row = (
    *(("kernel_decay", "lower"), ("recurrent_decay", "lower")),
    *(("dropout", "lower"), ("recurrent_dropout", "lower")),
)

CAUSES: Mapping[str, Row] = {
    "RNN101": _LINEARIZE,
    "RNN102": (*_STEADIER, *_DECAYS, ("normalization", "raise")),
    "RNN103": _LINEARIZE,
    "RNN201": (("learning_rate", "lower"),),
    "RNN202": (*_DECAYS, ("normalization", "raise")),
    "RNN203": (*_DECAYS, ("normalization", "raise")),
    "RNN204": (("recurrent_dropout", "raise"), ("recurrent_decay", "raise")),
    "RNN302": _BIAS,
    "RNN303": _DECAYS,
    "RNN304": _BIAS,
    "RNN305": _DECAYS,
    "RNN402": (),
    "RNN403": _BIAS,
    "RNN411": (("max_norm", "raise"), *_STEADIER),
    "RNN502": (("units", "lower"),),
    "RNN601": (
        *_DECAYS,
        *(("recurrent_dropout", "raise"), ("between_dropout", "raise"), ("units", "lower")),
    ),
    "RNN602": (*_LESS, ("units", "raise"), ("learning_rate", "lower")),
    "RNN603": (*_STEADIER, ("normalization", "raise")),
}
MEASURED: Mapping[str, Row] = {
    "RNN306": (("kernel_decay", "lower"), ("recurrent_decay", "lower")),
    "RNN404": (),
    "RNN406": (("dropout", "lower"),),
}
OPTIONS: Mapping[str, Row] = {
    "RNN401": _DECAYS,
    "RNN407": (("recurrent_dropout", "raise"),),
    "RNN410": (("normalization", "raise"),),
    "RNN412": (("optimizer", "raise"),),
    "RNN413": (("zoneout", "raise"),),
}
_TABLES = ((CAUSES, Rank.CAUSE), (MEASURED, Rank.MEASURED), (OPTIONS, Rank.OPTION))
_LARGEST_STEP = 0.1
"""Of a weight in one update, as RNN412 has it."""


def wishes(finding: Finding) -> Iterator[Wish]:
    """Everything that one finding wants changed."""
    for table, rank in _TABLES:
        for knob, way in table.get(finding.rule, ()):
            yield Wish(knob=knob, way=way, rank=rank, finding=finding)
    for knob, way in _by_evidence(finding):
        yield Wish(knob=knob, way=way, rank=Rank.MEASURED, finding=finding)


def _by_evidence(finding: Finding) -> Iterator[tuple[str, Way]]:
    """Where only the numbers of a finding tell which way it points."""
    if finding.rule == "RNN404":
        yield from _out_of_range(finding)
    elif finding.rule == "RNN402":
        yield from _smaller(finding)
    elif finding.rule == "RNN412" and isinstance(finding.evidence.get("training_step"), float):
        large = finding.evidence["training_step"] > _LARGEST_STEP
        yield "learning_rate", "lower" if large else "raise"


def _out_of_range(finding: Finding) -> Iterator[tuple[str, Way]]:
    """The matrices whose decay is as far out as the one that the finding is about."""
    worst = finding.measured
    if worst is None:
        return
    for key, value in finding.evidence.items():
        knob = "kernel_decay" if key == "kernel_decay" else "recurrent_decay"
        if not key.endswith("_decay") or key == "bias_decay" or not isinstance(value, float):
            continue
        if worst.worse == "higher" and value >= worst.value:
            yield knob, "lower"
        elif worst.worse == "lower" and value <= worst.value:
            yield knob, "raise"


def _smaller(finding: Finding) -> Iterator[tuple[str, Way]]:
    """Of two matrices with one decay, the much smaller one is to have less (A: what to do 1)."""
    for key, kernel in finding.evidence.items():
        recurrent = finding.evidence.get(key.replace("kernel_", "recurrent_", 1))
        if key.startswith("kernel_") and kernel is not None and recurrent is not None:
            yield ("kernel_decay" if kernel < recurrent else "recurrent_decay"), "lower"
            return


REPAIRS: Mapping[str, str] = {
    "RNN301": "weights",
    "RNN605": "validation",
    "RNN506": "split",
    "RNN503": "input_scale",
    "RNN504": "shuffle",
    "RNN501": "stride",
    "RNN408": "activity_regularizer",
    "RNN409": "use_bias",
    "RNN405": "optimizer",
    "RNN604": "early_stopping",
    "RNN103": "start",
    "RNN101": "start",
    "RNN201": "activation",
}
"""What comes before any tuning, in this order: rule → setting; the rule's own advice says how."""
LAST: Mapping[str, str] = {"RNN505": "depth", "RNN414": "residual"}
"""Changes of the architecture, for when everything else is in place."""
NO_WISH = ("RNN104",)
"""What reports and asks for nothing."""
