"""What a report folder tells, whatever the file in which it is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rnndiag.outputs.judged import alike, where
from rnndiag.records import Finding


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture that lies in the folder."""

    file: str
    """Relative to the folder."""
    title: str
    caption: str
    alt: str
    size: tuple[int, int]
    """Width and height in pixels."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Numbers as text, the first column naming what a row is about."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Said:
    """A finding as it is shown once, with every place of which it is told."""

    finding: Finding
    places: str
    """``lstm/forward, lstm/backward``."""


def said(findings: Iterable[Finding]) -> tuple[Said, ...]:
    """The findings in their order; what a rule says alike of several layers stands once."""
    return tuple(
        Said(finding=found, places=", ".join(map(where, same))) for found, same in alike(findings)
    )


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page under a heading of its own."""

    title: str
    text: tuple[str, ...] = ()
    """Paragraphs, in plain characters."""
    findings: tuple[Finding, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Shown, ...] = ()
    points: tuple[str, ...] = ()
    """Short remarks, one a line."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """All of it, in the order in which it is read."""

    title: str
    about: tuple[str, ...]
    """What was looked at, and how."""
    verdict: str
    """What it comes to, in a few words."""
    sections: tuple[Section, ...]
