"""``rnndiag inspect``: measure, and do not judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rnndiag.cli import places
from rnndiag.cli.choosing import choose
from rnndiag.cli.grouping import GroupedCommand
from rnndiag.cli.options import CONFIG, INPUT, RUN
from rnndiag.cli.options import output as output_options
from rnndiag.cli.writing import write


@click.command(cls=GroupedCommand)
@click.argument("checkpoint", metavar="CKPT")
@INPUT
@output_options(("json", "table"), verbose="Also gates, units, norms, settings.", more=True)
@RUN
@CONFIG
def inspect(
    checkpoint: str,
    config: Path | None,
    format_: str,
    output: Path | None,
    save_arrays: Path | None,
    verbose: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Measure CKPT's recurrent layers: spans, units, gates, norms.

    The options that rnndiag.toml or [tool.rnndiag] sets for CKPT, or for all, count here as
    well; only --format does not.
    """
    from rnndiag import pipeline
    from rnndiag.progress import bar
    from rnndiag.records import Options, Outcome

    output = None if output == Path("-") else output
    known = choose(config, options)
    about = known.about(checkpoint)
    chosen = Options(**about)
    read = places.read([checkpoint], about, known.configuration.source)
    places.check([output, save_arrays], read)
    with bar(quiet=quiet) as progress:
        in_full = save_arrays is not None
        diagnosis = pipeline.inspect(checkpoint, chosen, progress, in_full=in_full)
        if save_arrays is not None:
            from rnndiag import arrays

            progress("saving the arrays", 0.98)
            arrays.save(diagnosis.run, save_arrays)
    write(Outcome(reports=(diagnosis.report,)), format_, output, verbose=verbose)
    click.get_current_context().exit(diagnosis.report.exit_code)
