"""The whole story of a comparison: two checkpoints become a list of what changed.

    diagnose both on the same probe → match the layers → measure the changes → say what got worse

It works on reports alone, so that saved ones do as well as checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rnndiag import advising
from rnndiag.advising import Case
from rnndiag.comparing import _changes, _found, _matching
from rnndiag.comparing._quantities import QUANTITIES, Quantity, with_tolerances
from rnndiag.errors import BadOption, UnreadableCheckpoint
from rnndiag.outputs.words import comparisons as words
from rnndiag.progress import Progress, silent
from rnndiag.records import NOTHING_ANALYSED, Comparison, LayerPair, Report
from rnndiag.wording import title

__all__ = [
    "QUANTITIES",
    "REGRESSION",
    "Quantity",
    "compare",
    "of_reports",
    "pairs",
    "with_tolerances",
]
REGRESSION = 1
"""Exit status where something got worse and that was asked for."""


def compare(
    paths: tuple[str, str],
    cases: tuple[Case, Case],
    *,
    tolerances: Mapping[str, float] | None = None,
    fail: bool = False,
    progress: Progress = silent,
) -> Comparison:
    """Both reports, and what changed between them.

    `tolerances` are by the names of `QUANTITIES`; with `fail` a regression makes the exit
    status 1. Raises `rnndiag.errors.RnndiagError`.
    """
    chosen = with_tolerances(tolerances or {})
    _check_there(paths[1])
    before = _report(paths[0], cases[0], lambda what, done: progress(f"before: {what}", done / 2))
    after = _second(paths[1], cases[1], before, progress)
    return of_reports(before, after, chosen, fail=fail, lag=cases[1].policy.lag)


def _check_there(path: str) -> None:
    """Raise `UnreadableCheckpoint` before the other is measured; archives' members wait."""
    if not Path(path.partition("::")[0]).exists():
        raise UnreadableCheckpoint(f"{path}: no such file", "check the path")


def of_reports(
    before: Report,
    after: Report,
    quantities: Sequence[Quantity] = QUANTITIES,
    *,
    fail: bool = False,
    lag: int | None = None,
) -> Comparison:
    """What changed between two judged reports; raises `BadOption` where no layer matches.

    `lag` is how far back the task has to remember: spans are judged by whether they reach it.
    Where one of them has no analysed layer there is nothing to match, and the status says so.
    """
    matched, only_before, only_after = _matching.matched(before, after)
    nothing = _unanalysed(before, after)
    if not matched and not nothing:
        raise BadOption(
            f"{before.checkpoint.path} and {after.checkpoint.path} have no layer to compare: "
            "none has the same name, or the same cell, direction and size",
            "`rnndiag inspect` lists the layers of each",
        )
    pairs = tuple(_changes.pair(*own, quantities, lag) for own in matched)
    found = _found.findings(before, after, pairs)
    regressions = (*words.worse(pairs), *words.new(found.appeared))
    return Comparison(
        before=before,
        after=after,
        pairs=pairs,
        only_before=only_before,
        only_after=only_after,
        appeared=found.appeared,
        gone=found.gone,
        first_told=found.first_told,
        no_longer_told=found.no_longer_told,
        regressions=tuple(regressions),
        improvements=(*words.better(pairs), *words.settled(found.gone)),
        lag=lag,
        notes=tuple(_notes(before, after, pairs)),
        exit_code=NOTHING_ANALYSED if nothing else REGRESSION if fail and regressions else 0,
    )


def pairs(before: Report, after: Report, *, lag: int | None = None) -> tuple[LayerPair, ...]:
    """The layers of both that answer to each other, with what changed in each."""
    matched, _, _ = _matching.matched(before, after)
    return tuple(_changes.pair(*own, QUANTITIES, lag) for own in matched)


def _unanalysed(*reports: Report) -> bool:
    return not all(any(layer.analysed for layer in report.layers) for report in reports)


# ---------------------------------------------------------------- the two reports


def _report(path: str, case: Case, progress: Progress) -> Report:
    def chosen(_: str) -> Case:
        return case

    outcome = advising.advise([path], chosen, progress)
    if len(outcome.reports) != 1:
        raise BadOption(f"{path}: holds several reports, and one is compared", "save them apart")
    return outcome.reports[0]


def _second(path: str, case: Case, before: Report, progress: Progress) -> Report:
    """Its made-up probe is as long as the first one's: the numbers are then the same, too."""

    def further(what: str, done: float) -> None:
        progress(f"after: {what}", (1 + done) / 2)

    options = case.options
    if options.probe is None and options.timesteps is None and advising.saved(path) is None:
        alike = replace(options, timesteps=before.probe.timesteps)
        # A network that takes sequences of one length alone has the last word.
        with suppress(BadOption):
            return _report(path, replace(case, options=alike), further)
    return _report(path, case, further)


def _notes(before: Report, after: Report, pairs: Sequence[LayerPair]) -> Iterator[str]:
    told = [
        (own.probe.source, own.probe.batch, own.probe.timesteps, own.probe.seeds)
        for own in (before, after)
    ]
    if told[0] != told[1]:
        yield f"the probes differ: {_probe(before)} before, {_probe(after)} after"
    elif before.probe.source == "synthetic":
        yield "a made-up probe ran through both: what depends on data says little; --probe FILE"
    if before.probe.wiring != after.probe.wiring:
        yield (
            f"the wiring is {before.probe.wiring} before and {after.probe.wiring} after: "
            "gradients start from different places"
        )
    by_order = [title(pair.before) for pair in pairs if pair.matched_by != "name"]
    if by_order:
        yield f"matched by order and shape, not by name: {', '.join(by_order)}"


def _probe(report: Report) -> str:
    probe = report.probe
    seeds = f" × {probe.seeds} seeds" if probe.seeds > 1 else ""
    return f"{probe.batch} samples{seeds} of {probe.timesteps} steps ({probe.source})"
