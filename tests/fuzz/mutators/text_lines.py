"""Lines of text, such as CSV and TOML: deleted, doubled, swapped, with other fields."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from tests.fuzz.mutators.base import INTEGERS, TEXTS, few

_LONGEST = 1 << 16
_FIELD = re.compile(rb"[^\s,;=]+")


def suits(content: bytes) -> bool:
    return 0 < len(content) < _LONGEST and content.isascii() and content[:1] not in b"\0{[P"


def mutate(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    for _ in range(few(rng, 5)):
        rng.choice(_OPERATIONS)(lines, rng)
        lines = lines or [b"\n"]
    return b"".join(lines)


def _delete(lines: list[bytes], rng: random.Random) -> None:
    lines.pop(rng.randrange(len(lines)))


def _twice(lines: list[bytes], rng: random.Random) -> None:
    lines.insert(rng.randrange(len(lines)), rng.choice(lines))


def _swap(lines: list[bytes], rng: random.Random) -> None:
    one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]


def _field(lines: list[bytes], rng: random.Random) -> None:
    """Another word or number in the place of one."""
    place = rng.randrange(len(lines))
    found = list(_FIELD.finditer(lines[place]))
    if found:
        span = rng.choice(found)
        odd = rng.choice((*TEXTS, *map(str, INTEGERS), "NaN", '"', "1,5", "[1, 2]", "=", "#"))
        start, end = span.span()
        new = odd.encode("utf-8", "surrogatepass")
        lines[place] = lines[place][:start] + new + lines[place][end:]


def _separators(lines: list[bytes], rng: random.Random) -> None:
    place = rng.randrange(len(lines))
    lines[place] = lines[place].replace(b",", rng.choice((b";", b"\t", b",,", b"", b", ")))


_OPERATIONS: tuple[Callable[[list[bytes], random.Random], None], ...] = (
    *(_delete, _twice, _swap, _field, _field, _field, _separators),
)
