"""The calls of a functional model, so that each finds its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from rnndiag.records import Call, Ref

Refs = tuple[Ref, ...]


def resolved(
    calls: Sequence[Call], inputs: Sequence[str], outputs: Refs
) -> tuple[tuple[Call, ...], Refs]:
    """The calls in an order in which they can run, and the outputs; both counted from 0."""
    shift = _index_shift(calls, outputs)

    def counted(ref: Ref) -> Ref:
        return replace(ref, call=ref.call - shift.get(ref.layer, 0))

    moved = [_renumbered(call, counted) for call in calls]
    return _ordered(moved, inputs), tuple(map(counted, outputs))


def _taken(call: Call) -> Iterator[Ref]:
    """Everything that a call needs."""
    yield from call.inputs
    yield from call.initial_state
    if call.mask is not None:
        yield call.mask


def _renumbered(call: Call, counted: Callable[[Ref], Ref]) -> Call:
    return replace(
        call,
        inputs=tuple(map(counted, call.inputs)),
        initial_state=tuple(map(counted, call.initial_state)),
        mask=None if call.mask is None else counted(call.mask),
    )


def _index_shift(calls: Sequence[Call], outputs: Refs) -> Mapping[str, int]:
    """By how much each layer's calls are referred to too high.

    Keras before 3 counts the calls of a nested model that owns an input from 1: the rule
    that worked on all files is that the largest index referred to is too large.
    """
    made: dict[str, int] = {}
    for call in calls:
        made[call.layer] = max(made.get(call.layer, 0), call.index + 1)
    used: dict[str, int] = {}
    for ref in (*(ref for call in calls for ref in _taken(call)), *outputs):
        used[ref.layer] = max(used.get(ref.layer, 0), ref.call)
    return {name: 1 for name, count in made.items() if used.get(name, 0) >= count}


def _ordered(calls: Sequence[Call], inputs: Sequence[str]) -> tuple[Call, ...]:
    """Each call behind those it takes from; files do not promise that.

    What can never run comes last: its inputs are then not found, which is for the run to tell.
    """
    ready = {(name, 0) for name in inputs}
    waiting, ordered = list(calls), []
    while runnable := [c for c in waiting if all((r.layer, r.call) in ready for r in _taken(c))]:
        ordered += runnable
        ready |= {(call.layer, call.index) for call in runnable}
        waiting = [call for call in waiting if (call.layer, call.index) not in ready]
    return (*ordered, *waiting)
