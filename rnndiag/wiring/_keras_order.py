"""The calls of a functional model, so that each finds its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from rnndiag.records import Call, Ref

Refs = tuple[Ref, ...]


def resolved(
    calls: Sequence[Call], inputs: Sequence[str], outputs: Refs, models: Sequence[str]
) -> tuple[tuple[Call, ...], Refs]:
    """The calls in an order in which they can run, and the outputs; both counted from 0.

    `models` are the nested models that own an input.
    """
    called = _counter(calls, (*(ref for call in calls for ref in _taken(call)), *outputs), models)
    moved = [_renumbered(call, called) for call in calls]
    return _ordered(moved, inputs), tuple(map(called, outputs))


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
