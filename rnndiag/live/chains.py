"""Calls of one recurrent module, put together to sequences where one goes on from another.

A cell called in a Python loop is one sequence if each call is handed the very state that the
one before gave back. Where something was done to the state in between, the recurrence is not
the cell's alone: it is then followed by itself, over the same inputs, and said to be isolated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from rnndiag.layers.base import Entry, Recorder
from rnndiag.live.intercepting import Segment, Use
from rnndiag.records import NotAnalysed
from rnndiag.recurrence import Journal, TotalGradients, Trajectory, unroll

CHANGED = (
    "the network changes its state between the calls, so that its recurrence is followed "
    "by itself, over the same inputs"
)
_UNEVEN = "the network changes its state between calls that are of different sizes"
_MOST_NODES = 100_000
"""Of autograd's graph, looked through for where a state comes from."""


def record(uses: Sequence[Use], recorder: Recorder) -> list[NotAnalysed]:
    """Keep every sequence, each module's at its first call; what cannot be put together is said."""
    left_out: list[NotAnalysed] = []
    for module in dict.fromkeys(use.module for use in uses):
        own = [use for use in uses if use.module is module]
        chains = _chains(own)
        if any(_is_changed(chain[0]) for chain in chains):
            left_out += _isolated(own, recorder)
            continue
        for chain in chains:
            for segments in zip(*(use.segments for use in chain), strict=True):
                recorder.add(_joined(segments, recorder))
    return left_out


def _chains(uses: Sequence[Use]) -> list[list[Use]]:
    """Calls in a row, each of which was handed what the one before gave back."""
    chains: list[list[Use]] = []
    for use in uses:
        before = next((chain for chain in chains if _follows(use, chain[-1])), None)
        if before is None:
            chains.append([use])
        else:
            before.append(use)
    return chains


def _follows(use: Use, before: Use) -> bool:
    pairs = zip(use.given, before.left, strict=False)
    return bool(use.given and before.left) and all(a is b for a, b in pairs)


def _is_changed(head: Use) -> bool:
    """Whether the state that a sequence starts from was made of an earlier one of its own cell."""
    own = {id(segment.journal.cell) for segment in head.segments}
    nodes: list[Any] = [state.grad_fn for state in head.given]
    seen: set[Any] = set()
    while nodes and len(seen) < _MOST_NODES:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        journal = getattr(node, "journal", None)
        if isinstance(journal, Journal) and id(journal.cell) in own:
            # Both directions cannot go on from one another, and start anew at each call.
            return bool(head.left)
        nodes += [following for following, _ in node.next_functions]
    return False


# ---------------------------------------------------------------- entries


def _joined(segments: Sequence[Segment], recorder: Recorder) -> Entry:
    first = segments[0]
    if len(segments) == 1:
        return _entry(first, first.journal, first.z, recorder, padding=first.padding)
    journal = JoinedJournal([segment.journal for segment in segments])
    steps = tuple(segment.z for segment in segments)
    return _entry(first, journal, journal.run.z, recorder, steps=steps)


def _isolated(uses: Sequence[Use], recorder: Recorder) -> Iterator[NotAnalysed]:
    """Each layer on its own, over all calls in their order."""
    for segments in zip(*(use.segments for use in uses), strict=True):
        first = segments[0]
        if len({segment.z.shape[1] for segment in segments}) > 1:
            spec = first.spec
            yield NotAnalysed(name=spec.name, kind=spec.kind, reason=f"{spec.name}: {_UNEVEN}")
            continue
        z = torch.cat([segment.z for segment in segments]).detach().requires_grad_()
        journal = Journal(first.journal.cell, None)
        initial = tuple(part[0] for part in first.journal.run.before)
        journal.run = unroll(journal.cell, z.detach(), initial, None)
        recorder.add(_entry(first, journal, z, recorder, isolated=CHANGED))


def _entry(
    segment: Segment,
    journal: Journal,
    z: Tensor,
    recorder: Recorder,
    **further: Any,
) -> Entry:
    backwards = bool(segment.spec.config.get("go_backwards"))
    return Entry(
        spec=segment.spec,
        call=recorder.count(segment.spec),
        journal=journal,
        z=z,
        go_backwards=backwards,
        reflipped=backwards,
        **{"padding": None, "isolated": None, **further},
    )


class JoinedJournal(Journal):
    """The journals of calls that go on from one another, as one."""

    def __init__(self, parts: Sequence[Journal]) -> None:
        super().__init__(parts[0].cell, _mask(parts))
        self._parts = parts
        runs = [part.run for part in parts]
        self.run = Trajectory(
            cell=self.cell,
            z=torch.cat([run.z for run in runs]),
            before=tuple(map(torch.cat, zip(*(run.before for run in runs), strict=True))),
            after=tuple(map(torch.cat, zip(*(run.after for run in runs), strict=True))),
            mask=self.mask,
        )

    def take_totals(self) -> TotalGradients:
        found = [part.take_totals() for part in self._parts]
        direct = [totals.direct for totals in found]
        for k, following in enumerate(found[1:]):
            # What the next call sends back to this one's last state comes from a later step.
            last = direct[k][-1:] - following.initial[0]
            direct[k] = torch.cat((direct[k][:-1], last))
        return TotalGradients(
            states=tuple(map(torch.cat, zip(*(own.states for own in found), strict=True))),
            direct=torch.cat(direct),
            dz=torch.cat([totals.dz for totals in found]),
            initial=found[0].initial,
        )


def _mask(parts: Sequence[Journal]) -> Tensor | None:
    masks = [part.mask for part in parts]
    if all(mask is None for mask in masks):
        return None
    whole = [
        part.run.z.new_ones(part.run.z.shape[:2], dtype=torch.bool) if mask is None else mask
        for part, mask in zip(parts, masks, strict=True)
    ]
    return torch.cat(whole)
