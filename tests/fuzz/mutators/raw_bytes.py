"""Bytes as they come: flipped, cut off, inserted, moved, and integers that mean trouble."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.fuzz.mutators.base import few, integer_bytes

Operation = Callable[[bytearray, random.Random], None]
_HEAD = 4096
"""Bytes at the start, where formats keep their structure; half of the changes go there."""


def suits(content: bytes) -> bool:
    return True


def mutate(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content or b"\0")
    operation = rng.choice(_OPERATIONS)
    for _ in range(1 if operation is _cut else few(rng)):
        operation(changed, rng)
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def _somewhere(content: bytearray, rng: random.Random) -> int:
    ends = len(content) if rng.random() < 0.5 else min(_HEAD, len(content))
    return rng.randrange(ends)


def _span(content: bytearray, rng: random.Random) -> slice:
    start = _somewhere(content, rng)
    return slice(start, start + rng.choice((1, 2, 4, 8, 16, 64, 512, 4096)))


def _flip(content: bytearray, rng: random.Random) -> None:
    content[_somewhere(content, rng)] ^= 1 << rng.randrange(8)


def _overwrite(content: bytearray, rng: random.Random) -> None:
    content[_somewhere(content, rng)] = rng.randrange(256)


def _number(content: bytearray, rng: random.Random) -> None:
    start, number = _somewhere(content, rng), integer_bytes(rng)
    content[start : start + len(number)] = number


def _aligned_number(content: bytearray, rng: random.Random) -> None:
    start, number = _somewhere(content, rng) & ~7, integer_bytes(rng)
    content[start : start + len(number)] = number


def _cut(content: bytearray, rng: random.Random) -> None:
    del content[_somewhere(content, rng) :]


def _delete(content: bytearray, rng: random.Random) -> None:
    del content[_span(content, rng)]


def _insert(content: bytearray, rng: random.Random) -> None:
    span = _span(content, rng)
    content[span.start : span.start] = rng.randbytes(span.stop - span.start)


def _zero(content: bytearray, rng: random.Random) -> None:
    span = _span(content, rng)
    content[span] = bytes(len(content[span]))


def _copy(content: bytearray, rng: random.Random) -> None:
    """Over what is there, or between."""
    piece, start = content[_span(content, rng)], _somewhere(content, rng)
    content[start : start + (len(piece) if rng.random() < 0.7 else 0)] = piece


def _digit(content: bytearray, rng: random.Random) -> None:
    """A byte of JSON, text or a pickle of protocol 0."""
    content[_somewhere(content, rng)] = rng.choice(b'0123456789[]{}":,.-enul')


_OPERATIONS: tuple[Operation, ...] = (
    *(_flip, _flip, _overwrite, _number, _aligned_number, _cut, _delete, _insert, _zero),
    *(_copy, _digit),
)
