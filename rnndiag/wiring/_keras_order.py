"""The calls of a functional model, so that each finds its inputs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from rnndiag.records import Call, Ref

Refs = tuple[Ref, ...]


def from_zero(
    calls: Sequence[Call], outputs: Refs, models: Collection[str], *, keras3: bool
) -> tuple[list[Call], Refs]:
    """Calls and outputs that refer to the first call of every layer as 0.

    `models` are the nested models that own an input: the making of one counts as a call of
    it. Before Keras 3 whoever refers to such a model counts so, in Keras 3 only the outputs.
    """
    if keras3:
        # Call 0 of such a model cannot be an output, so it was counted from 0 after all.
        skipped = {ref.layer: 1 for ref in outputs if ref.layer in models and ref.call > 0}
        return list(calls), _counted(outputs, skipped)
    shift = _index_shift(calls, outputs)
    moved = [
        replace(
            call,
            inputs=_counted(call.inputs, shift),
            initial_state=_counted(call.initial_state, shift),
            mask=None if call.mask is None else _counted((call.mask,), shift)[0],
        )
        for call in calls
    ]
    return moved, _counted(outputs, shift)


def ordered(calls: Sequence[Call], inputs: Sequence[str]) -> tuple[Call, ...]:
    """Each call behind those it takes from; files do not promise that.

    What can never run comes last: its inputs are then not found, which is for the run to tell.
    """
    ready = {(name, 0) for name in inputs}
    waiting, done = list(calls), []
    while runnable := [c for c in waiting if all((r.layer, r.call) in ready for r in _taken(c))]:
        done += runnable
        ready |= {(call.layer, call.index) for call in runnable}
        waiting = [call for call in waiting if (call.layer, call.index) not in ready]
    return (*done, *waiting)


def _taken(call: Call) -> Iterator[Ref]:
    """Everything that a call needs."""
    yield from call.inputs
    yield from call.initial_state
    if call.mask is not None:
        yield call.mask


def _counted(refs: Refs, shift: Mapping[str, int]) -> Refs:
    return tuple(replace(ref, call=ref.call - shift.get(ref.layer, 0)) for ref in refs)


def _index_shift(calls: Sequence[Call], outputs: Refs) -> Mapping[str, int]:
    """By how much each layer's calls are referred to too high.

    All calls of a layer are referred to, so the largest index tells whether 0 was skipped.
    """
    made: dict[str, int] = {}
    for call in calls:
        made[call.layer] = max(made.get(call.layer, 0), call.index + 1)
    used: dict[str, int] = {}
    for ref in (*(ref for call in calls for ref in _taken(call)), *outputs):
        used[ref.layer] = max(used.get(ref.layer, 0), ref.call)
    return {name: 1 for name, count in made.items() if used.get(name, 0) >= count}
