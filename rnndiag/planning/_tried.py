"""What the trials say of each setting: the ladders' next rung, then finer values.

Where a ladder has come to its end, the best value is refined: towards the better of its two
neighbours if it lies between others, outwards if it is the last on its side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rnndiag import ladders
from rnndiag.decays import HIGHEST, written
from rnndiag.planning._values import rounded
from rnndiag.records import Trials
from rnndiag.records.plan import Best, Value

_COARSE_RATIO = 3.0
"""Decays and learning rates closer together than this are not worth a training in between."""
_COARSE_GAP = 0.1
"""The same of rates of dropout: the documents' rungs are this far apart."""
_DECAYS = ("kernel_decay", "recurrent_decay")
_RANGES = {
    **dict.fromkeys(_DECAYS, (1e-5, HIGHEST)),
    "learning_rate": (1e-6, 1.0),
    "dropout": (0.0, 0.2),
    "recurrent_dropout": (0.0, 0.5),
    "zoneout": (0.0, 0.2),
}
"""Beyond which no trial leads."""
_SWITCHES = ("batch_normalization", "layer_normalization", "recurrent_batch_normalization")
_PARTS = ("kernel_decay", "recurrent_decay", "bias_decay")


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What was learned of one setting."""

    value: Value | None
    """To try next; None where it is settled."""
    reason: str
    best: Value | None = None
    """The best so far; None where nothing tells."""
    scrapped: bool = False
    """Whether nothing that was tried of it helped."""
    low: float | None = None
    """The neighbours of the best value, between which a finer one may lie."""
    high: float | None = None


def tried(trials: Trials | None) -> dict[str, Tried]:
    """By setting, of those that the trials say anything of."""
    if trials is None:
        return {}
    found = {}
    for knob in _RANGES:
        by_value = _by_value(knob, trials)
        if len(by_value) > (0 if knob in ladders.LADDERS else 1) and any(by_value):
            found[knob] = _tried(knob, by_value, trials)
    return found


def best(trials: Trials | None) -> Best | None:
    """The best of all trials."""
    if trials is None:
        return None
    first = min(trials.trials, key=lambda trial: _cost(trial.metric, trials))
    metric = first.metric if math.isfinite(first.metric) else None
    return Best(metric=trials.metric, value=metric, settings=dict(first.settings))


def best_of(trials: Trials | None) -> dict[str, float | str]:
    """What the best trial has of the settings that a plan may change."""
    found = best(trials)
    own = found.settings if found else {}
    kinds = [name.removesuffix("_normalization") for name in _SWITCHES if own.get(name)]
    kind = own.get("normalization") or next(iter(kinds), None)
    numbers = {knob: _named(knob, own) for knob in _RANGES}
    known = {knob: value for knob, value in numbers.items() if value is not None}
    return {**known, "normalization": str(kind)} if kind else {**known}


def normalizations(trials: Trials | None) -> dict[str, bool]:
    """Which kinds of normalization were tried, and whether each was worth keeping."""
    found: dict[str, bool] = {}
    if trials is None:
        return found
    for name in _SWITCHES:
        costs: dict[bool, float] = {}
        for trial in trials.trials:
            # A study of this plan's own space has one setting for all kinds.
            kind = str(trial.settings.get("normalization", ""))
            on = bool(trial.settings.get(name)) or kind == name.removesuffix("_normalization")
            cost = _cost(trial.metric, trials)
            costs[on] = min(costs.get(on, math.inf), cost)
        if len(costs) == 2:
            found[name] = costs[True] < costs[False]
    return found


def _cost(metric: float, trials: Trials) -> float:
    return metric if trials.lower_is_better else -metric


def _by_value(knob: str, trials: Trials) -> dict[float, float]:
    """Value → the best cost with it; of trials that do not name the setting 0, if others do."""
    named = [_named(knob, trial.settings) for trial in trials.trials]
    if not any(value is not None for value in named):
        return {}
    found: dict[float, float] = {}
    for value, trial in zip(named, trials.trials, strict=True):
        if value is None and knob not in ladders.LADDERS:
            continue
        key, cost = value or 0.0, _cost(trial.metric, trials)
        found[key] = min(found.get(key, math.inf), cost)
    return found


def _named(knob: str, settings: Mapping[str, object]) -> float | None:
    value = settings.get(knob)
    if value is None and knob in _PARTS:
        value = settings.get("weight_decay")
    return float(value) if isinstance(value, (int, float)) else None


def _tried(knob: str, by_value: Mapping[float, float], trials: Trials) -> Tried:
    if knob not in ladders.LADDERS:
        return _refined(knob, by_value, min(by_value, key=by_value.__getitem__), _told(trials))
    rung = ladders.next_step(knob, trials)
    if rung.value is not None:
        return Tried(value=rung.value, reason=rung.reason)
    if rung.keep == "scrap" or rung.keep is None:
        return Tried(value=None, reason=rung.reason, scrapped=True)
    return _refined(knob, by_value, float(rung.keep), rung.reason)


def _told(trials: Trials) -> str:
    return f"by {trials.metric} of {len(trials.trials)} trials"


def _refined(knob: str, by_value: Mapping[float, float], value: float, reason: str) -> Tried:
    """The best value with its neighbours, and what to try between them."""
    logarithmic = knob in _DECAYS or knob == "learning_rate"
    low, high = _neighbours(knob, by_value, value, logarithmic)
    # Outwards first, where the best is the last on its side; else towards the better neighbour.
    sides = sorted((low, high), key=lambda side: by_value.get(side, -math.inf))
    between = [_middle(value, side, logarithmic) for side in sides]
    fine = next((own for own in between if own is not None), None)
    told = reason
    if fine is not None:
        # Against the baseline is enough: the other rungs lie in the file.
        first = reason.partition(";")[0]
        told = f"{written(fine)}, as {written(value)} is the best so far ({first})"
    return Tried(value=fine, reason=told, best=value, low=low, high=high)


def _neighbours(
    knob: str, by_value: Mapping[float, float], value: float, logarithmic: bool
) -> tuple[float, float]:
    """What was tried next to it on either side, else as far as a decade or the range goes."""
    least, most = _RANGES[knob]
    others = [own for own in by_value if own > 0 or not logarithmic]
    below = max((own for own in others if own < value), default=None)
    over = min((own for own in others if own > value), default=None)
    if below is None:
        below = max(least, value / 10) if logarithmic else least
    if over is None:
        over = min(most, value * 10) if logarithmic else most
    return min(below, value), max(over, value)


def _middle(value: float, side: float, logarithmic: bool) -> float | None:
    """Half-way to a neighbour; None where that is too near to tell apart."""
    if logarithmic:
        ratio = max(value, side) / min(value, side)
        return rounded(math.sqrt(value * side), 1) if ratio > _COARSE_RATIO else None
    # Rates are decimal fractions: the difference of 0.5 and 0.4 is just below 0.1.
    return rounded((value + side) / 2, 2) if abs(value - side) > 1.01 * _COARSE_GAP else None
