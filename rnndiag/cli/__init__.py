"""The command line: options become a call of the pipeline, and a report an exit status.

One command a file. Only this package knows click, and it imports nothing heavy before a command
needs it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from rnndiag import __version__
from rnndiag.cli.advise import advise
from rnndiag.cli.compare import compare
from rnndiag.cli.explain import explain
from rnndiag.cli.inspect import inspect
from rnndiag.cli.plan import plan
from rnndiag.cli.report import report
from rnndiag.cli.rules import rules
from rnndiag.cli.track import track
from rnndiag.cli.writing import complain
from rnndiag.errors import RnndiagError

INTERNAL_ERROR = 2
INTERRUPTED = 130
"""What shells give a program that Ctrl-C ended; click's own 1 would mean findings."""


@contextmanager
def _unwound_when_ended() -> Iterator[None]:
    """Let SIGTERM, too, leave nothing half-written behind: temporary files and folders go."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Commands(click.Group):
    """Turns every error into one message and the documented status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which a user meets them."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _unwound_when_ended():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            complain("interrupted", "")
            ctx.exit(INTERRUPTED)
        except RnndiagError as error:
            if ctx.params["debug"]:
                raise
            complain(error.message, error.hint)
            ctx.exit(error.exit_code)
        except Exception as error:  # a user gets one message, whatever went wrong
            if ctx.params["debug"]:
                raise
            what = f"internal error: {type(error).__name__}: {error}"
            complain(what, "please report it, with what `rnndiag --debug …` prints")
            ctx.exit(INTERNAL_ERROR)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rnndiag")
@click.option("--debug", is_flag=True, help="Show a traceback instead of a message.")
def main(debug: bool) -> None:
    """Diagnose trained RNN checkpoints: tell whether a network uses its recurrence.

    Exit status: 0 nothing at or above --fail-on, 1 findings, 2 the file, an option or rnndiag
    is at fault, 3 no recurrent layer could be analysed.
    """


for _command in (inspect, advise, report, compare, track, plan, rules, explain):
    main.add_command(_command)
