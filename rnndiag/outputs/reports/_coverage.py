"""What became of the arrays in the file, counted and listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.table import Table

from rnndiag.outputs._grid import grid
from rnndiag.printable import one_line
from rnndiag.records import ROLES, Coverage, Direction, Report, Role
from rnndiag.wording import counted

_GROUPS = 40
_NAMES = 3
"""Arrays of a group that are named."""
_ARROWS = {"forward": " →", "backward": " ←"}
_Group = tuple[Role, str | None, Direction | None, str | None]
"""Role, owner, direction and reason: arrays that share them stand in one row."""


def array_counts(report: Report) -> str:
    """``412 arrays: 9 analysed, 14 surrounding, 28 optimizer``; empty where none are known."""
    if not report.coverage:
        return ""
    count = Counter(array.role for array in report.coverage)
    parts = [f"{count[role]} {_said(role)}" for role in ROLES if count[role]]
    return f"{counted(len(report.coverage), 'array')}: {', '.join(parts)}"


def rows(report: Report) -> Iterator[tuple[str, str, str, str]]:
    """The arrays by what they belong to: of what, what they are, how many, names and shapes.

    Of a group of many, and of many groups, the first few; what was left out comes before others.
    """
    groups: dict[_Group, list[Coverage]] = {}
    for array in report.coverage:
        key = (array.role, array.owner, array.direction, array.reason)
        groups.setdefault(key, []).append(array)
    # Shown in the file's order; but a cap must not hide what a reader looks for.
    ordered = sorted(groups, key=lambda key: -ROLES.index(key[0]))
    shown = set(ordered[:_GROUPS])
    for key, arrays in groups.items():
        if key in shown:
            role, owner, direction, reason = key
            title = f"{owner or 'the file'}{_ARROWS.get(direction or '', '')}"
            names = _names(arrays) + (f": {reason}" if reason else "")
            yield one_line(title), _said(role), str(len(arrays)), one_line(names)
    if len(groups) > _GROUPS:
        rest = [len(groups[key]) for key in ordered[_GROUPS:]]
        yield f"{len(rest)} more", "", str(sum(rest)), "--format json lists them all"


def listed(report: Report) -> Table:
    """The same as a table."""
    table = grid("arrays of", "are", "count", "names and shapes", texts=2)
    table.columns[-1].justify, table.columns[-1].no_wrap = "left", False
    for row in rows(report):
        table.add_row(*row)
    return table


def _names(arrays: list[Coverage]) -> str:
    told = [f"{array.part or array.name} {_shape(array)}" for array in arrays[:_NAMES]]
    return ", ".join(told) + (", …" if len(arrays) > _NAMES else "")


def _shape(array: Coverage) -> str:
    return "×".join(map(str, array.shape)) if array.shape else "scalar"


def _said(role: Role) -> str:
    return role.replace("_", " ")
