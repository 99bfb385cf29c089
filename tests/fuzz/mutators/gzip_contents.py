"""What is packed by gzip, changed by any mutator that suits it."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable


def suits(content: bytes) -> bool:
    try:
        return content.startswith(b"\x1f\x8b") and bool(gzip.decompress(content))
    except (OSError, EOFError, zlib.error):
        return False


def within(content: bytes, rng: random.Random) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The content, and what packs it again."""
    return gzip.decompress(content), lambda changed: gzip.compress(changed, mtime=0)
