"""``rnndiag advise``: measure and judge."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnndiag.cli import places
from rnndiag.cli.choosing import Chosen, choose
from rnndiag.cli.grouping import GroupedCommand
from rnndiag.cli.options import CONFIG, EVIDENCE, INPUT, POLICY, RUN, WRITE_BASELINE, output
from rnndiag.cli.writing import complain, write
from rnndiag.errors import BadOption

if TYPE_CHECKING:
    from rnndiag.advising import Case
    from rnndiag.records import Outcome


@click.command(cls=GroupedCommand)
@click.argument("checkpoints", metavar="[CKPT]...", nargs=-1)
@INPUT
@EVIDENCE
@POLICY
@WRITE_BASELINE
@output(verbose="Every step's lines to paste, all advice, and what was skipped.")
@RUN
@CONFIG
def advise(checkpoints: tuple[str, ...], config: Path | None, **parameters: Any) -> None:
    """Judge each CKPT by every rule, and say what to try.

    With no CKPT, those of rnndiag.toml or [tool.rnndiag] are judged.

    CKPT may also be a report that was saved with --format json. It is judged again in a moment,
    without the checkpoint and without torch; what --context, --history and --series have told is
    in it, --lag and --trials are not.

    Exit status: 0 nothing at or above --fail-on, 1 findings, 2 a file, an option or rnndiag
    is at fault, 3 no recurrent layer could be analysed; of several checkpoints the highest.
    """
    from rnndiag import advising, configuration
    from rnndiag.progress import bar

    chosen = choose(config, parameters)
    common = chosen.about()
    entries = configuration.checkpoints(chosen.configuration, checkpoints)
    paths = _once([entry.path for entry in entries])
    for path in paths:
        _case(chosen.about(path))  # a value that makes no sense is told before any work
    output = None if common["output"] == Path("-") else common["output"]
    check_measured(paths, chosen.given)
    _check_places(paths, chosen, output)
    with bar(quiet=common["quiet"]) as progress:
        outcome = advising.advise(paths, lambda path: _case(chosen.about(path)), progress)
    write(outcome, common["format_"], output, verbose=common["verbose"])
    # A table on the terminal has told it.
    if common["format_"] != "table" or output is not None:
        for unread in outcome.unread:
            complain(unread.message, unread.hint)
    _keep(outcome, common)
    click.get_current_context().exit(outcome.exit_code)


def _once(paths: Sequence[str]) -> list[str]:
    """Without what was named before: patterns of a shell often overlap."""
    found: dict[Path, str] = {}
    for path in paths:
        found.setdefault(Path(path).absolute(), path)
    return list(found.values())


def _case(chosen: Mapping[str, Any]) -> Case:
    """What was chosen about one checkpoint, as records."""
    from rnndiag.advising import Case

    keep, baseline = chosen["write_baseline"], chosen["baseline"]
    if keep and baseline and keep.absolute() == baseline.absolute() and not baseline.exists():
        # The first of them is still to be written.
        baseline = None
    return Case.of({**chosen, "thresholds": chosen["threshold"], "baseline": baseline})


# ---------------------------------------------------------------- before the work


def check_measured(paths: Sequence[str], given: Collection[str]) -> None:
    """Raise `BadOption` where it is to be run otherwise what ran long ago."""
    from dataclasses import fields

    from rnndiag.records import Options
    from rnndiag.saved import reports as saved_reports

    asked = [own.name for own in fields(Options) if own.name in given]
    if asked and all(saved_reports.recognises(Path(path)) for path in paths):
        option = f"--{asked[0].replace('_', '-')}"
        hint = "leave it out, or give the checkpoint itself"
        raise BadOption(f"{option}: what is in {paths[0]} has been measured already", hint)


def _check_places(paths: Sequence[str], chosen: Chosen, output: Path | None) -> None:
    """Nothing that is read may be written over, but the baseline by the next one."""
    source = chosen.configuration.source
    read: list[Path] = []
    for path in paths:
        read += places.read([path], {**chosen.about(path), "baseline": None}, source)
    common = chosen.about()
    keep, baseline = common["write_baseline"], common["baseline"]
    for place, other in ((output, baseline), (keep, output)):
        places.check([place], [*read, *([other] if other is not None else [])])


# ---------------------------------------------------------------- after it


def _keep(outcome: Outcome, common: Mapping[str, Any]) -> None:
    """Keep the baseline where that is wanted, else say what it has and the reports have not."""
    from rnndiag.saved import baselines

    keep, baseline = common["write_baseline"], common["baseline"]
    if keep is not None:
        baselines.write(keep, outcome.reports)
        if not common["quiet"]:
            count = sum(len(own.judgement.findings) for own in outcome.reports if own.judgement)
            hint = f"from now on: --baseline {keep}"
            complain(f"{keep}: findings kept as known: {count}", hint)
    elif baseline is not None:
        known = baselines.read(baseline)
        lost = [entry for report in outcome.reports for entry in baselines.gone(report, known)]
        places = dict.fromkeys(f"{entry.rule} {entry.layer or ''}".strip() for entry in lost)
        if places:
            what = f"{baseline}: no longer found: {', '.join(places)}"
            complain(what, f"it can be written anew: --write-baseline {baseline}")
