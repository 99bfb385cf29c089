"""Calls of one recurrent module, put together to sequences where one goes on from another.

A cell called in a Python loop is one sequence if each call is handed the state that the one
before gave back. Where something was done to the state in between, the recurrence is not
the cell's alone: it is then followed by itself, over the same inputs, and said to be isolated.
Where the state was detached, what the network computes is still one sequence, though training's
gradient ends at each call: it is joined, its recurrence followed through, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from rnndiag.layers.base import Entry, Recorder
from rnndiag.live import links
from rnndiag.live.intercepting import Segment, Use
from rnndiag.live.links import Key, Link
from rnndiag.records import NotAnalysed
from rnndiag.recurrence.backpropagation import Arrival
from rnndiag.recurrence.journal import Ear, Journal
from rnndiag.recurrence.unrolling import unroll

CHANGED = (
    "the network changes its state between the calls, so that its recurrence is followed "
    "by itself, over the same inputs"
)
CHANGED_GRADIENT = (
    "the network changes its state's gradient between the calls, so that its recurrence is "
    "followed by itself, over the same inputs"
)
_UNEVEN = "the network changes its state between calls that are of different sizes"


@dataclass
class Told:
    """What has to be said of the sequences that were kept."""

    left_out: list[NotAnalysed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class _Chain:
    """Calls in a row; each link leads to the call of the same place."""

    uses: list[Use]
    links: list[Link | None]


def record(uses: Sequence[Use], recorder: Recorder) -> Told:
    """Keep every sequence, each module's at its first call; what cannot be put together is said."""
    told = Told()
    for module in dict.fromkeys(use.module for use in uses):
        own = [use for use in uses if use.module is module]
        chains = _chains(own)
        reason = _why_changed(chains)
        if reason is not None:
            told.left_out += _isolated(own, recorder, reason)
            continue
        told.notes += _notes(chains)
        for chain in chains:
            cut = [link is Link.DETACHED for link in chain.links]
            for segments in zip(*(use.segments for use in chain.uses), strict=True):
                recorder.add(_joined(segments, recorder, cut))
    return told


def _chains(uses: Sequence[Use]) -> list[_Chain]:
    """Calls in a row, each of which was handed what the one before gave back."""
    chains: list[_Chain] = []
    ends: dict[Key, _Chain] = {}
    for use in uses:
        before = ends.get(links.key(use.given)) if use.given else None
        found = None if before is None else links.link(use, before.uses[-1])
        if before is None or found is None:
            chain = _Chain([use], [None])
            chains.append(chain)
        else:
            chain = before
            del ends[links.key(use.given)]
            chain.uses.append(use)
            chain.links.append(found)
        if use.left:
            ends[links.key(use.left)] = chain
    return chains


def _why_changed(chains: Sequence[_Chain]) -> str | None:
    """Why the recurrence is not the cell's alone; None where it is."""
    if any(links.is_made_of_its_own(chain.uses[0]) for chain in chains):
        return CHANGED
    if any(Link.CHANGED in chain.links for chain in chains):
        return CHANGED_GRADIENT
    return None


def _notes(chains: Sequence[_Chain]) -> Iterator[str]:
    spec = chains[0].uses[0].segments[0].spec
    name = spec.label or spec.name
    if any(Link.DETACHED in chain.links for chain in chains):
        yield (
            f"{name}: the network detaches its state between calls, so that training's gradient "
            f"ends at each of them, after {_steps(_longest(chains))}; "
            "how far a gradient reaches is told for its recurrence as if it went on"
        )
    if any(_is_loose(chain, chains[0]) for chain in chains[1:]):
        yield (
            f"{name}: {len(chains)} sequences, which start from states that no gradient leads to; "
            "if those are its own earlier ones, changed and detached, its memory is longer "
            "than what is measured here"
        )


def _is_loose(chain: _Chain, first: _Chain) -> bool:
    """Whether a sequence starts from values that are neither zeros nor the first one's."""
    given, at_first = chain.uses[0].given, first.uses[0].given
    if not links.is_told(given) or any(part.requires_grad for part in given):
        return False
    return not at_first or links.key(given) != links.key(at_first)


def _longest(chains: Sequence[_Chain]) -> int:
    """The most timesteps between two places where the gradient ends."""
    longest = count = 0
    for chain in chains:
        for use, link in zip(chain.uses, chain.links, strict=True):
            count = len(use.segments[0].journal.run) + (count if link is Link.WHOLE else 0)
            longest = max(longest, count)
    return longest


def _steps(count: int) -> str:
    return "1 timestep" if count == 1 else f"{count} timesteps or less"


# ---------------------------------------------------------------- entries


def _joined(segments: Sequence[Segment], recorder: Recorder, cut: Sequence[bool]) -> Entry:
    first = segments[0]
    if len(segments) == 1:
        return _entry(first, first.journal, recorder, padding=first.padding)
    journal = JoinedJournal([segment.journal for segment in segments], cut)
    return _entry(first, journal, recorder)


def _isolated(uses: Sequence[Use], recorder: Recorder, reason: str) -> Iterator[NotAnalysed]:
    """Each layer on its own, over all calls in their order."""
    for segments in zip(*(use.segments for use in uses), strict=True):
        first = segments[0]
        runs = [segment.journal.run for segment in segments]
        if len({run.h.shape[1] for run in runs}) > 1:
            spec = first.spec
            yield NotAnalysed(name=spec.name, kind=spec.kind, reason=f"{spec.name}: {_UNEVEN}")
            continue
        journal = Journal(first.journal.cell, None)
        x = torch.cat([run.x for run in runs])
        journal.run = unroll(journal.cell, x, runs[0].initial, None)
        recorder.add(_entry(first, journal, recorder, isolated=reason))


def _entry(
    segment: Segment,
    journal: Journal,
    recorder: Recorder,
    **further: Any,
) -> Entry:
    backwards = bool(segment.spec.config.get("go_backwards"))
    return Entry(
        spec=segment.spec,
        call=recorder.count(segment.spec),
        journal=journal,
        go_backwards=backwards,
        reflipped=backwards,
        **{"padding": None, "isolated": None, **further},
    )


class JoinedJournal(Journal):
    """The journals of calls that go on from one another, as one."""

    def __init__(self, parts: Sequence[Journal], cut: Sequence[bool]) -> None:
        """`cut` tells of each part whether the state that it starts from was detached."""
        super().__init__(parts[0].cell, _mask(parts))
        self._parts = parts
        self._cut = cut
        runs = [part.run for part in parts]
        x = torch.cat([run.x for run in runs])
        self.run = unroll(self.cell, x, runs[0].initial, self.mask)

    @property
    def triggers(self) -> tuple[Tensor, ...]:
        return tuple(part.trigger for part in self._parts)

    def listen(self, ear: Ear) -> None:
        following: _PartOfEar | None = None
        offset = len(self.run)
        for k in reversed(range(len(self._parts))):
            part = self._parts[k]
            offset -= len(part.run)
            goes_on = k + 1 < len(self._parts) and not self._cut[k + 1]
            following = _PartOfEar(ear, offset, following if goes_on else None)
            part.listen(following)


class _PartOfEar:
    """An ear at one of the calls."""

    def __init__(self, ear: Ear, offset: int, following: _PartOfEar | None) -> None:
        """`following` is the one at the next call, if what reaches that goes on to this one."""
        self._ear = ear
        self._offset = offset
        self._following = following
        self._sent_on: Tensor | None = None
        """(B, H) what goes on to the h before the call."""
        self._is_last = True

    @property
    def until(self) -> int:
        return max(0, self._ear.until - self._offset)

    def hear(self, arrival: Arrival, offset: int) -> None:
        """Pass it on as part of the whole sequence."""
        sent_on = None if self._following is None else self._following._sent_on
        if sent_on is not None and self._is_last:
            # What the next call sends back to this one's last state comes from a later step.
            last = arrival.direct[-1:] - sent_on
            arrival = replace(arrival, direct=torch.cat((arrival.direct[:-1], last)))
        self._is_last = False
        self._sent_on = arrival.before[0]
        self._ear.hear(arrival, offset + self._offset)


def _mask(parts: Sequence[Journal]) -> Tensor | None:
    masks = [part.mask for part in parts]
    if all(mask is None for mask in masks):
        return None
    whole = [
        part.run.h.new_ones(part.run.h.shape[:2], dtype=torch.bool) if mask is None else mask
        for part, mask in zip(parts, masks, strict=True)
    ]
    return torch.cat(whole)
