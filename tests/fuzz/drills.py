"""Deeds that the fuzzer has to notice, each under a negative number in a case's place."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import h5py

_DRILLS: list[tuple[str, Callable[[], object]]] = []


def numbers() -> dict[int, str]:
    """Every drill's number, and the verdict that it has to have."""
    return {-1 - place: verdict for place, (verdict, _) in enumerate(_DRILLS)}


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--debug", is_flag=True)
@click.argument("number", type=int)
def command(number: int, debug: bool) -> None:
    """Do what has the number."""
    _DRILLS[-1 - number][1]()


def _is(verdict: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    def add(deed: Callable[[], object]) -> Callable[[], object]:
        _DRILLS.append((verdict, deed))
        return deed

    return add


@_is("refusal")
def refuse() -> None:
    click.echo("rnndiag: something is wrong\n  try something else", err=True)
    raise SystemExit(2)


@_is("message")
def refuse_without_a_word() -> None:
    raise SystemExit(2)


@_is("complaint")
def warn_beside_a_report() -> None:
    click.echo("a report")
    click.echo("UserWarning: something is odd", err=True)


@_is("internal error")
def fail_inside() -> None:
    click.echo("rnndiag: internal error: KeyError: 'x'", err=True)
    raise SystemExit(2)


@_is("traceback")
def raise_an_error() -> None:
    raise KeyError("x")


@_is("unprintable")
def show_a_name() -> None:
    click.echo("a layer called \x1b[2Jlstm")


@_is("noise")
def write_past_python() -> None:
    click.echo("a report")
    os.write(2, b"HDF5-DIAG: Error detected\n")


@_is("file")
def write_a_file() -> None:
    (Path.home() / "written").write_text("x")


@_is("file")
def read_a_file() -> None:
    Path("/etc/passwd").read_bytes()


@_is("file")
def follow_a_link_in_hdf5() -> None:
    h5py.File("../secret/secret.h5").close()


@_is("import")
def import_a_module() -> None:
    sys.modules.pop("webbrowser", None)
    __import__("webbrowser")


@_is("code")
def run_code() -> None:
    exec(compile("1 + 1", "model.py", "exec"))


@_is("process")
def start_a_process() -> None:
    os.system("true")


@_is("memory")
def take_memory() -> None:
    click.echo(str(len(b"x" * (300 << 20))))


@_is("death")
def break_the_process() -> None:
    ctypes.string_at(0)


@_is("timeout")
def go_on_for_ever() -> None:
    time.sleep(600)
