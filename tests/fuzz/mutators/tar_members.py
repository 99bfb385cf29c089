"""Tar archives: headers with other names, kinds and sizes, and the checksums right."""

from __future__ import annotations

import random

from tests.fuzz.mutators.base import SECRET

_BLOCK = 512
_CHECKSUM = slice(148, 156)
_NAMES = (f"{SECRET}.h5", "/etc/passwd", "run/gru.pt", "./run/gru.pt", "é", "x" * 100, "")
_KINDS = b"0127LKxgSV56\0"
_SIZES = (b"00000000000", b"77777777777", b"00000000777", b"-0000000001", b"\x80" + b"\xff" * 10)


def suits(content: bytes) -> bool:
    return content[257:262] == b"ustar"


def mutate(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    start = rng.choice([at for at in range(0, len(content), _BLOCK) if suits(content[at:])])
    header = changed[start : start + _BLOCK]
    if rng.random() < 0.4:
        header[:100] = rng.choice(_NAMES).encode()[:100].ljust(100, b"\0")
    if rng.random() < 0.5:
        header[156:157] = bytes([rng.choice(_KINDS)])
    if rng.random() < 0.5:
        header[124:136] = rng.choice(_SIZES).ljust(12, b"\0")
    header[_CHECKSUM] = b" " * 8
    header[_CHECKSUM] = b"%06o\0 " % sum(header)
    if rng.random() < 0.2:
        # Once more in front: a member that stands twice, or a header of a header.
        return bytes(changed[:start] + header + changed[start:])
    changed[start : start + _BLOCK] = header
    return bytes(changed)
