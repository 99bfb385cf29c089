"""The JSON header of safetensors, changed by any mutator; its length is made to fit, or not."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.fuzz.mutators.base import INTEGERS

_LENGTH = 8


def suits(content: bytes) -> bool:
    opens = content[_LENGTH : _LENGTH + 1] == b"{"
    return opens and 2 <= _length(content) <= len(content) - _LENGTH


def within(content: bytes, rng: random.Random) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The header without its padding, and what puts it back."""
    end = _LENGTH + _length(content)
    lie = rng.choice(INTEGERS) % (1 << 64) if rng.random() < 0.05 else None

    def put_back(changed: bytes) -> bytes:
        length = len(changed) if lie is None else lie
        return length.to_bytes(_LENGTH, "little") + changed + content[end:]

    return content[_LENGTH:end].rstrip(b" "), put_back


def _length(content: bytes) -> int:
    return int.from_bytes(content[:_LENGTH], "little")
