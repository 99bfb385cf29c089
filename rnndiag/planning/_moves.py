"""From a decision to a move: the setting's next value, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rnndiag import decays
from rnndiag.decays import written
from rnndiag.planning import _values
from rnndiag.planning._decisions import Decision
from rnndiag.planning._knobs import KNOBS
from rnndiag.planning._values import OFF, Present
from rnndiag.planning._wishes import Rank
from rnndiag.records.plan import Value

_STRONG = ("RNN102", "RNN411")
"""Rules that ask for the higher of the documents' decays."""
_LAYER_FIRST = {"RNN101", "RNN102", "RNN103", "RNN202", "RNN203", "RNN603"}
"""Rules for which layer normalization comes before batch normalization."""
_DECAYS = ("kernel_decay", "recurrent_decay")
_NOISE = ("dropout", "recurrent_dropout", "between_dropout", "zoneout")


@dataclass(frozen=True, kw_only=True)
class Move:
    """What a decision comes to."""

    decision: Decision
    text: str
    """What to do, or why there is nothing to do."""
    value: Value | None = None
    """None where the setting stays as it is."""
    source: str


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a move depends on, besides its own decision."""

    present: Present
    profile: str
    bounded: bool
    """Whether a bound on the weights is to take the place of a first decay."""
    kinds: tuple[str, ...]
    """Kinds of normalization that no trial has scrapped, in the order to try."""
    best: Mapping[str, float | str]
    """The settings of the best trial."""


def move(decision: Decision, around: Surroundings) -> Move:
    """The next value by the trials where there are any, else by what is followed."""
    if decision.tried is not None:
        return _by_trials(decision)
    if decision.knob == "normalization":
        return _normalization(decision, around)
    if decision.way == "lower":
        return _down(decision, around)
    return _up(decision, around)


def _by_trials(decision: Decision) -> Move:
    tried, section = decision.tried, KNOBS[decision.knob].section
    assert tried is not None
    if tried.value is not None:
        return Move(decision=decision, value=tried.value, text=tried.reason, source=section)
    end = "none of it helped" if tried.scrapped else f"keep {_told(tried.best)}"
    text = f"{end}: {tried.reason}"
    return Move(decision=decision, text=text, source=section)


def _down(decision: Decision, around: Surroundings) -> Move:
    knob, present = decision.knob, around.present
    now, section = present.of(knob), _cited(decision)
    if knob in _DECAYS:
        fit = "RNN402" in decision.rules
        value: Value | None = _values.less_decay(present, knob, fit=fit) if now else None
    else:
        value = _values.lower(present, knob, around.profile, halve="RNN602" in decision.rules)
    if value is None or value == now:
        return Move(decision=decision, text=_nothing_to_lower(knob, now), source=section)
    text = f"{_told(value)}{_instead(now)}"
    return Move(decision=decision, value=value, text=text, source=section)


def _nothing_to_lower(knob: str, now: Value | None) -> str:
    called = KNOBS[knob].called
    if knob == "units":
        return "the layers have different sizes: halve them by hand"
    if now is None:
        return f"too little is learned for more {called}; if there is any, halve it"
    return f"too little is learned for any {called}, and there is none"


def _up(decision: Decision, around: Surroundings) -> Move:
    knob, present, section = decision.knob, around.present, _cited(decision)
    now = present.of(knob)
    if knob in _DECAYS and around.bounded and decision.rank is Rank.OPTION:
        told = "a bound on the weights takes its place while the learning rate is this high"
        return Move(decision=decision, text=told, source="A: what to do 6")
    why_not = _pointless(decision, around)
    if why_not:
        return Move(decision=decision, text=why_not, source=section)
    value = _next(decision, around)
    if value is None:
        told = f"{_told(now)} is as far as the documents go" if now else "no value fits"
        return Move(decision=decision, text=told, source=section)
    return Move(decision=decision, value=value, text=_how(decision, value, around), source=section)


def _next(decision: Decision, around: Surroundings) -> Value | None:
    knob, present = decision.knob, around.present
    if knob in _DECAYS:
        return _values.more_decay(present, knob, strong=bool(decision.rules & set(_STRONG)))
    if knob == "bias_decay":
        return _bias(present)
    if knob == "clipping" and present.of(knob) not in (None, OFF):
        return None
    growing = "RNN102" in {wish.finding.rule for wish in decision.followed if wish.finding}
    return _values.higher(present, knob, around.profile, growing=growing)


def _bias(present: Present) -> float:
    """No more than what K and R have, or are to begin with."""
    own = [float(present.of(knob) or _values.decay_range(present, knob)[0]) for knob in _DECAYS]
    return min(own)


def _pointless(decision: Decision, around: Surroundings) -> str | None:
    knob, now = decision.knob, around.present.of(decision.knob)
    if knob == "clipping" and now not in (None, OFF):
        return f"gradients are clipped already ({now}): halve that if they still leap"
    if knob == "between_dropout" and not around.present.stacks:
        return "nothing is known to stand behind the recurrent layer"
    return None


def _how(decision: Decision, value: Value, around: Surroundings) -> str:
    """The value, what it was, and what follows it."""
    knob, now = decision.knob, around.present.of(decision.knob)
    text = f"{_told(value)}{_instead(now)}"
    if knob in _DECAYS and not now:
        _, high = _values.decay_range(around.present, knob)
        other = f", then {written(high)}; keep what validates better" if value != high else ""
        return f"{text}{other}{_fitted_to(around.present, knob, value)}"
    if knob == "optimizer":
        return f"{text}, or AdamW; keep what validates better"
    later = {
        "dropout": {0.1: "0.2 if it helps, none if not"},
        "recurrent_dropout": {
            0.2: "0.4 if it helps, none if not",
            0.4: "0.5 if it helps, 0.3 if not",
        },
        "between_dropout": {0.3: "up to 0.5 if it helps"},
        "zoneout": {0.1: "in the place of recurrent dropout"},
    }.get(knob, {})
    then = later.get(value) if isinstance(value, float) else None
    return f"{text}; {then}" if then else text


def _fitted_to(present: Present, knob: str, value: Value) -> str:
    """Whose matrices a first decay is fitted to, where other layers would get another one."""
    fits = _values.fits(present, knob)
    others = {name: own for name, own in fits.items() if own != value}
    if len(others) == len(fits):
        return ""
    told = ", ".join(f"{written(own)} would fit {name}" for name, own in others.items())
    return f" ({told})" if told else ""


def _normalization(decision: Decision, around: Surroundings) -> Move:
    now = around.present.of("normalization")
    kinds = around.kinds
    if decision.rules & _LAYER_FIRST and "layer" in kinds:
        kinds = ("layer", *(kind for kind in kinds if kind != "layer"))
    section = "B: tuning: unstable" if "RNN603" in decision.rules else "A: what to do 4"
    if now != OFF:
        return Move(decision=decision, text=f"{now} is in place", source=section)
    if not kinds:
        told = "every kind was tried: keep what helped, the others are scrapped"
        return Move(decision=decision, text=told, source=section)
    then = f"; then {kinds[1]} normalization in its place" if len(kinds) > 1 else ""
    text = f"{kinds[0]}: keep it if validation improves, else scrap it{then}"
    return Move(decision=decision, value=kinds[0], text=text, source=section)


# ---------------------------------------------------------------- words


def _cited(decision: Decision) -> str:
    """The section that says so: for a network that learns too little, B's."""
    first = decision.followed[0].finding if decision.followed else None
    if first is not None and first.rule == "RNN602":
        return "B: tuning: underfits"
    if "RNN601" in decision.rules and decision.knob in ("units", "between_dropout"):
        return "B: tuning: overfits"
    return KNOBS[decision.knob].section


def is_noise(knob: str) -> bool:
    """Whether it disturbs training at random, which is of use against learning by heart alone."""
    return knob in _NOISE


def _instead(now: Value | None) -> str:
    if now is None:
        return ""
    return " where there is none" if not now or now == OFF else f" instead of {_told(now)}"


def _told(value: Value | None) -> str:
    return decays.written(value) if isinstance(value, float) else str(value)
