"""A rule's docstring, taken apart: the one source of ``explain``, README and SARIF help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType

from rnndiag.rules.base import HEADINGS

_HEADING = re.compile(rf"^({'|'.join(map(re.escape, HEADINGS))})$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Doc:
    """What a rule says of itself."""

    summary: str
    """One line without a full stop."""
    sections: Mapping[str, str]
    """Heading → its text: paragraphs without line breaks inside, lists with a line an item."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Each source: a section of a document (``A: what to do 1``), or a paper."""
        lines = self.sections["Sources"].splitlines()
        return tuple(line.removeprefix("- ") for line in lines if line)


def of(module: ModuleType) -> Doc:
    """The parts of a rule's docstring."""
    first, _, rest = inspect.cleandoc(module.__doc__ or "").partition("\n")
    _, *parts = _HEADING.split(rest)
    headings, texts = parts[::2], parts[1::2]
    sections = {
        heading: "\n".join(_unwrapped(inspect.cleandoc(text)))
        for heading, text in zip(headings, texts, strict=True)
    }
    return Doc(summary=first.removesuffix("."), sections=sections)


def _unwrapped(text: str) -> Iterator[str]:
    """Lines joined to paragraphs and to list items; empty lines stay between paragraphs."""
    pending = ""
    for line in map(str.strip, (*text.splitlines(), "")):
        if pending and (not line or re.match(r"(-|\d+\.) ", line)):
            yield pending
            pending = ""
        if not line:
            yield ""
        pending = f"{pending} {line}".strip()
