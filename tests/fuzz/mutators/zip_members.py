"""ZIP archives: members in another order, twice, of false sizes, with names that lead out."""

from __future__ import annotations

import io
import random
import re
import warnings
import zipfile
from collections.abc import Callable

from tests.fuzz.mutators.base import INTEGERS, SECRET, few

Members = list[tuple[str, bytes]]
_NAMES = (f"{SECRET}.h5", "/etc/passwd", "C:\\x", "", "a/", "x" * 70_000, "é", "\x1b[31m", "a\nb")
_BOMB, _LARGE = 70 << 20, 8 << 20
"""Bytes; what is large is packed, whatever the method of the others."""
_CENTRAL, _LOCAL = b"PK\x01\x02", b"PK\x03\x04"
_FIELDS = {
    _CENTRAL: (4, 6, 8, 10, 16, 20, 24, 28, 30, 32, 38, 42),
    _LOCAL: (4, 6, 8, 14, 18, 22, 26),
}
"""Where a header has its versions, flags, method, checksum, sizes, lengths and offset."""


def suits(content: bytes) -> bool:
    return content.startswith(_LOCAL) and bool(members(content))


def members(content: bytes) -> Members:
    """What an archive holds; nothing where it is broken."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [(info.filename, archive.read(info)) for info in archive.infolist()]
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, RuntimeError):
        return []


def packed(held: Members, method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive without dates."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        # Of names that stand twice, which may be what is wanted.
        warnings.simplefilter("ignore")
        for name, content in held:
            own = zipfile.ZIP_DEFLATED if len(content) > _LARGE else method
            archive.writestr(zipfile.ZipInfo(name), content, own, compresslevel=1)
    return file.getvalue()


def mutate(content: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return _with_lies(content, rng)
    held = members(content)
    for _ in range(few(rng, 3)):
        rng.choice(_OPERATIONS)(held, rng)
    method = rng.choice((zipfile.ZIP_STORED,) * 3 + (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    return packed(held, method)


def _with_lies(content: bytes, rng: random.Random) -> bytes:
    """The same bytes with other numbers in the headers."""
    changed = bytearray(content)
    for _ in range(few(rng, 4)):
        magic = rng.choice((_CENTRAL, _CENTRAL, _LOCAL))
        starts = [found.start() for found in re.finditer(re.escape(magic), changed)]
        if starts:
            at = rng.choice(starts) + rng.choice(_FIELDS[magic])
            size = rng.choice((2, 4))
            value = rng.choice(INTEGERS) % (1 << 8 * size)
            changed[at : at + size] = value.to_bytes(size, "little")
    return bytes(changed)


def _shuffle(held: Members, rng: random.Random) -> None:
    rng.shuffle(held)


def _drop(held: Members, rng: random.Random) -> None:
    if held:
        held.pop(rng.randrange(len(held)))


def _twice(held: Members, rng: random.Random) -> None:
    if held:
        name, _ = rng.choice(held)
        held.append((name, rng.choice(held)[1]))


def _rename(held: Members, rng: random.Random) -> None:
    if held:
        place = rng.randrange(len(held))
        name, content = held[place]
        folder, _, last = name.rpartition("/")
        named = (*_NAMES, last, f"x/{name}", f"../{last}", f"{folder}/other", rng.choice(held)[0])
        # ZIP itself has no longer names.
        held[place] = (rng.choice(named)[:65_000], content)


def _swap(held: Members, rng: random.Random) -> None:
    if held:
        one, two = rng.randrange(len(held)), rng.randrange(len(held))
        (first, a), (second, b) = held[one], held[two]
        held[one], held[two] = (first, b), (second, a)


def _empty(held: Members, rng: random.Random) -> None:
    if held:
        place = rng.randrange(len(held))
        held[place] = (held[place][0], b"")


def _stranger(held: Members, rng: random.Random) -> None:
    name = rng.choice((*_NAMES[:2], "canary.py", "archive/byteorder", "model.weights.npz"))
    held.insert(rng.randrange(len(held) + 1), (name, b"import os\nos.system('touch canary')\n"))


def _bomb(held: Members, rng: random.Random) -> None:
    if held and rng.random() < 0.1:
        place = rng.randrange(len(held))
        held[place] = (held[place][0], held[place][1] + bytes(_BOMB))


_OPERATIONS: tuple[Callable[[Members, random.Random], None], ...] = (
    *(_shuffle, _drop, _twice, _rename, _swap, _empty, _stranger, _bomb),
)
