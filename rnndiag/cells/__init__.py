"""Recurrent cells: one file a cell, its equations, their linearisation, its packings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnndiag import registry

if TYPE_CHECKING:
    from rnndiag.cells.base import Cell


def by_kind() -> dict[str, type[Cell]]:
    """Every cell by each of its names in Keras."""
    from rnndiag.cells.base import Cell

    return registry.classes("rnndiag.cells", Cell)


def layer_kinds() -> tuple[str, ...]:
    """Keras's names for layers of one cell, without those of cells by themselves."""
    return tuple(kind for kind in by_kind() if not kind.endswith("Cell"))


def by_torch_gates() -> dict[int, type[Cell]]:
    """The cells of torch.nn by their number of gates, the most first."""
    cells = {len(cell.gates): cell for cell in by_kind().values() if cell.in_torch}
    return dict(sorted(cells.items(), reverse=True))
