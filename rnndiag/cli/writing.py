"""What leaves the program: reports, and messages on what is wrong."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from textwrap import TextWrapper
from typing import Any

import click

from rnndiag.errors import BadOption
from rnndiag.printable import one_line

_WIDTH_OF_PIPES = 100
_NARROWEST = 80
"""Columns below which lines are left to wrap: cutting them would lose numbers."""
_PLAIN = str.maketrans("▁▂▃▄▅▆▇█┊→←≥≤×‖λ₁τ∞–•…·", " .:-=+*#|><><x|L1t8-*~_")


def complain(what: str, hint: str) -> None:
    """What is wrong and where; on a line of its own, what to try.

    A terminal gets both wrapped at its width; programs find each in one line.
    """
    told = [f"rnndiag: {one_line(what)}", *([f"  {one_line(hint)}"] if hint else [])]
    if sys.stderr.isatty():
        wrapper = TextWrapper(
            width=width(), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
        told = [wrapper.fill(text) for text in told]
    click.echo("\n".join(told), err=True)


def write(
    found: Any, format_: str, output: Path | None, *, verbose: bool, kind: str = "reports"
) -> None:
    """Render what was found, in a format of its kind, to a file or to the terminal."""
    from rnndiag import registry

    render = registry.module(f"rnndiag.outputs.{kind}", format_).render
    terminal = on_terminal() and output is None
    deliver(render(found, width=width(), color=terminal, verbose=verbose), output)


def deliver(text: str, output: Path | None) -> None:
    """To the file, which is whole or not there, or to the terminal."""
    if output is None:
        show(text)
        return
    from rnndiag.files import replacing

    with replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")


def width() -> int:
    """Columns to fill: the terminal's, or those that suit a file."""
    return max(_NARROWEST, shutil.get_terminal_size((_WIDTH_OF_PIPES, 24)).columns)


def on_terminal() -> bool:
    """Whether stdout is a terminal that wants colors."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def show(text: str) -> None:
    """To stdout; in plain characters where its encoding has no others.

    A reader that has gone away (``| head``) changes nothing: the work is done, and the exit
    status is its own. Raises `BadOption` where stdout cannot be written.
    """
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = text.translate(_PLAIN).encode("ascii", "replace").decode("ascii")
    try:
        click.echo(text, nl=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain of what is still buffered when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise BadOption(f"the report cannot be written to stdout: {error.strerror}") from error
