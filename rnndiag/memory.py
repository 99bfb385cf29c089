"""How much memory a checkpoint may make the program take: asked before it is taken.

A file of a few kilobytes can declare terabytes, and a configuration ask for a billion timesteps.
Whoever is about to take memory because a file says so tells how much: what lasts as long as the
run adds up. The account is rough, and the program's own libraries are no part of it.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from rnndiag.errors import BadOption, TooLarge

_DEFAULT = 8 << 30
_SHARE = 0.75
"""Of the machine's memory; the default, where that is less."""
_SIZE = re.compile(
    r"(?P<number>[0-9]+(\.[0-9]+)?)\s*(?P<unit>[kmgt]?)(?P<binary>i?)b?", re.IGNORECASE
)
_POWERS = ("", "k", "m", "g", "t")
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_HINT = "if the file is to be trusted, allow more: --max-memory SIZE"


@dataclass
class _Budget:
    """What one checkpoint may take, and has not taken yet."""

    most: int
    left: float
    name: str
    said: str
    """`most` in the user's own words, where there are any."""


_BUDGET: ContextVar[_Budget | None] = ContextVar("memory", default=None)


def parse(size: int | str) -> int:
    """Bytes of ``2GB``, ``512MiB`` or a plain number; raises `BadOption`."""
    found = _SIZE.fullmatch(str(size).strip())
    # A number of a thousand digits is no size, and none of Python's floats either.
    if found is None or len(found["number"]) > 20:
        told = f"--max-memory {str(size)[:40]!r}: is no size"
        raise BadOption(told, "such as 2GB, 512MiB or a number of bytes")
    base = 1024 if found["binary"] else 1000
    taken = int(float(found["number"]) * base ** _POWERS.index(found["unit"].lower()))
    if taken < 1:
        raise BadOption(f"--max-memory {size}: must be at least 1 byte")
    return taken


def default() -> int:
    """8 GiB, or three quarters of the machine's memory where that is less."""
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return _DEFAULT
    return min(_DEFAULT, int(_SHARE * there)) if there > 0 else _DEFAULT


@contextmanager
def bounded(most: int | str | None, name: str) -> Iterator[None]:
    """Let what happens within take `most` bytes, by default `default()`, for the file `name`.

    Raises `TooLarge`, also where the machine has less.
    """
    allowed = default() if most is None else parse(most)
    said = most if isinstance(most, str) and not most.isdigit() else shown(allowed)
    token = _BUDGET.set(_Budget(most=allowed, left=allowed, name=name, said=said))
    try:
        yield
    except MemoryError as error:
        raise TooLarge(f"{name}: the machine's memory is not enough", _HINT) from error
    finally:
        _BUDGET.reset(token)


def left() -> int:
    """Bytes that may still be taken."""
    budget = _BUDGET.get()
    return default() if budget is None else int(max(budget.left, 0))


def check(size: float, what: str, hint: str = _HINT) -> None:
    """Raise `TooLarge` where `what` would take so many more bytes than may be taken."""
    budget = _BUDGET.get()
    most = default() if budget is None else budget.most
    if size > left():
        place = "" if budget is None else f"{budget.name}: "
        used = most - left()
        beside = f" beside {shown(used)}" if used >= most / 20 else ""
        said = shown(most) if budget is None else budget.said
        raise TooLarge(
            f"{place}{what} would take {shown(size)}{beside}; --max-memory is {said}", hint
        )


def take(size: float, what: str, hint: str = _HINT) -> None:
    """The same, and from now on the memory counts as taken."""
    check(size, what, hint)
    budget = _BUDGET.get()
    if budget is not None:
        budget.left -= size


@contextmanager
def given_back() -> Iterator[None]:
    """What is taken within counts as free again afterwards: it does not last."""
    budget = _BUDGET.get()
    before = budget.left if budget is not None else 0.0
    try:
        yield
    finally:
        if budget is not None:
            budget.left = before


def shown(size: float) -> str:
    """``1.5 GiB``."""
    power = min(int(math.log2(size) / 10), len(_UNITS) - 1) if size >= 1 else 0
    number = size / 1024**power
    digits = 0 if power == 0 or number >= 100 else 1
    return f"{number:.{digits}f} {_UNITS[power]}"
