"""``rnndiag track``: what became of the layers over a training run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rnndiag.cli.choosing import choose
from rnndiag.cli.compare import check_places
from rnndiag.cli.grouping import GroupedCommand, group
from rnndiag.cli.options import CONFIG, FOLDER, INPUT, KNOWN, POLICY, RUN, output
from rnndiag.cli.writing import complain, deliver, on_terminal, width
from rnndiag.registry import names

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
    from rnndiag import registry, tracking
    from rnndiag.advising import Case
    from rnndiag.progress import bar, part

    common = choose(config, parameters).about()
    place = None if common["output"] == Path("-") else common["output"]
    _check_places(place, folder, force, [*checkpoints], common)
    case = Case.of({**common, "thresholds": common["threshold"]})
    with bar(quiet=common["quiet"]) as progress:
        tracked = part(progress, 0.0, 1.0 if folder is None else 0.8)
        found = tracking.track(checkpoints, case, norms_only=norms_only, progress=tracked)
        if folder is not None:
            from rnndiag import illustrating

            drawn = part(progress, 0.8, 1.0)
            illustrating.illustrate_course(found, folder, force=force, progress=drawn)
    render = registry.modules("rnndiag.outputs.courses")[common["format_"]].render
    color = on_terminal() and place is None
    deliver(render(found, width=width(), color=color, verbose=common["verbose"]), place)
    if folder is not None and not common["quiet"]:
        complain(f"{folder / 'index.html'} is written", "")
    click.get_current_context().exit(found.exit_code)


def _check_places(
    place: Path | None,
    folder: Path | None,
    force: bool,
    checkpoints: list[str],
    common: Mapping[str, Any],
) -> None:
    """Nothing that is read may be written over, whatever pattern leads to it."""
    from rnndiag.evidence.files import files_in

    named = (common[name] for name in ("probe", "targets", "history", "context", "trials"))
    told = [path for path in (*named, common["baseline"]) if path is not None]
    check_places(place, folder, force, [*files_in(checkpoints), *told])
