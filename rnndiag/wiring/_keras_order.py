"""The calls of a functional model, so that each finds its inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from rnndiag.records import Call, Ref

Refs = tuple[Ref, ...]
Numbers = Mapping[str, Mapping[int, int]]
"""For each layer, the place that a call has for each number that it is referred to by."""


def from_zero(
    calls: Sequence[Call], outputs: Refs, models: Collection[str], *, keras3: bool
) -> tuple[list[Call], Refs]:
    """Calls and outputs that refer to the first call of every layer as 0.

    `models` are the nested models that own an input: the making of one counts as a call of
    it. Before Keras 3 whoever refers to such a model counts so, in Keras 3 only the outputs.
    """
    if keras3:
        # Call 0 of such a model cannot be an output, so it was counted from 0 after all.
        late = [ref for ref in outputs if ref.layer in models and ref.call > 0]
        outputs = _counted(outputs, {ref.layer: _from_one(outputs, ref.layer) for ref in late})
        numbers = _numbers_of_others(calls, outputs)
    else:
        numbers = _numbers_from_one(calls, outputs)
        outputs = _counted(outputs, numbers)
    return [_recounted(call, numbers) for call in calls], outputs


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


def _recounted(call: Call, numbers: Numbers) -> Call:
    return replace(
        call,
        inputs=_counted(call.inputs, numbers),
        initial_state=_counted(call.initial_state, numbers),
        mask=None if call.mask is None else _counted((call.mask,), numbers)[0],
    )


def _counted(refs: Refs, numbers: Numbers) -> Refs:
    return tuple(
        replace(ref, call=numbers.get(ref.layer, {}).get(ref.call, ref.call)) for ref in refs
    )


def _from_one(refs: Iterable[Ref], layer: str) -> dict[int, int]:
    return {ref.call: ref.call - 1 for ref in refs if ref.layer == layer}


def _numbers_from_one(calls: Sequence[Call], outputs: Refs) -> Numbers:
    """The layers whose calls are referred to from 1 on.

    All calls of a layer are referred to, so the largest number tells whether 0 was skipped.
    """
    refs = [*(ref for call in calls for ref in _taken(call)), *outputs]
    used = _used(refs)
    return {
        name: _from_one(refs, name)
        for name, count in _counts(calls).items()
        if max(used.get(name, (0,))) >= count
    }


def _numbers_of_others(calls: Sequence[Call], outputs: Refs) -> Numbers:
    """The layers whose calls in other models are counted, too, where a call refers to them.

    Keras 3.0 does that, and 3.2 no more, though the file lists this model's calls only;
    `outputs` are counted without. Where the numbers make no sense, those in use are the calls
    in order.
    """
    used, shown = _used(ref for call in calls for ref in _taken(call)), _used(outputs)
    numbers = {}
    for name, count in _counts(calls).items():
        own, all_ = used.get(name, set()), set(range(count))
        hidden = sorted(all_ - shown.get(name, set()))
        places = sorted(all_) if len(own) == count else hidden
        if not (own <= all_ and own >= set(hidden)) and len(own) == len(places):
            numbers[name] = dict(zip(sorted(own), places, strict=True))
    return numbers


def _counts(calls: Iterable[Call]) -> Mapping[str, int]:
    """How often each layer is called."""
    return Counter(call.layer for call in calls)


def _used(refs: Iterable[Ref]) -> Mapping[str, set[int]]:
    """The numbers by which each layer's calls are referred to."""
    used: dict[str, set[int]] = {}
    for ref in refs:
        used.setdefault(ref.layer, set()).add(ref.call)
    return used
