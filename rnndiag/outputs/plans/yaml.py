"""Plans as YAML: the same data as the JSON, and easier to edit.

Block collections with double-quoted texts, which every YAML reader takes alike: what looks like a
number, a date or a truth stays a text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rnndiag.outputs.plans.json import as_data
from rnndiag.records.plan import Plan

_INDENT = "  "


def render(plan: Plan, *, width: int, color: bool, verbose: bool) -> str:
    """All of it; the terminal's `width`, `color` and `verbose` change nothing."""
    return "".join(f"{line}\n" for line in _lines(as_data(plan)))


def _lines(value: Any) -> Iterator[str]:
    """A collection in block style, the first line not indented."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(f"{_text(key)}:", item)
    else:
        for item in value:
            yield from _item(item)


def _entry(head: str, item: Any) -> Iterator[str]:
    if isinstance(item, (Mapping, list)) and item:
        yield head
        yield from (f"{_INDENT}{line}" for line in _lines(item))
    else:
        yield f"{head} {_scalar(item)}"


def _item(item: Any) -> Iterator[str]:
    if not (isinstance(item, (Mapping, list)) and item):
        yield f"- {_scalar(item)}"
        return
    for place, line in enumerate(_lines(item)):
        yield f"{_INDENT if place else '- '}{line}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and "." not in repr(value):
        # YAML 1.1 takes 1e-05 for a text: its numbers have a point.
        mantissa, _, exponent = repr(value).partition("e")
        return f"{mantissa}.0e{exponent}"
    return json.dumps(value)


def _text(text: str) -> str:
    """In double quotes; JSON's escapes are YAML's, and it leaves some characters as they are."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(own if own.isprintable() else _escaped(own) for own in quoted)


def _escaped(character: str) -> str:
    return f"\\U{ord(character):08x}"
