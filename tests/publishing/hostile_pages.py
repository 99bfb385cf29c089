"""A page in which every text is as awkward as names in files can be."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from rnndiag.publishing.base import Page, Section, Shown, Table
from rnndiag.records import Advice, Finding

TEXT = (
    "# <script>alert(1)</script> \"two\" & 'one' | `tick` $x$ *a* _b_ [c](http://d.e) \\ {{ 7*7 }}"
)
"""Markup of HTML, Markdown and Jinja, and what looks like an address."""
PICTURES = ("one.png", "two.png")


def page(text: str = TEXT) -> Page:
    """A page with everything that a page can hold."""
    pictures = tuple(
        Shown(file=file, title=text, caption=text, alt=f"{text} {file}", size=(8, 4))
        for file in PICTURES
    )
    first = Section(title=text, text=(text,), findings=(finding(text),), pictures=pictures[:1])
    table = Table(columns=(text, "b"), rows=((text, "1"),), caption=text)
    second = Section(title=text, tables=(table,), pictures=pictures[1:], points=(text, text))
    return Page(title=text, about=(text,), verdict=text, sections=(first, second))


def finding(text: str) -> Finding:
    """One finding, all of it `text`."""
    return Finding(
        rule="RNN101",
        name="vanishing-gradient",
        severity="error",
        confidence="high",
        message=text,
        layer=text,
        direction="forward",
        capped=text,
        advice=(Advice(text=text, source=text, snippet=text),),
    )


def folder(path: Path) -> Path:
    """A folder with the pictures that the page names."""
    for place, file in enumerate(PICTURES):
        Image.new("RGB", (8, 4), (place, 0, 0)).save(path / file)
    return path
