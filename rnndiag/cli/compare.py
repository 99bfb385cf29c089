"""``rnndiag compare``: what changed from one checkpoint to another."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnndiag.cli import places
from rnndiag.cli.advise import check_measured
from rnndiag.cli.choosing import choose
from rnndiag.cli.grouping import GroupedCommand, group, together
from rnndiag.cli.options import CONFIG, FOLDER, INPUT, LAG, RULES, RUN, output
from rnndiag.cli.writing import write
from rnndiag.errors import BadOption
from rnndiag.registry import names

if TYPE_CHECKING:
    from rnndiag.records import Comparison

_comparison = group("Comparison")
_COMPARISON = together(
    _comparison(
        "--fail-on",
        "fail_on_change",
        type=click.Choice(["never", "regression"]),
        default="never",
        show_default=True,
        help="Whether a regression makes the exit status 1: never or regression.",
    ),
    _comparison(
        "--tolerance",
        multiple=True,
        metavar="NAME=N",
        help="Change that counts as none: span=0.2; -v and JSON tell the names.",
    ),
)


@click.command(cls=GroupedCommand)
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@_COMPARISON
@INPUT
@LAG
@RULES
@output(names("rnndiag.outputs.comparisons"), verbose="Also what did not change.")
@FOLDER
@RUN
@CONFIG
def compare(
    before: str,
    after: str,
    fail_on_change: str,
    tolerance: tuple[str, ...],
    folder: Path | None,
    force: bool,
    config: Path | None,
    **parameters: Any,
) -> None:
    """Say what changed from BEFORE to AFTER, and what got worse.

    Spans, units, gates, norms and findings are compared. The same probe runs through both.
    Layers are matched by name, then by cell, direction and size in their order; one may be
    Keras's and the other PyTorch's. Either may be a report that was saved with --format json.

    What got worse is a regression: a shorter span, more dead units, extreme values or stuck
    gates, values that are not finite, and errors and warnings that BEFORE has not.

    Exit status: 0, 1 for a regression with --fail-on regression, 2 a file, an option or rnndiag
    is at fault, 3 one of the two has no recurrent layer that could be analysed.
    """
    from rnndiag import comparing
    from rnndiag.advising import Case
    from rnndiag.progress import bar

    chosen = choose(config, parameters)
    check_measured([before, after], chosen.given)
    each = [chosen.about(path) for path in (before, after)]
    cases = [Case.of({**own, "thresholds": own["threshold"]}) for own in each]
    common = chosen.about()
    place = None if common["output"] == Path("-") else common["output"]
    read = [
        file
        for own in each
        for file in places.read([before, after], own, chosen.configuration.source)
    ]
    earlier = places.check([place], read, folder, force=force, kind="compare")
    with bar(quiet=common["quiet"]) as progress:
        found = comparing.compare(
            (before, after),
            (cases[0], cases[1]),
            tolerances=_tolerances(tolerance),
            fail=fail_on_change == "regression",
            progress=progress,
        )
        if folder is not None:
            _illustrate(found, folder, force)
    write(found, common["format_"], place, verbose=common["verbose"], kind="comparisons")
    if folder is not None and not common["quiet"]:
        places.tell_written(folder, earlier)
    click.get_current_context().exit(found.exit_code)


def _tolerances(given: tuple[str, ...]) -> dict[str, float]:
    """``span=0.2`` as a name and a number; raises `BadOption`."""
    found = {}
    for part in (part.strip() for own in given for part in own.split(",")):
        name, sign, text = part.partition("=")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not sign or not number >= 0:
            raise BadOption(f"--tolerance {part!r}: not a name and a number", "such as span=0.2")
        found[name.strip()] = number
    return found


def _illustrate(found: Comparison, folder: Path, force: bool) -> None:
    from rnndiag import illustrating

    illustrating.illustrate_comparison(found, folder, force=force)
