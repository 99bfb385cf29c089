"""Weights that a state dict holds in pieces, put together as their module uses them.

Weight normalisation (Salimans & Kingma 2016) stores a length and a direction, pruning a
weight and its mask, weight drop (Merity et al. 2018) the weight before its dropout, which
in evaluation is the weight itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from rnndiag.records import Array, Shape, StateDict

_PARAMETRIZED = re.compile(r"(?P<module>.*\.|)parametrizations\.(?P<name>[^.]+)\.original0")
_IN_PIECES = re.compile(r"(?P<module>.*\.|)(?P<name>(weight|bias)\w*)_(?P<piece>g|orig|raw)")


@dataclass(frozen=True)
class _Recipe:
    """A parameter's plain name, the tensors that it is made of, and how."""

    name: str
    pieces: tuple[str, ...]
    make: Callable[..., Array]


def composed(content: StateDict) -> StateDict:
    """The same tensors by their plain names; each is made when it is asked for."""
    recipes = {recipe.name: recipe for recipe in _recipes(content.shapes)}
    plain = {piece: recipe.name for recipe in recipes.values() for piece in recipe.pieces}
    names = dict.fromkeys(plain.get(name, name) for name in content.shapes)
    # The last piece has the whole's shape; those before it are scales or masks.
    wholes = {name: recipes[name].pieces[-1] if name in recipes else name for name in names}
    shapes = {name: content.shapes[whole] for name, whole in wholes.items()}
    return StateDict(tensors=_Composed(content.tensors, recipes, names), shapes=shapes)


def trained_pieces(shapes: Mapping[str, Shape]) -> dict[str, tuple[str, ...]]:
    """The file's names of what each parameter in pieces is made of; masks are not trained."""
    return {
        recipe.name: tuple(piece for piece in recipe.pieces if not piece.endswith("_mask"))
        for recipe in _recipes(shapes)
    }


class _Composed(Mapping[str, Array]):
    """Arrays by their plain names, put together by their recipes."""

    def __init__(
        self,
        tensors: Mapping[str, Array],
        recipes: Mapping[str, _Recipe],
        names: Mapping[str, object],
    ) -> None:
        self._tensors = tensors
        self._recipes = recipes
        self._names = names

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._recipes:
            return self._tensors[name]
        recipe = self._recipes[name]
        return recipe.make(*(self._tensors[piece] for piece in recipe.pieces))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _recipes(shapes: Mapping[str, Shape]) -> Iterator[_Recipe]:
    for key in shapes:
        if found := _PARAMETRIZED.fullmatch(key):
            name = found["module"] + found["name"]
            yield from _paired(name, (key, f"{key[:-1]}1"), _weight_norm, shapes)
        elif found := _IN_PIECES.fullmatch(key):
            name = found["module"] + found["name"]
            if found["piece"] == "raw":
                yield _Recipe(_undropped(found["module"], found["name"], shapes), (key,), _same)
            elif found["piece"] == "g":
                yield from _paired(name, (key, f"{name}_v"), _weight_norm, shapes)
            else:
                yield from _paired(name, (key, f"{name}_mask"), np.multiply, shapes)


def _paired(
    name: str, pieces: tuple[str, str], make: Callable[..., Array], shapes: Mapping[str, Shape]
) -> Iterator[_Recipe]:
    """The recipe of two pieces, where the second is there and the first fits its shape."""
    if pieces[1] not in shapes:
        return
    first, second = (shapes[piece] for piece in pieces)
    sizes = zip(first, second, strict=False)
    if len(first) in (0, len(second)) and all(size in (1, whole) for size, whole in sizes):
        yield _Recipe(name, pieces, make)


def _undropped(module: str, name: str, names: Iterable[str]) -> str:
    """The name that a dropped weight has beside its module's others.

    fastai's WeightDropout keeps the raw weight itself, but its layer's others in ``.module``.
    """
    inner = f"{module}module."
    return (inner if any(key.startswith(inner) for key in names) else module) + name


def _same(weight: Array) -> Array:
    return weight


def _weight_norm(length: Array, direction: Array) -> Array:
    """The direction v scaled to the length g, its norm along the axes where g has one element."""
    if length.ndim != direction.ndim:
        axes = tuple(range(direction.ndim))
    else:
        axes = tuple(axis for axis, size in enumerate(length.shape) if size == 1)
    norm = np.sqrt(np.square(direction).sum(axis=axes, keepdims=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        # A direction of length zero gives NaN in torch, too.
        weight: Array = direction * (length / norm)
    return weight
