"""Figures: one picture a file, drawn from a judged report and the run that it rests on.

A module of ``checkpoint/`` has a ``PLACE``, the smaller the earlier it stands, and
``draw(subject) -> Iterator[Picture]``, which yields nothing where it has nothing to show.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from rnndiag import registry
from rnndiag.figures import _quietly  # noqa: F401  # before anything of matplotlib's
from rnndiag.figures._style import styled
from rnndiag.figures.base import NotDrawn, Picture
from rnndiag.publishing.base import Shown


def modules(kind: str) -> list[ModuleType]:
    """The figures of a folder, in the order in which they are shown."""
    found = registry.modules(f"{__name__}.{kind}").values()
    return sorted(found, key=lambda module: int(module.PLACE))


def draw(module: ModuleType, subject: Any) -> list[Picture | NotDrawn]:
    """All pictures of one figure; one that breaks is a result, too."""
    drawn: list[Picture | NotDrawn] = []
    with styled():
        try:
            drawn.extend(module.draw(subject))
        except Exception as error:  # whatever breaks one figure must not take the others along
            name = module.__name__.rpartition(".")[2]
            drawn.append(NotDrawn(name=name, reason=f"{type(error).__name__}: {error}"))
    return drawn


def shown(picture: Picture, folder: Path, file: str) -> Shown:
    """The picture, saved as a PNG `file` in a folder."""
    with styled():
        picture.figure.savefig(folder / file, format="png", metadata={"Title": picture.title})
    width, height = picture.figure.get_size_inches() * picture.figure.dpi
    return Shown(
        file=file,
        title=picture.title,
        caption=picture.caption,
        alt=picture.alt,
        size=(round(width), round(height)),
    )


def pictures(kind: str, subject: Any) -> Iterator[Picture | NotDrawn]:
    """Everything that the figures of a folder have to show of the subject."""
    for module in modules(kind):
        yield from draw(module, subject)
