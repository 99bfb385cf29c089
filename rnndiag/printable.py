"""Texts out of files as a terminal, a page or XML can show them: names can hold anything."""

from __future__ import annotations

import re
from collections.abc import Iterable

_UNPRINTABLE = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
"""What XML 1.0 cannot hold, and what a reader can be fooled by: control characters, which move
a terminal's cursor, and those that turn the direction of text around.
"""


def printable(text: str) -> str:
    """`text` with U+FFFD for each such character; tabs and line breaks stay."""
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """`text` in one line: a name can hold line breaks."""
    return printable(text).replace("\n", " ").replace("\t", " ")


def first_of(names: Iterable[object], most: int) -> str:
    """The first names, ``most`` of them, and how many more there are; empty for none."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
