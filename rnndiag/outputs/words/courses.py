"""What the formats and the page share: quantities over the run, moments and rates as words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from rnndiag.outputs.words.comparisons import told as told_change
from rnndiag.records import (
    SEVERITIES,
    Course,
    Finding,
    Gap,
    Growth,
    Lasting,
    LayerCourse,
    LayerPoint,
    Part,
    Said,
)
from rnndiag.wording import NOTHING, counted, number, percent, place, title

Values: TypeAlias = tuple[float | None, ...]
_GAPS_SHOWN = 5
_NORMS: tuple[tuple[Part, str], ...] = (("kernel", "‖K‖"), ("recurrent", "‖R‖"), ("bias", "‖b‖"))
_SHARES = (("dead", "dead units"), ("extreme", "extreme values"), ("stuck", "stuck gates"))
_LARGEST_EXPONENT = 50.0
SHARE = (0.0, 1.0)
"""The ends of the scale of shares."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One quantity of one layer over the run."""

    label: str
    values: Values
    """At each checkpoint, on the scale on which they are drawn: norms as logarithms."""
    limits: tuple[float, float]
    """The ends of that scale."""
    first: str
    last: str
    change: str = ""
    rate: str = ""


def rows(course: Course, own: LayerCourse) -> Iterator[Row]:
    """Every quantity of a layer that is known at one checkpoint or more."""
    points = [point.layers.get(own.key) for point in course.points]
    yield from _norm_rows(course, own, points)
    if any(point and point.reach for point in points):
        yield _span_row(points)
    for name, label in _SHARES:
        values = tuple(None if point is None else getattr(point, name) for point in points)
        if any(value is not None for value in values):
            first, last = _ends(values, percent)
            yield Row(label=label, values=values, limits=SHARE, first=first, last=last)


def _norm_rows(
    course: Course, own: LayerCourse, points: Sequence[LayerPoint | None]
) -> Iterator[Row]:
    """All three on one scale of logarithms, so that the heights of bars can be compared."""
    columns = {
        part: tuple(getattr(point.norms, part) if point else None for point in points)
        for part, _ in _NORMS
    }
    logs = {part: tuple(map(_log, values)) for part, values in columns.items()}
    known = [value for values in logs.values() for value in values if value is not None]
    limits = (min(known, default=0.0), max(known, default=0.0))
    for part, label in _NORMS:
        growth = own.growth.get(part)
        if growth is not None:
            first, last = _ends(columns[part], number)
            change, speed = f"× {growth.factor:.3g}", rate(course, growth)
            yield Row(
                label=label,
                values=logs[part],
                limits=limits,
                first=first,
                last=last,
                change=change,
                rate=speed,
            )


def _log(value: float | None) -> float | None:
    return math.log(value) if value else None


def _span_row(points: Sequence[LayerPoint | None]) -> Row:
    reaches = [point.reach if point else None for point in points]
    longest = max(own.timesteps for own in reaches if own)
    told = [f"{'≥ ' if own.censored else ''}{own.span}" if own else NOTHING for own in reaches]
    values = tuple(float(own.span) if own else None for own in reaches)
    return Row(
        label=f"span of {longest}",
        values=values,
        limits=(0, longest),
        first=told[0],
        last=told[-1],
    )


def _ends(values: Values, told: Callable[[float | None], str]) -> tuple[str, str]:
    return told(values[0]), told(values[-1])


# ---------------------------------------------------------------- moments and rates


def moment(course: Course, k: int) -> str:
    """``epoch 5``, ``step 300``, or the name of the file where only names give the order."""
    if course.axis == "checkpoint":
        return Path(course.points[k].path).name
    return f"{course.axis} {course.at(k):.15g}"


def since(course: Course, own: Lasting) -> str:
    """``from epoch 5 on (epoch-5.pt)``; empty where it is not known."""
    if own.since is None:
        return ""
    if own.since == 0:
        return "from the first on"
    name = Path(course.points[own.since].path).name
    behind = f" ({name})" if course.axis != "checkpoint" else ""
    return f"from {moment(course, own.since)} on{behind}"


def per(course: Course) -> tuple[float, str]:
    """How much of the axis a rate is told for, and that as words: ``100 steps``."""
    length = course.at(len(course.points) - 1) - course.at(0)
    scale = 10.0 ** max(0, math.floor(math.log10(length)) - 1) if length > 0 else 1.0
    return scale, course.axis if scale == 1 else f"{scale:,.0f} {course.axis}s"


def rate(course: Course, growth: Growth) -> str:
    """A growth rate as a percentage for a piece of the axis, which `per` names."""
    if growth.rate is None:
        return NOTHING
    exponent = growth.rate * per(course)[0]
    if abs(exponent) > _LARGEST_EXPONENT:
        return "> 1e+20 %" if exponent > 0 else "-100 %"
    return f"{100 * math.expm1(exponent):+.3g} %"


# ---------------------------------------------------------------- the run as a whole


def extent(course: Course) -> str:
    """``12 checkpoints, epoch 1 to 12``, and how many gaps."""
    count = counted(len(course.points), "checkpoint")
    first, last = moment(course, 0), moment(course, len(course.points) - 1)
    if course.axis != "checkpoint":
        last = last.removeprefix(f"{course.axis} ")
    gaps = f", {counted(len(course.gaps), 'gap')}" if course.gaps else ""
    return f"{count}, {first} to {last}{gaps}"


def regressions(course: Course) -> Iterator[str]:
    """``lstm →: span fell from 16 to 6 timesteps between epoch 1 and 3``, one for each."""
    for own in course.regressions:
        change = own.change
        assert change.before is not None
        assert change.after is not None
        verb = "fell" if change.after < change.before else "rose"
        ends = [moment(course, k) for k in (own.first, own.last)]
        if course.axis != "checkpoint":
            ends[1] = ends[1].removeprefix(f"{course.axis} ")
        values = told_change(change).replace(" → ", " to ")
        what = f"{title(own.layer)}: {change.label} {verb} from {values}"
        yield f"{what} between {' and '.join(ends)}"


def folder(course: Course) -> str:
    """Where the checkpoints lie, if that is one folder; else the last one's path."""
    folders = {str(Path(point.path).parent) for point in course.points}
    return folders.pop() if len(folders) == 1 else course.points[-1].path


def summary(course: Course) -> str:
    """How many findings count at the last checkpoint."""
    new = [own.finding.severity for own in course.findings if not own.finding.known]
    counts = [(new.count(severity), severity) for severity in SEVERITIES]
    known = len(course.findings) - len(new)
    words = [counted(count, what) for count, what in counts if count]
    return ", ".join([*words, *([f"{known} known"] if known else [])]) or "no findings"


def weighty(course: Course) -> list[Lasting]:
    """Errors, warnings, and notes that the series led to: what a summary has to name."""
    return [own for own in course.findings if own.finding.severity != "note" or _of_series(own)]


def of_series(course: Course, layer: LayerCourse) -> list[Lasting]:
    """What the series led to in one layer, where it is known since when."""
    about = layer.layer.id, layer.layer.direction, layer.layer.call
    return [
        own
        for own in course.findings
        if _of_series(own)
        and own.since is not None
        and (own.finding.layer, own.finding.direction, own.finding.call) == about
    ]


def _of_series(own: Lasting) -> bool:
    """Only findings that rest on a series tell of how many checkpoints."""
    return "checkpoints" in own.finding.evidence


def told(finding: Finding) -> str:
    """``warning RNN304 bias-outgrows-kernels``."""
    known = " (known)" if finding.known else ""
    return f"{finding.severity} {finding.rule} {finding.name}{known}"


def changes(course: Course) -> Iterator[str]:
    """What came and went, a sentence for each checkpoint at which anything did."""
    for k, point in enumerate(course.points):
        parts = [f"new {_named(own)}" for own in point.appeared]
        parts += [f"gone {_named(own)}" for own in point.gone]
        if parts:
            yield f"{moment(course, k)}: {', '.join(parts)}"


def _named(said: Said) -> str:
    return f"{said.rule} {said.name} {place(said)}".rstrip()


def left_out(gaps: Sequence[Gap]) -> list[str]:
    """A sentence for each file that is no part of the series; of many the first."""
    shown = [f"left out: {gap.path}: {gap.reason}" for gap in gaps[:_GAPS_SHOWN]]
    more = len(gaps) - _GAPS_SHOWN
    return [*shown, f"left out: {counted(more, 'more file')}"] if more > 0 else shown
