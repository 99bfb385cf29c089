"""The bars on a terminal: what they say, and that nothing else is pushed aside."""

from __future__ import annotations

import io
import re
import time
from contextlib import redirect_stderr

import pytest

from rnndiag import progress


class Terminal(io.StringIO):
    """A stderr that somebody watches."""

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())
        return [line.rstrip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    made = Terminal()
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    for name, value in {"COLUMNS": "60", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "TTY_INTERACTIVE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    return made


def count(terminal: Terminal, said: str) -> None:
    with redirect_stderr(terminal), progress.counter(200, quiet=False) as heard:
        end = time.monotonic() + 30
        while not terminal.lines and time.monotonic() < end:
            time.sleep(0.01)  # a clock of its own brings the bar up
        assert terminal.lines[-1].endswith("starting")
        for number in range(9):
            heard(20, said.format(number))


def test_a_count_has_the_bar_the_number_and_what_was_said(terminal: Terminal) -> None:
    count(terminal, "{} failed")
    assert " 180/200 " in terminal.lines[-1]
    assert terminal.lines[-1].endswith(" 8 failed")


def test_what_is_too_long_is_cut_and_nothing_else(terminal: Terminal) -> None:
    count(terminal, f"{{}} failed, {'x' * 60}")
    last = terminal.lines[-1]
    assert len(last) == 60
    assert " 180/200 " in last
    assert re.search(r" 8 failed.*…$", last)


@pytest.mark.parametrize("quiet", [True, False])
def test_nothing_is_shown_to_nobody(terminal: Terminal, quiet: bool) -> None:
    stderr = terminal if quiet else io.StringIO()
    with redirect_stderr(stderr), progress.counter(2, quiet=quiet) as heard:
        heard(2, "done")
        time.sleep(0.1)
    assert not stderr.getvalue()
