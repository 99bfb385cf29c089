"""Numbers, names and profiles as short text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from rnndiag.printable import one_line
from rnndiag.records import CheckpointReport, Finding, LayerReport, NotJudged, Passed, Said

NOTHING = "–"
_BARS = "▁▂▃▄▅▆▇█"
_MARK = "┊"
_FLOOR = -4.0
"""log10 at which a sparkline's bar is empty."""


def number(value: float | None, digits: int = 2) -> str:
    """A number in a handful of characters: 0.031, 1.50, 212, 4.2e+07."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if size >= 1e5 or 0 < size < 10 ** -(digits + 1):
        return f"{value:.1e}"
    if size >= 100:
        return f"{value:.0f}"
    return f"{value:.{1 if size >= 10 else digits}f}"


def half_life(profile: Any) -> str:
    """A gradient profile's half-life; one that does not decay has none, one step tells none."""
    if profile.decay_per_step is None:
        return NOTHING
    return "no decay" if profile.half_life is None else number(profile.half_life, 1)


def written_by(file: CheckpointReport) -> str:
    """``Keras 3.11``, ``Keras (taken for 3.11)``, or ``PyTorch``, whose files tell no version."""
    framework = {"keras": "Keras", "torch": "PyTorch"}[file.framework]
    if file.framework_version is None:
        return framework
    if file.framework_version_assumed:
        return f"{framework} (taken for {file.framework_version})"
    return f"{framework} {file.framework_version}"


def percent(share: float | None) -> str:
    """A share as a whole percentage; a small one is not rounded to nothing."""
    if share is None or math.isnan(share):
        return NOTHING
    if 0 < share < 0.005:
        return "<1 %"
    return f"{100 * share:.0f} %"


def plain(value: object) -> str:
    """A value from a configuration: 0.005 rather than float32's 0.004999999888241291."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


_ARROWS = {"forward": " →", "backward": " ←"}


def title(layer: LayerReport, width: int = 1000) -> str:
    """A layer's name with its call and its direction, cut in the middle to fit."""
    behind = _behind(layer.call, layer.direction)
    room = max(3, width - len(behind))
    name = one_line(layer.id)
    if len(name) > room:
        tail = (room - 1) // 2
        name = f"{name[: room - 1 - tail]}…{name[len(name) - tail :]}"
    return f"{name}{behind}"


def place(answer: Finding | Passed | NotJudged | Said) -> str:
    """What a rule's answer is about, in the words of `title`; empty for the whole network."""
    return "" if answer.layer is None else f"{answer.layer}{_behind(answer.call, answer.direction)}"


def address(layer: str, call: int, direction: str | None) -> str:
    """``lstm/forward``, ``lstm#1/backward`` for a later call: plain text, for programs."""
    return layer + (f"#{call}" if call else "") + (f"/{direction}" if direction else "")


def _behind(call: int, direction: str | None) -> str:
    return (f"#{call}" if call else "") + _ARROWS.get(direction or "", "")


def counted(count: int, what: str) -> str:
    """``1 sample``, ``2 samples``."""
    return f"{count} {what}" + ("s" if count != 1 else "")


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers with runs drawn together: ``0-2, 4, 8-10``."""
    runs: list[list[int]] = []
    for value in numbers:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def byte_count(size: int) -> str:
    """A file's size in the largest unit that leaves a number above 1."""
    value, units = float(size), ["bytes", "KB", "MB", "GB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "bytes" else f"{value:.1f} {units[0]}"


def sparkline(log10_profile: Sequence[float | None], span: int, width: int) -> tuple[str, str]:
    """The log profile from the last step back, cut at the span: (within, beyond).

    A full bar is the gradient at the pulse or more, an empty one 1e-4 of it or less. The
    mark stands where the span ends.
    """
    count = len(log10_profile)
    cells = min(width - 1, count)
    if cells < 1:
        return "", ""
    edges = [round(k * count / cells) for k in range(cells + 1)]
    bars = [_bar(log10_profile[a:b]) for a, b in pairwise(edges)]
    inside = sum(edge < span for edge in edges[:-1])
    mark = _MARK if span < count else ""
    return "".join(bars[:inside]) + mark, "".join(bars[inside:])


def _bar(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return _BARS[0]
    height = 1 - max(_FLOOR, min(0.0, max(known))) / _FLOOR
    return _BARS[round(height * (len(_BARS) - 1))]


def bars(values: Sequence[float | None], low: float, high: float, cells: int) -> str:
    """A bar for each value between `low` and `high`; a dot where there is none.

    Of more values than `cells` each bar is the mean of some in a row.
    """
    count = min(cells, len(values))
    edges = [round(k * len(values) / count) for k in range(count + 1)] if count else []
    return "".join(_mean_bar(values[a:b], low, high) for a, b in pairwise(edges))


def _mean_bar(values: Sequence[float | None], low: float, high: float) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "·"
    share = (sum(known) / len(known) - low) / (high - low) if high > low else 0.5
    return _BARS[round(max(0.0, min(1.0, share)) * (len(_BARS) - 1))]
