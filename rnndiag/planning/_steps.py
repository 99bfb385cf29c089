"""The steps of a plan: what to repair, then what to try one by one, then what is left for last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from rnndiag import snippets
from rnndiag.planning._knobs import KNOBS
from rnndiag.planning._moves import Move
from rnndiag.planning._values import OFF, Present
from rnndiag.planning._wishes import LAST, REPAIRS
from rnndiag.records import Advice, Finding, Report
from rnndiag.records.plan import Reason, Step, Value
from rnndiag.snippets.base import Snippets
from rnndiag.snippets.given import with_settings

Kind = Literal["repair", "try", "last"]

_DECAYS = ("kernel_decay", "recurrent_decay", "bias_decay")
_STARTS = ("Tallec", "Glorot", "Le, Jaitly", "A: learning 4")
"""Sources of advice on how a network begins, which no later step makes up for."""
_WATCH: Mapping[str, str] = {
    "activation": "no unit is off for good; the span grows",
    "early_stopping": "training ends soon after the best validation loss",
    "start": "the span reaches the lag after few epochs",
}


def repairs(report: Report) -> Iterator[Step]:
    """What comes before any tuning, in the order of `REPAIRS`."""
    yield from _by_advice(report, REPAIRS, "repair")


def last(report: Report) -> Iterator[Step]:
    """Changes of the architecture."""
    yield from _by_advice(report, LAST, "last")


def _by_advice(report: Report, table: Mapping[str, str], kind: Kind) -> Iterator[Step]:
    """One step for each setting, in the words of the worst finding's own advice."""
    found = report.judgement.findings if report.judgement else ()
    for rule, setting in table.items():
        own = [finding for finding in found if finding.rule == rule]
        chosen = _first(own[0], setting) if own else None
        if chosen is None:
            continue
        name = _named(setting, chosen)
        yield Step(
            kind=_kind(kind, name, own[0]),
            setting=name,
            text=chosen.text,
            reasons=tuple(map(_reason, own)),
            source=chosen.source,
            watch=_WATCH.get(name, ""),
            snippet=chosen.snippet,
        )


def _kind(kind: Kind, setting: str, worst: Finding) -> Kind:
    """Nobody starts anew for a note, which often is noise in the place of data."""
    anew = setting in ("start", "activation") and worst.severity == "note"
    return "last" if anew else kind


def _first(finding: Finding, setting: str) -> Advice | None:
    """The advice that is about the setting; of a start, what the papers on it say."""
    if setting not in ("start", "activation"):
        return finding.advice[0] if finding.advice else None
    return next((own for own in finding.advice if own.source.startswith(_STARTS)), None)


def _named(setting: str, advice: Advice) -> str:
    """A bad start may be one of weights or of activations: its advice tells."""
    if setting not in ("start", "activation"):
        return setting
    return "start" if advice.text.startswith(("start", "initialise")) else "activation"


# ---------------------------------------------------------------- what is tuned


def tries(
    moves: Sequence[Move], report: Report, known: Mapping[str, float | str]
) -> Iterator[Step]:
    """One step for each setting that has a next value.

    Its lines keep what those before it set, and what is `known` of the best trial.
    """
    present, kept = Present(report), with_settings(report, known)
    for move in moves:
        if move.value is None:
            continue
        knob = move.decision.knob
        wanted = [wish.finding for wish in move.decision.followed if wish.finding]
        given = _given(knob, move.value, Present(kept))
        yield Step(
            kind="try",
            setting=knob,
            value=move.value,
            before=present.of(knob),
            text=move.text,
            reasons=tuple(map(_reason, wanted)),
            source=move.source,
            watch=KNOBS[knob].watch,
            snippet=_snippet(knob, given, kept),
        )
        kept = with_settings(kept, given)


def _reason(finding: Finding) -> Reason:
    return Reason(
        rule=finding.rule, name=finding.name, message=finding.message, layer=finding.layer
    )


def _given(knob: str, value: Value, present: Present) -> dict[str, Value]:
    """What a step sets: with a decay also that of the biases, which follows from both."""
    if knob not in _DECAYS[:2]:
        return {knob: value}
    own = {part: present.of(part) or 0.0 for part in _DECAYS[:2]} | {knob: value}
    least = min(map(float, own.values()))
    # Biases get no more than either matrix (A: what to do 9), and keep less.
    return {**own, "bias_decay": min(float(present.of("bias_decay") or least), least)}


def _snippet(knob: str, given: Mapping[str, Value], report: Report) -> str:
    """Lines for all recurrent layers; empty where nothing is to be pasted."""
    lines, value = snippets.for_(report, None), given[knob]
    if isinstance(value, str):
        return _named_snippet(knob, value, lines, Present(report))
    if knob.endswith("_decay"):
        known = {part: Present(report).of(part) or 0.0 for part in _DECAYS}
        return lines.decay(*(float({**known, **given}[part]) for part in _DECAYS))
    made = {
        "clipping": lines.clipping,
        "learning_rate": lines.learning_rate,
        "dropout": lines.dropout,
        "recurrent_dropout": lines.recurrent_dropout,
        "between_dropout": lines.between_dropout,
        "max_norm": lines.constraint,
        "zoneout": lines.zoneout,
    }.get(knob)
    return lines.units(int(value)) if knob == "units" else made(float(value)) if made else ""


def _named_snippet(knob: str, value: str, lines: Snippets, present: Present) -> str:
    if knob == "optimizer":
        rate = present.of("learning_rate")
        known = float(rate) if rate is not None and rate != OFF else None
        return lines.optimizer(value, known, None)
    named = {"batch": lines.batch_normalization, "layer": lines.layer_normalization}.get(value)
    return named() if named else ""
