"""``rnndiag plan``: what to try next, and what to search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rnndiag.cli import places
from rnndiag.cli.advise import check_measured
from rnndiag.cli.choosing import choose
from rnndiag.cli.grouping import GroupedCommand
from rnndiag.cli.options import CONFIG, EVIDENCE, INPUT, RULES, RUN
from rnndiag.cli.options import output as output_options
from rnndiag.cli.writing import write
from rnndiag.registry import names


@click.command(cls=GroupedCommand)
@click.argument("checkpoint", metavar="CKPT")
@INPUT
@EVIDENCE
@RULES
@output_options(
    names("rnndiag.outputs.plans"), verbose="The findings behind each step, lines to paste."
)
@RUN
@CONFIG
def plan(checkpoint: str, config: Path | None, **parameters: Any) -> None:
    """Say what to try next with CKPT, and what to search.

    The values follow the two documents' ladders, fitted to the network, and what was tried so
    far: --trials. A search space holds no more than what this checkpoint gives a reason for;
    --format optuna writes it as a Python module. Findings that want opposite things are weighed,
    and the plan says how.

    CKPT may also be a report that was saved with --format json.

    Exit status: 0 a plan was made, whatever was found; 2 a file, an option or rnndiag is at fault;
    3 no recurrent layer could be analysed.
    """
    from rnndiag import planning
    from rnndiag.advising import Case
    from rnndiag.progress import bar

    chosen = choose(config, parameters)
    common = chosen.about(checkpoint)
    output = None if common["output"] == Path("-") else common["output"]
    check_measured([checkpoint], chosen.given)
    places.check([output], places.read([checkpoint], common, chosen.configuration.source))
    case = Case.of({**common, "thresholds": common["threshold"]})
    with bar(quiet=common["quiet"]) as progress:
        made = planning.plan(checkpoint, case, progress)
    write(made, common["format_"], output, verbose=common["verbose"], kind="plans")
    click.get_current_context().exit(made.exit_code)
