"""``rnndiag report``: a folder of figures, a page to open, and the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rnndiag.cli import places
from rnndiag.cli.choosing import choose
from rnndiag.cli.grouping import GroupedCommand, group, together
from rnndiag.cli.options import CONFIG, EVIDENCE, INPUT, POLICY, RUN
from rnndiag.cli.writing import on_terminal, show, width

_output = group("Output")
_OUTPUT = together(
    _output(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        metavar="DIR",
        required=True,
        help="The folder; an earlier report there is replaced.",
    ),
    _output("--force", is_flag=True, help="Replace the folder whatever it holds."),
    _output("--arrays", is_flag=True, help="Also arrays.npz: states, gates and gradients."),
    _output("-q", "--quiet", is_flag=True, help="No progress bar, nothing on stderr but errors."),
)


@click.command(cls=GroupedCommand)
@click.argument("checkpoint", metavar="CKPT")
@_OUTPUT
@INPUT
@EVIDENCE
@POLICY
@RUN
@CONFIG
def report(
    checkpoint: str,
    output: Path,
    force: bool,
    arrays: bool,
    quiet: bool,
    config: Path | None,
    **parameters: Any,
) -> None:
    """Draw and judge CKPT: a folder with a page to open.

    DIR gets index.html, which stands alone and can be mailed, the figures as PNG, report.md and
    report.json. It appears when all of it is there; until then an earlier report stays. What
    was found is told on stdout, the worst of it in a line each.

    Exit status: as that of advise.
    """
    from rnndiag import illustrating
    from rnndiag.advising import Case
    from rnndiag.outputs import brief
    from rnndiag.progress import bar

    known = choose(config, parameters)
    chosen = known.about(checkpoint)
    read = places.read([checkpoint], chosen, known.configuration.source)
    earlier = places.check([], read, output, force=force, kind="report")
    case = Case.of({**chosen, "thresholds": chosen["threshold"]})
    with bar(quiet=quiet) as progress:
        found = illustrating.illustrate(
            checkpoint, case, output, force=force, arrays=arrays, progress=progress
        )
    show(brief.render(found, width=width(), color=on_terminal()))
    if not quiet:
        places.tell_written(output, earlier)
    click.get_current_context().exit(found.exit_code)
