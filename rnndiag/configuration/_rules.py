"""Which rules and thresholds there are to choose among."""

from __future__ import annotations

import difflib

from rnndiag import rules
from rnndiag.errors import BadOption
from rnndiag.rules.base import Thresholds


def is_selectable(wanted: str) -> bool:
    """Whether `wanted` is a rule's code or the beginning of some: ``RNN1``."""
    start = wanted.strip().upper()
    return bool(start) and any(code.startswith(start) for code in rules.catalogue())


def cut_of(code: str, name: str) -> str:
    """`name`, if the rule has such a threshold; raises `BadOption` with the nearest."""
    cuts = getattr(rules.catalogue()[code], "Cuts", Thresholds).cuts()
    if name in cuts:
        return name
    near = difflib.get_close_matches(name, cuts, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(cuts) or 'none'}"
    raise BadOption(f"{code} has no threshold {name!r}", hint)
