"""Pickles, one or several in a row: opcodes deleted, doubled, swapped, and calls put between."""

from __future__ import annotations

import io
import pickletools
import random
import struct
from collections.abc import Callable

from tests.fuzz.mutators.base import FOREIGN, INTEGERS, TEXTS, few, integer_bytes

Pieces = list[bytes]
"""One opcode with its argument each."""
_MOST = 100_000
_PLAIN = (
    *(b"(", b"0", b"1", b"2", b"a", b"e", b"s", b"u", b"t", b"\x85", b"\x86", b"\x87", b"R", b"b"),
    *(b"\x81", b"\x92", b"o", b"N", b"\x88", b"}", b"]", b")", b"\x8f", b"\x90", b"\x91", b"Q"),
    *(b"\x93", b"\x94", b".", b"l", b"d", b"\x82\x01", b"\x83\x01\x01", b"\x95" + b"\xff" * 8),
    *(b"h\x00", b"h\x01", b"q\x00", b"q\x7f", b"r\xff\xff\xff\x7f", b"j\x00\x00\x00\x00"),
    *(b"\x8b\xff\xff\xff\x7f", b"\x8a\xff" + b"\x7f" * 255, b"G" + b"\x7f\xf8" + b"\0" * 6),
    *(b"B\xff\xff\xff\xff", b"\x8d" + b"\xff" * 8, b"P1\n", b"I01\n", b"L99999999999999999L\n"),
)
"""Opcodes with an argument that is sound, or asks for very much."""


def suits(content: bytes) -> bool:
    """Whether a pickle of protocol 2 or later begins here."""
    return content[:1] == b"\x80" and bool(_split(content)[0])


def mutate(content: bytes, rng: random.Random) -> bytes:
    pieces, rest = _split(content)
    for _ in range(few(rng, 8)):
        rng.choice(_OPERATIONS)(pieces, rng)
        pieces = pieces or [b"."]
    return b"".join(pieces) + rest


def _split(content: bytes) -> tuple[Pieces, bytes]:
    """The opcodes of all the pickles in a row, and what stands behind them."""
    file = io.BytesIO(content)
    pieces: Pieces = []
    while file.tell() < len(content) and len(pieces) < _MOST:
        start, found = file.tell(), []
        try:
            found = [place for _, _, place in pickletools.genops(file) if place is not None]
        except (ValueError, IndexError, OverflowError, UnicodeDecodeError):
            return pieces, content[start:]
        ends = [*found[1:], file.tell()]
        pieces += [content[one:two] for one, two in zip(found, ends, strict=True)]
    return pieces, content[file.tell() :]


def _text(value: str) -> bytes:
    encoded = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _name(rng: random.Random) -> bytes:
    module, _, name = rng.choice(FOREIGN).partition(" ")
    if rng.random() < 0.5:
        return f"c{module}\n{name or 'f'}\n".encode()
    return _text(module) + _text(name or "f") + b"\x93"


def _delete(pieces: Pieces, rng: random.Random) -> None:
    pieces.pop(rng.randrange(len(pieces)))


def _twice(pieces: Pieces, rng: random.Random) -> None:
    start = rng.randrange(len(pieces))
    span = pieces[start : start + rng.choice((1, 1, 2, 5, 30))]
    into = rng.choice((start, rng.randrange(len(pieces))))
    pieces[into:into] = span * rng.choice((1, 1, 2, 50))


def _swap(pieces: Pieces, rng: random.Random) -> None:
    one, two = rng.randrange(len(pieces)), rng.randrange(len(pieces))
    pieces[one], pieces[two] = pieces[two], pieces[one]


def _insert(pieces: Pieces, rng: random.Random) -> None:
    pieces.insert(rng.randrange(len(pieces)), rng.choice(_PLAIN))


def _replace(pieces: Pieces, rng: random.Random) -> None:
    pieces[rng.randrange(len(pieces))] = rng.choice(_PLAIN)


def _call(pieces: Pieces, rng: random.Random) -> None:
    """A call of something foreign, its result dropped or left, or given a state."""
    argument = _text("touch canary")
    ends = rng.choice((b"\x85R0", b"\x85R", b"\x85\x81", b"\x85R}b0", b"\x85R]a0"))
    pieces.insert(rng.randrange(len(pieces)), _name(rng) + argument + ends)


def _class(pieces: Pieces, rng: random.Random) -> None:
    """Another name where the pickle names a class."""
    named = [at for at, piece in enumerate(pieces) if piece[:1] in (b"c", b"\x93", b"i")]
    if named:
        pieces[rng.choice(named)] = _name(rng)


def _argument(pieces: Pieces, rng: random.Random) -> None:
    """Another text or number where there is one."""
    texts = [at for at, piece in enumerate(pieces) if piece[:1] in (b"X", b"\x8c")]
    numbers = [at for at, piece in enumerate(pieces) if piece[:1] in (b"K", b"M", b"J", b"\x8a")]
    if texts and rng.random() < 0.5:
        pieces[rng.choice(texts)] = _text(rng.choice(TEXTS))
    elif numbers:
        value = rng.choice(INTEGERS)
        size = value.bit_length() // 8 + 1
        pieces[rng.choice(numbers)] = (
            b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)
        )


def _bytes(pieces: Pieces, rng: random.Random) -> None:
    """An argument's bytes."""
    place = rng.randrange(len(pieces))
    number = integer_bytes(rng)
    pieces[place] = pieces[place][:1] + number + pieces[place][1 + len(number) :]


_OPERATIONS: tuple[Callable[[Pieces, random.Random], None], ...] = (
    *(_delete, _twice, _swap, _insert, _replace, _call, _class, _argument, _argument, _bytes),
)
