"""Messages on stderr: wrapped where people read them, one line each where programs do."""

from __future__ import annotations

import shutil
import sys
from os import terminal_size

import pytest
from click.testing import CliRunner

from rnndiag import memory
from rnndiag.cli import main
from rnndiag.cli.writing import complain
from rnndiag.errors import BadOption, TooLarge

WHAT, HINT = "file.pt: " + "word " * 40 + "end", "try " * 40 + "that"


def test_a_terminal_gets_wrapped_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda _: terminal_size((90, 24)))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    complain(WHAT, HINT)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 4
    assert max(map(len, lines)) <= 90
    assert lines[0].startswith("rnndiag: file.pt: word")
    assert all(line.startswith("  ") for line in lines[1:])
    assert " ".join(" ".join(lines).split()) == f"rnndiag: {WHAT} {HINT}"


def test_a_program_gets_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    complain(WHAT, HINT)
    assert capsys.readouterr().err == f"rnndiag: {WHAT}\n  {HINT}\n"


def test_a_size_is_told_as_it_was_given() -> None:
    with memory.bounded("1MB", "m.pt"), pytest.raises(TooLarge) as caught:
        memory.check(4 << 20, "it")
    assert caught.value.message == "m.pt: it would take 4.0 MiB; --max-memory is 1MB"
    with memory.bounded(1 << 20, "m.pt"), pytest.raises(TooLarge, match=r"is 1\.0 MiB$"):
        memory.check(4 << 20, "it")
    with pytest.raises(BadOption, match="--max-memory 'foo': is no size"):
        memory.parse("foo")


def test_a_file_that_is_not_read_is_told_once() -> None:
    sample = "gone.pt", "lost.pt"
    result = CliRunner().invoke(main, ["advise", "-q", *sample])
    assert result.exit_code == 2
    for name in sample:
        assert (result.stdout + result.stderr).count(f"{name}: no such file") == 1
    assert "check the path" in result.stdout
    result = CliRunner().invoke(main, ["advise", "-q", *sample, "--format", "json"])
    assert result.stderr.count("no such file") == 2
