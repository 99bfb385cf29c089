"""Functions that a pickle names and no checkpoint needs: what runs commands and other code.

A list can never be whole. It only decides how plainly a report warns: nothing that a pickle
names is run, whether it stands here or not.
"""

from __future__ import annotations

from collections.abc import Sequence

from rnndiag.checkpoints._pickles.objects import shown
from rnndiag.printable import first_of

_MODULES = frozenset(
    (
        *("os", "posix", "nt", "sys", "subprocess", "_posixsubprocess", "commands", "pty"),
        *("shutil", "socket", "_socket", "webbrowser", "ctypes", "_ctypes", "urllib", "requests"),
        *("importlib", "imp", "_imp", "runpy", "code", "codeop", "timeit", "pdb", "bdb", "pip"),
        *("pickle", "_pickle"),
    )
)
"""First parts of names."""
_ANYWHERE = frozenset(("os", "sys", "subprocess", "builtins", "__builtins__"))
"""Modules that a name may reach by way of another one that imports them: ``torch.os.system``."""
_FUNCTIONS = frozenset(("exec", "eval", "compile", "__import__", "open", "breakpoint", "execfile"))
"""Of Python's own; honest pickles of older protocols name ``getattr``."""
_OWN = ("builtins", "io", "_io")
SHOWN = 4
"""Names that a note lists."""


def is_command(name: str) -> bool:
    """Whether a function, with its module's name before it, can run commands or other code."""
    first, *between = name.split(".")
    last = between.pop() if between else ""
    if first in _MODULES or not _ANYWHERE.isdisjoint(between):
        return True
    return first in _OWN and last in _FUNCTIONS


def warning(called: Sequence[str], named: Sequence[str]) -> str | None:
    """What unpickling would run, of what a pickle calls and names; None where it is harmless."""
    runs = [name for name in called if is_command(name)]
    rest = [name for name in named if is_command(name) and name not in runs]
    told = [
        *([f"run {first_of([f'{shown(name)}(…)' for name in runs], SHOWN)}"] if runs else []),
        *([f"import {first_of(map(shown, rest), SHOWN)}"] if rest else []),
    ]
    if not told:
        return None
    return (
        f"unpickling this file, as pickle and torch.load without weights_only do, would "
        f"{' and '.join(told)}; rnndiag did not"
    )
