"""The command line: options become a call of the pipeline, and a report an exit status.

One command a file, which is imported when it is asked for: `--help` needs none of them. Only this
package knows click, and it imports nothing heavy before a command needs it.
"""

from __future__ import annotations

import importlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from rnndiag import __version__
from rnndiag.cli.writing import complain
from rnndiag.errors import RnndiagError

COMMANDS = {
    "inspect": "Measure CKPT's recurrent layers: spans, units, gates, norms.",
    "advise": "Judge each CKPT by every rule, and say what to try.",
    "report": "Draw and judge CKPT: a folder with a page to open.",
    "compare": "Say what changed from BEFORE to AFTER, and what got worse.",
    "track": "Follow a training run through its checkpoints.",
    "sweep": "Judge many checkpoints: files, folders, addresses, on this machine or on Dask.",
    "plan": "Say what to try next with CKPT, and what to search.",
    "rules": "List every rule: what it watches, and how grave its findings are.",
    "explain": "Say what a rule means, and what to do about it.",
}
"""What each does, as its own help begins; in the order in which a user meets them.

The command ``inspect`` is the function of that name in ``inspect.py``, and so on.
"""
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
    """Finds the commands, and turns every error into one message and the documented status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names; none of the commands is imported for them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(importlib.import_module(f"{__name__}.{cmd_name}"), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without a look at the commands themselves, as click would take."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _unwound_when_ended():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt as error:
            complain("interrupted", str(error))
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
