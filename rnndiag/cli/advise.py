"""``rnndiag advise``: measure and judge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from rnndiag.cli.options import EVIDENCE, OUTPUT, POLICY, PROBE, format_option, shared
from rnndiag.cli.writing import complain, write

if TYPE_CHECKING:
    from rnndiag.advising import Case
    from rnndiag.records import Outcome


@click.command()
@click.argument("checkpoints", metavar="[CKPT]...", nargs=-1)
@shared(EVIDENCE)
@shared(POLICY)
@shared(PROBE)
@format_option()
@shared(OUTPUT)
def advise(checkpoints: tuple[str, ...], **parameters: Any) -> None:
    """Judge each CKPT by every rule, and say what to try.

    CKPT may also be a report that was saved with --format json: it is judged again, without
    its checkpoint. With no CKPT, those of [tool.rnndiag] or rnndiag.toml are judged.

    Exit status: 0 nothing at or above --fail-on, 1 findings, 2 the file, an option or rnndiag
    is at fault, 3 no recurrent layer could be analysed; of several checkpoints the highest.
    """
    from rnndiag import advising, configuration
    from rnndiag.progress import bar

    ctx = click.get_current_context()
    path = parameters.pop("config")
    settings = configuration.load(path)
    given = [name for name in parameters if _was_given(ctx, name)]
    entries = configuration.checkpoints(settings, checkpoints)
    chosen = [configuration.merged(parameters, given, settings, entry) for entry in entries]
    cases = [_case(entry.path, own) for entry, own in zip(entries, chosen, strict=True)]
    common = chosen[0]
    output = None if common["output"] == Path("-") else common["output"]
    keep = common["write_baseline"]
    _check_places(cases, output, keep)
    with bar(quiet=common["quiet"]) as progress:
        outcome = advising.advise_all(cases, progress)
    write(outcome, common["format_"], output, verbose=common["verbose"])
    _finish(outcome, cases[0], keep)
    ctx.exit(outcome.exit_code)


def _was_given(ctx: click.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP, None)


def _case(path: str, chosen: Mapping[str, Any]) -> Case:
    """One checkpoint and what was chosen about it, as records."""
    from dataclasses import fields

    from rnndiag.advising import Case, Evidence
    from rnndiag.records import Options, Policy

    renamed = {**chosen, "thresholds": chosen["threshold"]}

    def part(record: type[Any]) -> Any:
        named = [own.name for own in fields(record) if own.name in renamed]
        return record(**{name: renamed[name] for name in named})

    return Case(path=path, options=part(Options), policy=part(Policy), evidence=part(Evidence))


def _check_places(cases: list[Case], output: Path | None, keep: Path | None) -> None:
    """Nothing that is read may be written over; the baseline may take its own place."""
    from rnndiag.files import check_writable

    inputs = [Path(case.path) for case in cases]
    for case in cases:
        evidence = (case.evidence.history, case.evidence.context, case.evidence.trials)
        probes = (case.options.probe, case.options.targets)
        inputs += [Path(place) for place in (*evidence, *probes) if place is not None]
    check_writable([place for place in (output, keep) if place is not None], inputs=inputs)


def _finish(outcome: Outcome, case: Case, keep: Path | None) -> None:
    """Keep the baseline where that is wanted, and say on stderr what the report cannot."""
    from rnndiag import baselines

    for unread in outcome.unread:
        complain(unread.message, unread.hint)
    if keep is not None:
        baselines.write(keep, outcome.reports)
    elif case.evidence.baseline is not None:
        known = baselines.read(case.evidence.baseline)
        lost = [entry for report in outcome.reports for entry in baselines.gone(report, known)]
        places = sorted({f"{entry.rule} {entry.layer or ''}".strip() for entry in lost})
        if places:
            complain(
                f"{case.evidence.baseline}: no longer found: {', '.join(places)}",
                "the baseline can be written anew: --write-baseline FILE",
            )
