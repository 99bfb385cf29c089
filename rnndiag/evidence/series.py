"""Checkpoints of one training run as a series: how large each layer's weights were, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rnndiag.errors import BadOption, NoCheckpoint, RnndiagError
from rnndiag.evidence._members import CLOCKS, Layout, Member, read_member
from rnndiag.evidence.files import files_in
from rnndiag.printable import first_of
from rnndiag.progress import Progress, silent
from rnndiag.records import Options, Series, WeightSizes

_LEAST = 2
_SHOWN = 3
"""Files that a note names."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A series, and what it took to make one of the files."""

    series: Series
    clock: str | None
    """The training fact that `Series.steps` are and that gives the order; None where the names
    give it."""
    left_out: tuple[tuple[Path, str], ...]
    """Files that are no part of the series, and why."""
    others: tuple[Path, ...]
    """Files that are no checkpoints, neither by content nor by name: notes, tables, settings."""
    lacking: tuple[tuple[Path, tuple[str, ...]], ...]
    """Files that are, but without some of its layers, or with these in other shapes."""


def read(
    paths: Sequence[str], options: Options, progress: Progress = silent, last: str | None = None
) -> Series:
    """The series in `paths`: files, glob patterns, or folders, whose files count.

    `last` is one file more. Where the files do not tell when they were written, names give the
    order, and that one comes last whatever it is called.

    A file that cannot be read, or holds another network, is a gap with a note. Raises
    `BadOption` where a path leads to nothing, or fewer than two checkpoints are left.
    """
    return survey(paths, options, progress, last).series


def survey(
    paths: Sequence[str], options: Options, progress: Progress = silent, last: str | None = None
) -> Survey:
    """As `read`, with what it took to make one series of the files."""
    files = files_in(paths if last is None else [*paths, last])
    members, gaps, others = _read_each(files, options, progress)
    usual = _usual(members)
    own = [_reduced(member, usual) for member in members if member.layout & usual]
    strangers = [member.path for member in members if not member.layout & usual]
    gaps += [(path, "its recurrent layers are others") for path in strangers]
    notes = _notes(gaps, others)
    if len(own) < _LEAST:
        left_out = "".join(f"; {note}" for note in notes)
        raise BadOption(
            f"a series needs {_LEAST} checkpoints of one network, "
            f"but {', '.join(paths) or 'nothing'} has {len(own)}{left_out}",
            "name the checkpoints of one run: files, a folder, or a pattern in quotes",
        )
    clock = _clock(own)
    own, ordered = _in_order(own, clock, last)
    series = Series(
        checkpoints=tuple(str(member.path) for member in own),
        steps=tuple(member.clocks.get(clock or "") for member in own),
        layers={name: _weight_sizes(name, own) for name in _names(own)},
        notes=notes,
    )
    return Survey(
        series=series,
        clock=clock if ordered else None,
        left_out=tuple(gaps),
        others=tuple(others),
        lacking=tuple(_lacking(own, usual)),
    )


def _read_each(
    files: Sequence[Path], options: Options, progress: Progress
) -> tuple[list[Member], list[tuple[Path, str]], list[Path]]:
    """What could be read, what could not, and what is no checkpoint at all."""
    members: list[Member] = []
    gaps: list[tuple[Path, str]] = []
    unknown: list[tuple[Path, str]] = []
    for place, path in enumerate(files):
        progress(f"reading {path.name}", place / len(files))
        try:
            members.append(read_member(path, options))
        except RnndiagError as error:
            failed = unknown if isinstance(error, NoCheckpoint) else gaps
            failed.append((path, error.message.removeprefix(f"{path}: ")))
    # What is called as the checkpoints are is a broken one, whatever is in it now.
    endings = {member.path.suffix for member in members}
    gaps += [own for own in unknown if own[0].suffix in endings]
    return members, gaps, [path for path, _ in unknown if path.suffix not in endings]


def no_checkpoints(paths: Sequence[Path]) -> Iterator[str]:
    """A sentence on files that are none; nothing without any."""
    if paths:
        what = (
            "1 file is no checkpoint"
            if len(paths) == 1
            else f"{len(paths)} files are no checkpoints"
        )
        yield f"{what}: {first_of(paths, _SHOWN)}"


def _notes(gaps: Sequence[tuple[Path, str]], others: Sequence[Path]) -> tuple[str, ...]:
    """One note a reason: a folder may hold many files that are no checkpoints."""
    by_reason: dict[str, list[Path]] = {}
    for path, reason in gaps:
        by_reason.setdefault(reason, []).append(path)
    told = [f"left out: {first_of(paths, _SHOWN)}: {why}" for why, paths in by_reason.items()]
    return (*told, *no_checkpoints(others))


# ---------------------------------------------------------------- all of them


def _usual(members: Sequence[Member]) -> Layout:
    """The layers of the network that most files hold."""
    layouts = Counter(member.layout for member in members)
    return max(layouts, key=lambda layout: layouts[layout], default=frozenset())


def _lacking(members: Sequence[Member], usual: Layout) -> Iterator[tuple[Path, tuple[str, ...]]]:
    for member in members:
        if names := tuple(sorted(name for name, *_ in usual - member.layout)):
            yield member.path, names


def _reduced(member: Member, layout: Layout) -> Member:
    kept = {name: own for name, own in member.layers.items() if (name, *own.shapes) in layout}
    return replace(member, layers=kept)


def _clock(members: Sequence[Member]) -> str | None:
    """The fact that tells most of the members apart; the earlier one of `CLOCKS` among equals."""
    told = {name: {m.clocks[name] for m in members if name in m.clocks} for name in CLOCKS}
    best = max(CLOCKS, key=lambda name: len(told[name]))
    return best if told[best] else None


def _in_order(
    members: Sequence[Member], clock: str | None, last: str | None
) -> tuple[list[Member], bool]:
    """By the clock where every file tells it, else as they are, by name, with `last` behind.

    Also whether it was the clock.
    """
    if clock is None or any(clock not in member.clocks for member in members):
        end = None if last is None else Path(last).resolve()
        return sorted(members, key=lambda member: member.path.resolve() == end), False
    return sorted(members, key=lambda member: member.clocks[clock]), True


def _names(members: Sequence[Member]) -> list[str]:
    return list(dict.fromkeys(name for member in members for name in member.layers))


def _weight_sizes(name: str, members: Sequence[Member]) -> WeightSizes:
    each = [member.layers.get(name) for member in members]
    has_bias = any(sizes is not None and sizes.has_bias for sizes in each)
    return WeightSizes(
        kernel=tuple(sizes.kernel if sizes else None for sizes in each),
        recurrent=tuple(sizes.recurrent if sizes else None for sizes in each),
        bias=tuple(sizes.bias if sizes else None for sizes in each) if has_bias else (),
    )
