"""The search space: only what is worth searching, in the documents' ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rnndiag.decays import HIGHEST, written
from rnndiag.planning._decisions import Decision
from rnndiag.planning._knobs import KNOBS, argument
from rnndiag.planning._moves import Move, Surroundings, is_noise
from rnndiag.planning._values import OFF, Present, decay_range, rounded
from rnndiag.planning._wishes import REPAIRS, Rank
from rnndiag.records import Report
from rnndiag.records.plan import Parameter, Tied, Unsearched, Value

Range = tuple[float, float]
_DECAYS = ("kernel_decay", "recurrent_decay")
_ALONE: Mapping[str, tuple[str, str]] = {
    "clipping": ("one bound against leaps is enough: 1, set once", "B: tuning: unstable"),
    "optimizer": (
        "a name, tried once with all else unchanged: in a search it would be mixed up with the "
        "learning rate",
        "A: what to do 13",
    ),
    "bias_decay": ("it follows from the others: never more than either", "A: what to do 9"),
}
"""Settings that get a step and no dimension."""
_NEVER = (
    Unsearched(
        setting="activity_regularizer",
        why="a layer whose outputs must be held down learns poorly for another reason",
        source="A: what to do 7",
    ),
    Unsearched(
        setting="use_bias",
        why="no regularizer: normalization acts on outputs and does not replace it",
        source="A: what to do 9",
    ),
    Unsearched(
        setting="early_stopping",
        why="always on, 5 to 10 evaluations after the best; it is what ends each trial",
        source="B: early stopping",
    ),
)
"""What the documents warn of searching, whatever the checkpoint."""


def space(moves: Sequence[Move], around: Surroundings, report: Report) -> Iterator[Parameter]:
    """A parameter for each setting that is to move, in the order of the steps."""
    for move in moves:
        if _why_not(move, report) is None:
            yield _parameter(move, around, report.checkpoint.framework)


def unsearched(moves: Sequence[Move], report: Report) -> Iterator[Unsearched]:
    """What is left out, and why."""
    for move in moves:
        found = _why_not(move, report)
        if found is not None:
            why, source = found
            yield Unsearched(setting=move.decision.knob, why=why, source=source)
    yield from _NEVER


def tied(parameters: Sequence[Parameter], present: Present, framework: str) -> Iterator[Tied]:
    """The biases' decay, where that of K or of R is searched."""
    searched = tuple(own.name for own in parameters if own.name in _DECAYS)
    if not searched or not present.has_biases:
        return
    fixed = [float(present.of(knob) or 0) for knob in _DECAYS if knob not in searched]
    if 0.0 in fixed:
        # No more than either is none, where one of them has none.
        return
    key, use = argument("bias_decay", framework)
    yield Tied(
        name="bias_decay",
        argument=key,
        use=use,
        least_of=searched,
        at_most=min(fixed, default=None),
        why="as much as the lesser of the others: without any, biases outgrow what is decayed",
        source="A: what to do 9",
    )


def _why_not(move: Move, report: Report) -> tuple[str, str] | None:
    """Why a setting is no dimension of the search; None where it is one."""
    if move.value is None:
        return move.text, move.source
    if move.decision.knob in _ALONE:
        return _ALONE[move.decision.knob]
    if is_noise(move.decision.knob):
        return _why_no_noise(move.decision, report)
    return _why_not_yet(move, report)


def _why_not_yet(move: Move, report: Report) -> tuple[str, str] | None:
    """Where something else comes first, without which a search would find the wrong values."""
    decision = move.decision
    if decision.rules == {"RNN602"} and _has_cause(report):
        told = "another finding names a cause of learning too little: see what its repair does"
        return told, "A: introspection"
    if decision.knob == "units" and decision.way == "raise":
        return "no regularizer, and every size wants its own: settle it first", move.source
    return None


def _why_no_noise(decision: Decision, report: Report) -> tuple[str, str] | None:
    """Where nothing tells that disturbing the training at random would help."""
    if decision.rank is not Rank.OPTION or decision.tried is not None:
        return None
    if _passed("RNN601", report):
        told = "validation stays with training: there is nothing learned by heart to disturb"
        return f"{told}; one try is enough", "B: tuning: overfits"
    if decision.knob == "dropout":
        told = "it erases context: one try of 0.1, and a search only where that has helped"
        return told, "A: dropout"
    return None


def _has_cause(report: Report) -> bool:
    """Whether something comes before all tuning that keeps the network from learning."""
    found = report.judgement.findings if report.judgement else ()
    return any(own.rule in REPAIRS and own.rule < "RNN3" for own in found)


def _passed(rule: str, report: Report) -> bool:
    passed = report.judgement.passed if report.judgement else ()
    return any(own.rule == rule for own in passed)


# ---------------------------------------------------------------- one dimension


def _parameter(move: Move, around: Surroundings, framework: str) -> Parameter:
    decision, knob = move.decision, KNOBS[move.decision.knob]
    key, use = argument(decision.knob, framework)
    return Parameter(
        name=decision.knob,
        argument=key,
        use=use,
        kind=knob.kind,
        why=_why(decision),
        source=move.source,
        **_values(move, around),
    )


def _values(move: Move, around: Surroundings) -> dict[str, Any]:
    knob = KNOBS[move.decision.knob]
    begin = (*_best(move.decision, around), move.value)
    if knob.kind == "categorical":
        choices = (OFF, *around.kinds)
        return {"choices": choices, "ladder": tuple(own for own in begin if own in choices)}
    low, high = _range(move.decision, around)
    following = float(move.value or 0)
    if following:
        # A ladder does not know of the size of the matrix, to which a decay's range is fitted.
        low, high = min(low, following), max(high, following)
    first = [own for own in begin if isinstance(own, (int, float))]
    if move.decision.tried is not None:
        low, high = min(low, *filter(None, first)), max(high, *first)
    # Of a decay the documents' two values are the ends of its range, fitted to the matrix.
    rungs = (low, high) if move.decision.knob in _DECAYS else knob.ladder
    if move.decision.tried is not None:
        rungs = ()
    ladder = dict.fromkeys(own for own in (*first, *rungs) if low <= float(own) <= high)
    return {"low": low, "high": high, "ladder": tuple(ladder)}


def _best(decision: Decision, around: Surroundings) -> tuple[Value, ...]:
    """What the best trial has, which a search begins with; what none names is as it is now."""
    if not around.best:
        return ()
    now = around.present.of(decision.knob)
    return (around.best.get(decision.knob, 0.0 if now is None else now),)


def _range(decision: Decision, around: Surroundings) -> Range:
    tried = decision.tried
    if tried is not None and tried.low is not None and tried.high is not None:
        return tried.low, tried.high
    present, knob = around.present, decision.knob
    now = present.of(knob)
    known = float(now) if isinstance(now, (int, float)) else 0.0
    if knob in _DECAYS:
        return _decays(decision, present, known)
    if decision.way == "lower" and tried is None:
        return _LOWER[knob](known) if knob in _LOWER else (0.0, known)
    if knob == "max_norm":
        return rounded(present.column / 2, 2), rounded(present.column, 2)
    if knob == "dropout" and around.profile == "b":
        return 0.0, 0.5
    return _HIGHER[knob](known)


def _decays(decision: Decision, present: Present, known: float) -> Range:
    low, high = decay_range(present, decision.knob)
    if not known or decision.tried is not None:
        return low, high
    if decision.way == "lower":
        return rounded(known / 10, 3), known
    return known, max(min(rounded(known * 10, 3), HIGHEST), known)


_LOWER: Mapping[str, Callable[[float], Range]] = {
    "learning_rate": lambda now: (rounded((now or 1e-3) / 10, 3), now or 1e-3),
    "units": lambda now: (max(1, now // 2), now),
    "dropout": lambda _: (0.0, 0.2),
}
_HIGHER: Mapping[str, Callable[[float], Range]] = {
    "learning_rate": lambda now: (now, rounded(10 * now, 3)),
    "dropout": lambda _: (0.0, 0.2),
    "recurrent_dropout": lambda _: (0.0, 0.5),
    "between_dropout": lambda _: (0.3, 0.5),
    "units": lambda now: (now, 2 * now),
    "zoneout": lambda _: (0.05, 0.2),
}


def _why(decision: Decision) -> str:
    rules = dict.fromkeys(wish.finding.rule for wish in decision.followed if wish.finding)
    if decision.tried is not None:
        best = decision.tried.best
        return "the trials lead on" if best is None else f"best so far {written(float(best))}"
    if rules:
        return ", ".join(rules)
    return "not known to be in use; the documents begin with it"
