"""The command line: options become a call of the pipeline, and a report an exit status.

Only this module and `cli_options` know click, and they import nothing heavy before a command
needs it.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from rnndiag import __version__
from rnndiag.cli_options import OUTPUT, PROBE, format_option, shared
from rnndiag.errors import BadOption, RnndiagError
from rnndiag.records import Options

INTERNAL_ERROR = 2
_WIDTH_OF_PIPES = 100
_NARROWEST = 80
"""Columns below which lines are left to wrap: cutting them would lose numbers."""
_PLAIN = str.maketrans("▁▂▃▄▅▆▇█┊→←≥≤×‖λ₁τ∞–•…", " .:-=+*#|><><x|L1t8-*~")


class _Commands(click.Group):
    """Turns every error into one message and the documented status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except RnndiagError as error:
            if ctx.params["debug"]:
                raise
            _complain(error.message, error.hint)
            ctx.exit(error.exit_code)
        except Exception as error:  # a user gets one message, whatever went wrong
            if ctx.params["debug"]:
                raise
            what = f"internal error: {type(error).__name__}: {error}"
            _complain(what, "please report it, with what `rnndiag --debug …` prints")
            ctx.exit(INTERNAL_ERROR)


def _complain(message: str, hint: str) -> None:
    """What is wrong and where; on a line of its own, what to try."""
    click.echo(f"rnndiag: {message}" + (f"\n  {hint}" if hint else ""), err=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rnndiag")
@click.option("--debug", is_flag=True, help="Show a traceback instead of a message.")
def main(debug: bool) -> None:
    """Diagnose trained RNN checkpoints: tell whether a network uses its recurrence.

    Exit status: 0 done, 2 the file, an option or rnndiag is at fault, 3 no recurrent layer
    could be analysed. (1 is kept for findings; inspect measures and does not judge.)
    """


@main.command()
@click.argument("checkpoint", metavar="CKPT")
@shared(PROBE)
@format_option()
@shared(OUTPUT)
def inspect(
    checkpoint: str,
    format_: str,
    output: Path | None,
    save_arrays: Path | None,
    verbose: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Measure the recurrent layers of CKPT: spans, units, gates, norms."""
    from rnndiag import pipeline
    from rnndiag.files import check_writable
    from rnndiag.progress import bar

    output = None if output == Path("-") else output
    chosen = Options(**options)
    read = (checkpoint, options["probe"], options["targets"])
    check_writable(
        [path for path in (output, save_arrays) if path is not None],
        inputs=[Path(path) for path in read if path is not None],
    )
    with bar(quiet=quiet) as progress:
        diagnosis = pipeline.inspect(checkpoint, chosen, progress)
        if save_arrays is not None:
            from rnndiag import arrays

            progress("saving the arrays", 0.98)
            arrays.save(diagnosis.run, save_arrays)
    _write(diagnosis.report, format_, output, verbose)
    click.get_current_context().exit(diagnosis.report.exit_code)


def _write(report: Any, format_: str, output: Path | None, verbose: bool) -> None:
    """Render the report to a file or to the terminal."""
    from rnndiag import registry

    render = registry.modules("rnndiag.outputs")[format_].render
    terminal = sys.stdout.isatty() and output is None
    width = max(_NARROWEST, shutil.get_terminal_size((_WIDTH_OF_PIPES, 24)).columns)
    color = terminal and "NO_COLOR" not in os.environ
    text = render(report, width=width, color=color, verbose=verbose)
    if output is None:
        _print(text)
        return
    from rnndiag.files import replacing

    with replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _print(text: str) -> None:
    """To stdout; in plain characters where its encoding has no others."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = text.translate(_PLAIN).encode("ascii", "replace").decode("ascii")
    try:
        click.echo(text, nl=False)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise BadOption(f"the report cannot be written to stdout: {error.strerror}") from error
