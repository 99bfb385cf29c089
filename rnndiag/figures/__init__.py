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
from rnndiag.figures._palette import save
from rnndiag.figures._style import styled
from rnndiag.figures.base import NotDrawn, Picture
from rnndiag.publishing.base import Shown


def modules(kind: str) -> list[ModuleType]:
    """The figures of a folder, in the order in which they are shown."""
    found = registry.modules(f"{__name__}.{kind}").values()
    return sorted(found, key=lambda module: int(module.PLACE))


def draw(module: ModuleType, subject: Any) -> Iterator[Picture | NotDrawn]:
    """The pictures of one figure, one at a time; one that breaks is a result, too."""
    pictures = iter(module.draw(subject))
    while True:
        with styled():
            try:
                picture = next(pictures)
            except StopIteration:
                return
            except Exception as error:  # what breaks one figure must not take the others along
                yield _broken(module.__name__.rpartition(".")[2], error)
                return
        yield picture


def _broken(name: str, error: Exception) -> NotDrawn:
    return NotDrawn(name=name, reason=f"{type(error).__name__}: {error}")


def shown(picture: Picture, folder: Path, file: str) -> Shown | NotDrawn:
    """The picture, saved as a PNG `file` in a folder; raises `OSError` where it cannot be."""
    with styled():
        try:
            save(picture.figure, folder / file, picture.title)
        except OSError:
            raise
        except Exception as error:  # texts and layouts are worked out only now
            return _broken(picture.name, error)
    width, height = picture.figure.get_size_inches() * picture.figure.dpi
    return Shown(
        file=file,
        title=picture.title,
        caption=picture.caption,
        alt=picture.alt,
        size=(round(width), round(height)),
    )
