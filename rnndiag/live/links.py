"""From one call of a recurrent module to the next: whether the state that went between is the same.

States go by their values, because a network can change a tensor in place, or hand on a view or a
copy of it. What becomes of the gradient on the way is asked of autograd.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Any

import torch
from torch import Tensor

from rnndiag.live.intercepting import Use
from rnndiag.recurrence.journal import Journal

_MOST_NODES = 100_000
"""Of autograd's graph, looked through for where a state comes from."""


class Link(Enum):
    """How a call goes on from the one before."""

    WHOLE = auto()
    """With the same state, through which the gradient comes back as it is."""
    DETACHED = auto()
    """With the same state, through which no gradient comes back."""
    CHANGED = auto()
    """With the same values, but another gradient."""


Key = tuple[Any, ...]


def key(state: Sequence[Tensor]) -> Key:
    """The same for states of the same values, and for no others."""
    return tuple((*part.shape, part.detach().cpu().numpy().tobytes()) for part in state)


def is_told(state: Sequence[Tensor]) -> bool:
    """Whether the values alone can tell where a state comes from: zeros may be a fresh start."""
    return any(bool(part.any()) for part in state)


def link(use: Use, before: Use) -> Link | None:
    """Between two calls, where the values that `before` left are those that `use` was given.

    None where nothing but zeros says so.
    """
    if not any(part.requires_grad for part in before.left):
        return Link.WHOLE
    generator = torch.Generator().manual_seed(0)
    sent = [torch.randn(part.shape, generator=generator).to(part) for part in before.left]
    found = _sent_back(use.given, before.left, sent)
    if all(own is None or not own.any() for own in found):
        return Link.DETACHED if is_told(before.left) else None
    pairs = zip(found, sent, strict=True)
    whole = all(own is not None and torch.equal(own, direction) for own, direction in pairs)
    return Link.WHOLE if whole else Link.CHANGED


def _sent_back(
    given: Sequence[Tensor], left: Sequence[Tensor], sent: Sequence[Tensor]
) -> Sequence[Tensor | None]:
    """What arrives at `left` of the gradients `sent` to `given`."""
    pairs = [pair for pair in zip(given, sent, strict=True) if pair[0].requires_grad]
    if not pairs:
        return [None] * len(left)
    outputs, directions = zip(*pairs, strict=True)
    found: Sequence[Tensor | None] = torch.autograd.grad(
        outputs, list(left), directions, retain_graph=True, allow_unused=True
    )
    return found


def is_made_of_its_own(head: Use) -> bool:
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
