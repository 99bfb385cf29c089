"""What a weights file holds, layer by layer, without a configuration to go by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, permutations

import h5py

from rnndiag.checkpoints._keras.inferred import Held
from rnndiag.checkpoints._keras.tree import CONTAINERS, Tree
from rnndiag.records import NamedArray

Arrays = Sequence[NamedArray]
_CLASSES = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "SimpleRNN"}
_CELL = re.compile(r"(lstm|gru|simple_rnn)(_cell)?(_\d+)?")
_MOST_CELLS = 6
"""In a stack whose order is looked for; there are n! of them."""
_NOT_LAYERS = re.compile(r"optimizer|.*metrics?|.*loss_tracker")
"""What stands beside the layers at the root of a file."""

# ---------------------------------------------------------------- .weights.h5


def held_in_tree(tree: Tree) -> Iterator[Held]:
    """Layers by the attributes in which Keras's own classes keep their parts."""
    for name, group in tree.groups(tree.root):
        if name in CONTAINERS:
            yield from _inside(tree, group, "", {tree.root})
        elif not _NOT_LAYERS.fullmatch(name):
            yield from _walk(tree, group, tree.called(group) or name, name, {tree.root})


def _inside(tree: Tree, group: h5py.Group, label: str, seen: set[h5py.Group]) -> Iterator[Held]:
    """Everything in a group; `label` is the name of the layer that it belongs to."""
    for name, inner in tree.groups(group):
        if name in CONTAINERS:
            yield from _inside(tree, inner, label, seen)
        elif name == "layer":
            # What a wrapper wraps goes by the wrapper's name.
            yield from _walk(tree, inner, label, name, seen)
        else:
            own = tree.called(inner) or name
            yield from _walk(tree, inner, f"{label}/{own}" if label else own, name, seen)


def _walk(
    tree: Tree, group: h5py.Group, label: str, name: str, seen: set[h5py.Group]
) -> Iterator[Held]:
    if group in seen:
        return
    seen.add(group)
    directions = [tree.group(group, f"{side}_layer") for side in ("forward", "backward")]
    parts = [part for inner in directions for part in _recurrent(tree, inner, label, name)]
    recurrent = _recurrent(tree, group, label, name)
    if len(parts) == 2 and all(directions):
        yield Held(name=label, role="both", parts=tuple(parts))
    elif parts or recurrent:
        yield from parts or recurrent
    else:
        arrays = tree.variables(group)
        if arrays:
            yield Held(name=label, role="other", arrays=arrays)
        yield from _inside(tree, group, label, seen)


def _recurrent(tree: Tree, group: h5py.Group | None, label: str, name: str) -> list[Held]:
    """The layer's cell, or its cells: one stack where their order is certain."""
    cell = tree.group(group, "cell")
    if cell is None:
        return []
    cells = tree.group(cell, "cells")
    if cells is None:
        found = _cell(tree, cell, label, name)
        return [found] if found.arrays else []
    parts = [_cell(tree, own, f"{label}/{inner}", inner) for inner, own in tree.groups(cells)]
    return _stacked(label, parts) or parts


def _cell(tree: Tree, group: h5py.Group, label: str, name: str) -> Held:
    return Held(
        name=label,
        role="cell",
        arrays=tree.variables(group),
        hint=_hint(tree.called(group)) or _hint(name),
    )


def _stacked(label: str, cells: Sequence[Held]) -> list[Held]:
    """The cells in the one order in which each fits on the one before; none if there are more.

    Groups are counted for each class by itself, which is no order where there are several.
    """
    if not 0 < len(cells) <= _MOST_CELLS:
        return []
    orders = [
        tuple(cells[k] for k in order)
        for order in permutations(range(len(cells)))
        if _counts(order, [cell.hint for cell in cells]) and _chains([cells[k] for k in order])
    ]
    return [Held(name=label, role="stack", parts=orders[0])] if len(orders) == 1 else []


def _chains(cells: Sequence[Held]) -> bool:
    """Whether each cell's input is as large as the state of the one before."""
    shapes = [[named.array.shape for named in cell.arrays[:2]] for cell in cells]
    if any(len(own) < 2 or not all(own) for own in shapes):
        return False
    return all(below[1][0] == above[0][0] for below, above in pairwise(shapes))


def _counts(order: Sequence[int], kinds: Sequence[str | None]) -> bool:
    """Whether cells of one class stand as they are counted."""
    each = ([k for k in order if kinds[k] == kind] for kind in set(kinds))
    return all(places == sorted(places) for places in each)


def _hint(name: str | None) -> str | None:
    """The class that a name made by Keras tells."""
    found = _CELL.fullmatch(name or "")
    return _CLASSES[found[1]] if found else None


# ---------------------------------------------------------------- older files


def held_in_groups(groups: Mapping[str, Arrays]) -> Iterator[Held]:
    """Layers by the names of the arrays in the groups of a file that ``save_weights`` wrote."""
    for name, arrays in groups.items():
        runs = list(_runs(arrays))
        cells = [run for run in runs if _is_cell(run)]
        others = [array for run in runs if not _is_cell(run) for array in run]
        if others:
            label = f"{name}/others" if cells else name
            yield Held(name=label, role="other", arrays=tuple(others))
        yield from _cells(name, cells)


def _cells(name: str, cells: Sequence[Arrays]) -> Iterator[Held]:
    labels = [_place(name, own[0]) for own in cells] if len(cells) > 1 else [name]
    if len(set(labels)) < len(cells):
        labels = [f"{name}/{k}" for k in range(len(cells))]
    parts = tuple(
        Held(name=label, role="cell", arrays=tuple(own))
        for label, own in zip(labels, cells, strict=False)
    )
    if len(parts) == 2 and _is_forward(cells[0]):
        yield Held(name=name, role="both", parts=parts)
    else:
        yield from parts


def _place(group: str, kernel: NamedArray) -> str:
    """``tower/lstm_1`` for ``lstm_1/lstm_cell/kernel:0`` in the group ``tower``."""
    within = [part for part in kernel.name.split("/")[:-1] if part != group]
    inner = [part for part in within if not part.startswith(tuple(f"{c}_cell" for c in _CLASSES))]
    return "/".join((group, *inner[-1:]))


def _runs(arrays: Arrays) -> Iterator[list[NamedArray]]:
    """The arrays in pieces that begin with a kernel each."""
    run: list[NamedArray] = []
    for array in arrays:
        if run and _last(array) not in ("recurrent_kernel", "bias"):
            yield run
            run = []
        run.append(array)
    if run:
        yield run


def _is_cell(run: Arrays) -> bool:
    return any(_last(array) == "recurrent_kernel" for array in run)


def _is_forward(run: Arrays) -> bool:
    return any(part.startswith("forward_") for part in run[0].name.split("/"))


def _last(array: NamedArray) -> str:
    """``kernel`` for ``lstm_1/lstm_cell/kernel:0`` and ``rnn/kernel_1:0``."""
    return re.sub(r"(_\d+)?(:\d+)?$", "", array.name.rpartition("/")[2])
