"""The whole story of a plan: a judged report and the trials become what to try next.

    findings → wishes for settings → one decision each → next values → steps and a search space

Trials have the last word, then rules that have measured what a setting does, then the worse
finding. What was not followed is in the plan as a conflict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rnndiag import __version__, advising
from rnndiag.advising import Case
from rnndiag.errors import BadOption
from rnndiag.evidence import trials as trial_files
from rnndiag.planning import _space, _steps
from rnndiag.planning._decisions import Decision, conflicts, decide
from rnndiag.planning._moves import Move, Surroundings, move
from rnndiag.planning._tried import best, best_of, normalizations, tried
from rnndiag.planning._values import Present
from rnndiag.planning._wishes import Rank
from rnndiag.progress import Progress, silent
from rnndiag.records import NOTHING_ANALYSED, SEVERITIES, Report, Trials
from rnndiag.records.plan import Plan, Step
from rnndiag.wording import counted

_KINDS = {"batch": "batch_normalization", "layer": "layer_normalization"}
"""In the order of document A's list; a search has no use for what must be written first."""
_STAGES = ("repair", "try", "last")


def plan(path: str, case: Case, progress: Progress = silent) -> Plan:
    """The plan for a checkpoint, or for a saved report of one.

    Raises `rnndiag.errors.RnndiagError`, as `advising.advise`; `BadOption` where a file holds
    the reports of several checkpoints.
    """
    outcome = advising.advise([path], lambda _: case, progress)
    if len(outcome.reports) != 1 or outcome.unread:
        told = f"{path}: holds {len(outcome.reports)} reports, and a plan is for one checkpoint"
        raise BadOption(told, "save one by one: rnndiag advise CKPT --format json --output FILE")
    file = case.evidence.trials
    trials = trial_files.read(Path(file)) if file else None
    return planned(outcome.reports[0], trials, case.policy.profile)


def planned(report: Report, trials: Trials | None = None, profile: str = "a") -> Plan:
    """The plan that follows from a judged report; `profile` says which document counts."""
    if not any(layer.analysed for layer in report.layers):
        return _empty(report)
    present = Present(report)
    decisions = decide(report, present, tried(trials))
    around = _surroundings(present, decisions, trials, profile)
    moves = tuple(move(decision, around) for decision in decisions)
    space = tuple(_space.space(moves, around, report))
    framework = report.checkpoint.framework
    return Plan(
        rnndiag_version=__version__,
        exit_code=0,
        checkpoint=report.checkpoint.path,
        framework=framework,
        parameters=_parameters(report),
        summary=_summary(report),
        findings=_count(report),
        steps=tuple(_all_steps(report, moves, around.best)),
        space=space,
        tied=tuple(_space.tied(space, present, framework)),
        unsearched=tuple(_space.unsearched(moves, report)),
        conflicts=tuple(conflicts(decisions)),
        best=best(trials),
        notes=tuple(_notes(report, trials)),
    )


def _surroundings(
    present: Present, decisions: Sequence[Decision], trials: Trials | None, profile: str
) -> Surroundings:
    done = normalizations(trials)
    return Surroundings(
        present=present,
        profile=profile,
        bounded=any(own.knob == "max_norm" and own.rank < Rank.OPTION for own in decisions),
        kinds=tuple(kind for kind, name in _KINDS.items() if done.get(name, True)),
        best=best_of(trials),
    )


def _all_steps(
    report: Report, moves: Sequence[Move], known: Mapping[str, float | str]
) -> Iterator[Step]:
    """Each setting once: what is to be repaired is not tried besides."""
    seen: set[str] = set()
    steps = (*_steps.repairs(report), *_steps.tries(moves, report, known), *_steps.last(report))
    for step in sorted(steps, key=lambda step: _STAGES.index(step.kind)):
        if step.setting not in seen:
            seen.add(step.setting)
            yield step


# ---------------------------------------------------------------- what it says of itself


def _count(report: Report) -> int:
    return len(report.judgement.findings) if report.judgement else 0


def _summary(report: Report) -> str:
    found = report.judgement.findings if report.judgement else ()
    if not found:
        return "no findings: these are the documents' first experiments, for what is not in use yet"
    all_ = [own.severity for own in found]
    counts = ", ".join(counted(all_.count(own), own) for own in SEVERITIES if own in all_)
    grave = [own for own in found if own.severity != "note"]
    if not grave:
        return f"{counts}; no error, no warning: these are what the documents would try next"
    names = ", ".join(dict.fromkeys(f"{own.rule} {own.name}" for own in grave))
    return f"{counts}; the plan follows from {names}"


def _notes(report: Report, trials: Trials | None) -> Iterator[str]:
    yield from (f"{trials.source}: {note}" for note in trials.notes) if trials else ()
    if report.probe.source == "synthetic":
        yield "measured on made-up input: with --probe FILE the plan is surer"
    if report.history is None:
        yield "without --history nothing tells whether it learns too little or by heart"
    if report.judgement and any(own.error for own in report.judgement.skipped):
        yield "a rule broke, and what it would have said is missing: see `rnndiag advise`"


def _parameters(report: Report) -> dict[str, tuple[str, ...]]:
    """The names of all recurrent layers' arrays, by what they are."""
    found: dict[str, dict[str, None]] = {}
    for layer in report.layers:
        for part, names in layer.parameters.items():
            found.setdefault(part, {}).update(dict.fromkeys(names))
    return {part: tuple(names) for part, names in found.items()}


def _empty(report: Report) -> Plan:
    reasons = dict.fromkeys(layer.reason for layer in report.layers if layer.reason)
    missing = "no recurrent layer" + (" could be analysed" if report.layers else " was found")
    return Plan(
        rnndiag_version=__version__,
        exit_code=NOTHING_ANALYSED,
        checkpoint=report.checkpoint.path,
        framework=report.checkpoint.framework,
        summary=f"{missing}, so that there is nothing to plan",
        findings=_count(report),
        notes=tuple(reasons),
    )
