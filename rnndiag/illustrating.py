"""The whole story of a report folder: a checkpoint becomes pictures and a page.

diagnose → draw → write → put in place
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rnndiag import advising
from rnndiag.advising import Case
from rnndiag.pipeline import Diagnosis
from rnndiag.progress import Progress, silent
from rnndiag.publishing import folders
from rnndiag.publishing.base import Shown
from rnndiag.records import LayerReport, Outcome, Report

PAGE, TEXT, NUMBERS, ARRAYS = "index.html", "report.md", "report.json", "arrays.npz"
_DIAGNOSED = 0.6
"""Share of the work that lies behind when drawing begins."""


def illustrate(
    path: str,
    case: Case,
    folder: Path,
    *,
    force: bool = False,
    arrays: bool = False,
    progress: Progress = silent,
) -> Report:
    """Diagnose a checkpoint, and publish what there is to see as a folder.

    An earlier report in its place is replaced at the very end; with `force` whatever stands
    there. Raises `rnndiag.errors.RnndiagError`.
    """
    folders.check_replaceable(folder, force=force)
    found = advising.diagnose(path, case, lambda what, done: progress(what, _DIAGNOSED * done))
    with folders.replacing(folder) as made:
        _publish(found, case, made, progress)
        if arrays:
            from rnndiag import arrays as files

            progress("saving the arrays", 0.99)
            files.save(found.run, made / ARRAYS)
    return found.report


def _publish(found: Diagnosis, case: Case, folder: Path, progress: Progress) -> None:
    from rnndiag.outputs import json
    from rnndiag.publishing import checkpoint, html, markdown

    drawn: list[tuple[LayerReport | None, Shown]] = []
    broken: list[str] = []
    for item in _drawn(found, case, folder, progress):
        broken.append(item) if isinstance(item, str) else drawn.append(item)
    progress("writing the page", 0.97)
    page = checkpoint.page(found.report, drawn, broken)
    outcome = Outcome(reports=(found.report,))
    numbers = json.render(outcome, width=0, color=False, verbose=True)
    _write(folder / PAGE, html.render(page, folder))
    _write(folder / TEXT, markdown.render(page))
    _write(folder / NUMBERS, numbers)


def _write(file: Path, text: str) -> None:
    # A name from a file may hold half a character, which UTF-8 has no bytes for.
    file.write_text(text, encoding="utf-8", errors="replace")


def _drawn(
    found: Diagnosis, case: Case, folder: Path, progress: Progress
) -> Iterator[tuple[LayerReport | None, Shown] | str]:
    """Each picture as it lies in the folder, and why one is missing."""
    from rnndiag import figures
    from rnndiag.figures.base import NotDrawn, Subject

    subject = Subject.of(found.report, found.run, case.policy.lag)
    modules = figures.modules("checkpoint")
    names: set[str] = set()
    for place, module in enumerate(modules):
        what = module.__name__.rpartition(".")[2].replace("_", " ")
        progress(f"drawing: {what}", _DIAGNOSED + (0.97 - _DIAGNOSED) * place / len(modules))
        for picture in figures.draw(module, subject):
            if isinstance(picture, NotDrawn):
                yield f"The figure {picture.name} could not be drawn: {picture.reason}"
                continue
            file = _file_name(picture.name, picture.layer, names)
            yield picture.layer, figures.shown(picture, folder, file)


def _file_name(picture: str, layer: LayerReport | None, taken: set[str]) -> str:
    """``lstm-forward-gradient_profile.png``; a number behind what is taken already."""
    parts = [picture]
    if layer is not None:
        call = (f"call{layer.call}",) if layer.call else ()
        parts = [layer.id, *call, layer.direction or "", picture]
    stem = re.sub(r"[^\w.-]+", "_", "-".join(filter(None, parts)), flags=re.ASCII).lstrip(".-")
    # File systems end at 255 bytes, and some tell no capitals from small letters.
    stem = stem[-120:]
    name, number = f"{stem}.png", 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}.png"
    taken.add(name.casefold())
    return name
