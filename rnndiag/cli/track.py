"""``rnndiag track``: what became of the layers over a training run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rnndiag.cli import places
from rnndiag.cli.choosing import choose
from rnndiag.cli.grouping import GroupedCommand, group
from rnndiag.cli.options import CONFIG, FOLDER, INPUT, KNOWN, POLICY, RUN, output
from rnndiag.cli.writing import write
from rnndiag.registry import names

_TEXTS = (".csv", ".json", ".md", ".txt")
_NORMS_ONLY = group("The series")(
    "--norms-only",
    is_flag=True,
    help="Run the probe on the last checkpoint alone; of the others read the weights.",
)


@click.command(cls=GroupedCommand)
@click.argument("checkpoints", metavar="CKPT...", nargs=-1, required=True)
@_NORMS_ONLY
@INPUT
@KNOWN
@POLICY
@output(names("rnndiag.outputs.courses"), verbose="All findings, and what came and went when.")
@FOLDER
@RUN
@CONFIG
def track(
    checkpoints: tuple[str, ...],
    norms_only: bool,
    folder: Path | None,
    force: bool,
    config: Path | None,
    **parameters: Any,
) -> None:
    """Follow a training run through its checkpoints.

    Norms, spans, units and findings are told over the run's epochs or steps.

    CKPT is a file, a pattern in quotes or a folder. The order is that of the epochs or steps in
    the files; where one does not tell, that of the names, ckpt-9 before ckpt-10. The same probe
    runs through all, and each is judged with those before it: what is found at the last one is
    told with the epoch from which on it held.

    A file that cannot be read, or holds other layers, is left out as a gap, which is said.

    Exit status, by what is found at the last checkpoint: 0 nothing at or above --fail-on, 1
    findings, 2 a file, an option or rnndiag is at fault, or fewer than two checkpoints are left,
    3 no recurrent layer could be analysed.
    """
    from rnndiag import tracking
    from rnndiag.advising import Case
    from rnndiag.progress import bar, part

    chosen = choose(config, parameters)
    common = chosen.about()
    place = None if common["output"] == Path("-") else common["output"]
    read = _read([*checkpoints], common, chosen.configuration.source, place)
    earlier = places.check([place], read, folder, force=force, kind="track")
    case = Case.of({**common, "thresholds": common["threshold"]})
    with bar(quiet=common["quiet"]) as progress:
        tracked = part(progress, 0.0, 1.0 if folder is None else 0.8)
        found = tracking.track(checkpoints, case, norms_only=norms_only, progress=tracked)
        if folder is not None:
            from rnndiag import illustrating

            drawn = part(progress, 0.8, 1.0)
            illustrating.illustrate_course(found, folder, force=force, progress=drawn)
    write(found, common["format_"], place, verbose=common["verbose"], kind="courses")
    if folder is not None and not common["quiet"]:
        places.tell_written(folder, earlier)
    click.get_current_context().exit(found.exit_code)


def _read(
    checkpoints: list[str], common: Mapping[str, Any], source: str | None, place: Path | None
) -> list[Path]:
    """All that is read, whatever pattern leads to it; text of an earlier call is no checkpoint."""
    from rnndiag.evidence.files import files_in

    inside = files_in(checkpoints)
    if place is not None and place.suffix in _TEXTS:
        inside = [file for file in inside if file.resolve() != place.resolve()]
    return places.read(inside, common, source)
