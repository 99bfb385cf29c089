"""The command line: options become a call of the pipeline, and a report an exit status.

Only this module knows click, and it imports nothing heavy before a command needs it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rnndiag import __version__
from rnndiag.errors import RnndiagError
from rnndiag.records import Options

INTERNAL_ERROR = 2
_WIDTH_OF_PIPES = 100

Command = Callable[..., Any]


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
@click.version_option(__version__)
@click.option("--debug", is_flag=True, help="Show a traceback instead of a message.")
def main(debug: bool) -> None:
    """Diagnose trained RNN checkpoints: tell whether a network uses its recurrence.

    Exit status: 0 nothing found, 1 findings, 2 the file, an option or rnndiag is at fault,
    3 no recurrent layer could be analysed.
    """


def _probe_options(command: Command) -> Command:
    """The options that choose what is run through the network."""
    options = [
        click.option("--probe", metavar="FILE", help="Real input: .npy, .npz, .pt, .csv or .h5."),
        click.option(
            "--probe-key",
            multiple=True,
            metavar="NAME",
            help="Array in the probe file; once for each network input.",
        ),
        click.option(
            "--probe-kind",
            default="auto",
            show_default=True,
            type=click.Choice(["auto", "normal", "uniform", "onehot", "ids"]),
            help="What to make up where there is no --probe.",
        ),
        click.option("--targets", metavar="FILE", help="Targets for the loss; same file types."),
        click.option(
            "--targets-key",
            multiple=True,
            metavar="NAME",
            help="Array in the targets file; once for each network output.",
        ),
        click.option(
            "--loss",
            metavar="NAME",
            help="Loss to send back: mean_square (no targets), mse, mae, "
            "binary_crossentropy, categorical_crossentropy, "
            "sparse_categorical_crossentropy.",
        ),
        click.option("--timesteps", type=click.IntRange(min=1), help="Length of a made-up probe."),
        click.option(
            "--batch",
            type=click.IntRange(min=1),
            default=16,
            show_default=True,
            help="Samples of a made-up probe, for each seed.",
        ),
        click.option(
            "--seeds",
            type=click.IntRange(min=1),
            default=3,
            show_default=True,
            help="How many made-up probes.",
        ),
        click.option("--seed", type=int, default=0, show_default=True, help="The first seed."),
        click.option(
            "--device",
            default="auto",
            show_default=True,
            type=click.Choice(["auto", "cpu", "cuda", "mps"]),
        ),
        click.option(
            "--nonlinearity",
            default="tanh",
            show_default=True,
            type=click.Choice(["tanh", "relu"]),
            help="Of a PyTorch nn.RNN, whose file does not tell.",
        ),
        click.option(
            "--windows",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Windows that a stateful model carries its state across.",
        ),
        click.option(
            "--alpha",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            default=1e-2,
            show_default=True,
            help="Share of the gradient that still counts as reaching.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _output_options(command: Command) -> Command:
    """The options that choose what becomes of the report."""
    options = [
        click.option(
            "--format",
            "format_",
            default="table",
            show_default=True,
            type=click.Choice(["table", "json"]),
        ),
        click.option(
            "--output",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Write the report there instead of to the terminal.",
        ),
        click.option(
            "--save-arrays",
            type=click.Path(path_type=Path),
            metavar="FILE.npz",
            help="Save states, gates and gradients.",
        ),
        click.option("-v", "--verbose", is_flag=True, help="Also gates, norms and file facts."),
        click.option("-q", "--quiet", is_flag=True, help="No progress."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@click.argument("checkpoint", metavar="CKPT")
@_probe_options
@_output_options
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

    read = (checkpoint, options["probe"], options["targets"])
    check_writable(
        [path for path in (output, save_arrays) if path is not None],
        inputs=[Path(path) for path in read if path is not None],
    )
    with bar(quiet=quiet) as progress:
        diagnosis = pipeline.inspect(checkpoint, Options(**options), progress)
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
    width = shutil.get_terminal_size((_WIDTH_OF_PIPES, 24)).columns
    color = terminal and "NO_COLOR" not in os.environ
    text = render(report, width=width, color=color, verbose=verbose)
    if output is None:
        encoding = sys.stdout.encoding or "utf-8"
        # A terminal that knows no block characters gets question marks, not an error.
        click.echo(text.encode(encoding, "replace").decode(encoding), nl=False)
        return
    from rnndiag.files import replacing

    with replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
