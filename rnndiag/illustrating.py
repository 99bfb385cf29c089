"""The whole story of a report folder: what was found becomes pictures and a page.

diagnose → draw → write → put in place, all or nothing
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from rnndiag import advising
from rnndiag.advising import Case
from rnndiag.progress import Progress, part, silent
from rnndiag.publishing import folders
from rnndiag.publishing.base import Page, Shown
from rnndiag.publishing.folders import About
from rnndiag.records import Comparison, Course, LayerReport, Outcome, Report

if TYPE_CHECKING:
    from rnndiag.figures.base import Picture

PAGE, TEXT, NUMBERS, ARRAYS = "index.html", "report.md", "report.json", "arrays.npz"
_DIAGNOSED = 0.6
"""Share of the work that lies behind when drawing begins."""
Pictures: TypeAlias = list[tuple[LayerReport | None, Shown]]
"""Each picture that lies in the folder, with the layer that it shows."""


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
    about = About(kind="report", subject=Path(path).name)
    folders.check_replaceable(folder, force=force, read=[path], kind=about.kind)
    found = advising.diagnose(path, case, part(progress, 0.0, _DIAGNOSED))

    from rnndiag import arrays as files
    from rnndiag.figures.base import Subject
    from rnndiag.outputs.reports import json
    from rnndiag.publishing import checkpoint

    def page(pictures: Pictures, broken: list[str]) -> Page:
        return checkpoint.page(found.report, pictures, broken)

    subject = Subject.of(found.report, found.run, case.policy.lag)
    numbers = json.as_data(Outcome(reports=(found.report,)))
    with folders.replacing(folder, about, force=force) as made:
        publish("checkpoint", subject, page, numbers, made, part(progress, _DIAGNOSED, 0.99))
        if arrays:
            progress("saving the arrays", 0.99)
            files.save(found.run, made / ARRAYS)
    return found.report


def illustrate_comparison(comparison: Comparison, folder: Path, *, force: bool = False) -> None:
    """Publish what changed as a folder; as `illustrate` otherwise."""
    from rnndiag.outputs.comparisons import json
    from rnndiag.publishing import comparison as pages

    def page(pictures: Pictures, broken: list[str]) -> Page:
        return pages.page(comparison, pictures, broken)

    names = [Path(own.checkpoint.path).name for own in (comparison.before, comparison.after)]
    about = About(kind="compare", subject=" → ".join(names))
    folders.check_replaceable(folder, force=force, kind=about.kind)
    with folders.replacing(folder, about, force=force) as made:
        publish("comparison", comparison, page, json.as_data(comparison), made)


def illustrate_course(
    course: Course, folder: Path, *, force: bool = False, progress: Progress = silent
) -> None:
    """Publish what became of a training run as a folder; as `illustrate` otherwise."""
    from rnndiag.outputs.courses import json
    from rnndiag.publishing import course as pages

    def page(pictures: Pictures, broken: list[str]) -> Page:
        return pages.page(course, pictures, broken)

    about = About(kind="track", subject=Path(course.points[-1].path).absolute().parent.name)
    folders.check_replaceable(folder, force=force, kind=about.kind)
    with folders.replacing(folder, about, force=force) as made:
        publish("training", course, page, json.as_data(course), made, progress)


def publish(
    kind: str,
    subject: Any,
    page: Callable[[Pictures, list[str]], Page],
    numbers: Any,
    folder: Path,
    progress: Progress = silent,
) -> None:
    """Fill an empty folder with the figures of a `kind`, the `page` that shows them, and JSON.

    `page` is given the pictures and what is to be said of those that broke.
    """
    import json

    from rnndiag.publishing import html, markdown

    pictures: Pictures = []
    broken: list[str] = []
    for item in _drawn(kind, subject, folder, part(progress, 0.0, 0.95)):
        broken.append(item) if isinstance(item, str) else pictures.append(item)
    progress("writing the page", 0.95)
    made = page(pictures, broken)
    _write(folder / PAGE, html.render(made, folder))
    _write(folder / TEXT, markdown.render(made))
    _write(folder / NUMBERS, json.dumps(numbers, indent=2, allow_nan=False) + "\n")


def _write(file: Path, text: str) -> None:
    # A name from a file may hold half a character, which UTF-8 has no bytes for.
    file.write_text(text, encoding="utf-8", errors="replace")


def _drawn(
    kind: str, subject: Any, folder: Path, progress: Progress
) -> Iterator[tuple[LayerReport | None, Shown] | str]:
    """Each picture as it lies in the folder, and why one is missing."""
    from rnndiag import figures
    from rnndiag.figures.base import NotDrawn, Picture

    modules = figures.modules(kind)
    names: set[str] = set()
    for place, module in enumerate(modules):
        what = module.__name__.rpartition(".")[2].replace("_", " ")
        progress(f"drawing: {what}", place / len(modules))
        for picture in figures.draw(module, subject):
            made: Shown | NotDrawn
            if isinstance(picture, NotDrawn):
                made = picture
            else:
                made = figures.shown(picture, folder, _file_name(picture, names))
            if isinstance(made, NotDrawn):
                yield f"The figure {made.name} could not be drawn: {made.reason}"
            elif isinstance(picture, Picture):
                yield picture.layer, made


def _file_name(picture: Picture, taken: set[str]) -> str:
    """``lstm-forward-gradient_profile.png``; a number behind what is taken already."""
    parts, layer = [picture.name], picture.layer
    if layer is not None:
        call = (f"call{layer.call}",) if layer.call else ()
        parts = [layer.id, *call, layer.direction or "", picture.name]
    stem = re.sub(r"[^\w.-]+", "_", "-".join(filter(None, parts)), flags=re.ASCII).lstrip(".-")
    # File systems end at 255 bytes, and some tell no capitals from small letters.
    stem = stem[-120:]
    name, number = f"{stem}.png", 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}.png"
    taken.add(name.casefold())
    return name
