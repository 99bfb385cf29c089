"""Weights that a state dict holds in pieces, put together as their module uses them.

Weight normalisation (Salimans & Kingma 2016) stores a length and a direction, spectral
normalisation (Miyato et al. 2018) a weight and its leading singular vectors, pruning a weight
and its mask, weight drop (Merity et al. 2018) the weight before its dropout, which in
evaluation is the weight itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rnndiag.printable import first_of
from rnndiag.records import Array, Shape, StateDict

_PARAMETRIZED = re.compile(
    r"(?P<module>.*\.|)parametrizations\.(?P<name>[^.]+)\.(?P<piece>original[01]?|\d+\..*)"
)
_IN_PIECES = re.compile(r"(?P<module>.*\.|)(?P<name>(weight|bias)\w*)_(?P<piece>g|orig|raw)")
_SHOWN = 4
"""Weights that a note names."""


@dataclass(frozen=True, kw_only=True)
class _Recipe:
    """A parameter's plain name, the tensors that it is made of, and how."""

    name: str
    pieces: tuple[str, ...]
    """The last has the whole's shape; those before it are scales, masks or vectors."""
    make: Callable[..., Array]
    how: str
    """For a note."""
    trained: tuple[str, ...]
    """Those pieces that are parameters."""


def composed(content: StateDict) -> StateDict:
    """The same tensors by their plain names; each is made when it is asked for."""
    recipes = {recipe.name: recipe for recipe in _recipes(content.shapes)}
    plain = {piece: recipe.name for recipe in recipes.values() for piece in recipe.pieces}
    plain |= {key: name for key, (name, _) in _traces(content.shapes).items() if name in recipes}
    names = dict.fromkeys(plain.get(name, name) for name in content.shapes)
    wholes = {name: recipes[name].pieces[-1] if name in recipes else name for name in names}
    shapes = {name: content.shapes[whole] for name, whole in wholes.items()}
    return StateDict(tensors=_Composed(content.tensors, recipes, names), shapes=shapes)


def trained_pieces(shapes: Mapping[str, Shape]) -> dict[str, tuple[str, ...]]:
    """The file's names of what each parameter in pieces is made of, as far as it is trained."""
    return {recipe.name: recipe.trained for recipe in _recipes(shapes)}


def notes(shapes: Mapping[str, Shape]) -> Iterator[str]:
    """What was put together, and by which method."""
    found: dict[str, dict[str, None]] = {}
    for recipe in _recipes(shapes):
        found.setdefault(recipe.how, {}).setdefault(recipe.name)
    for how, own in found.items():
        yield f"{first_of(own, _SHOWN)}: {how}"


def why_not_undone(name: str, parts: Sequence[str]) -> str:
    """What is said of a parameter whose stored `parts` make no recipe."""
    if list(parts) != ["original"]:
        return f"{name} has parametrizations that rnndiag cannot undo: it holds {', '.join(parts)}"
    return (
        f"{name} has a parametrization without tensors: weight drop leaves the stored weight as it "
        "is, a skew-symmetric or orthogonal one makes another of it; --model runs its code"
    )


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


# ---------------------------------------------------------------- names


def _recipes(shapes: Mapping[str, Shape]) -> Iterator[_Recipe]:
    yield from _parametrized(shapes)
    for key in shapes:
        found = _IN_PIECES.fullmatch(key)
        if found is None or "parametrizations." in found["module"]:
            continue
        name = found["module"] + found["name"]
        match found["piece"]:
            case "raw":
                plain = _undropped(found["module"], found["name"], shapes)
                yield _undone(plain, key, _DROPPED)
            case "g":
                yield from _weight_norm(name, key, f"{name}_v", shapes)
            case _:
                yield from _original(name, key, shapes)


def _parametrized(shapes: Mapping[str, Shape]) -> Iterator[_Recipe]:
    """What `torch.nn.utils.parametrize` keeps: originals, and each parametrization's tensors.

    Several that have tensors, or one whose tensors are not known, make no recipe.
    """
    parts: dict[str, dict[str, str]] = {}
    traces = _traces(shapes)
    for key in shapes:
        if key not in traces and (found := _PARAMETRIZED.fullmatch(key)):
            parts.setdefault(found["module"] + found["name"], {})[found["piece"]] = key
    for name, own in parts.items():
        match sorted(own):
            # Weight drop came first: none without a trace stands before it.
            case ["original"] if (name, "0") in traces.values():
                yield _undone(name, own["original"], _DROPPED)
            case ["original0", "original1"]:
                yield from _weight_norm(name, own["original0"], own["original1"], shapes)
            case ["0._u", "0._v", "original"]:
                yield from _spectral_norm(name, own["0._u"], own["0._v"], own["original"], shapes)


_DROP = ".weight_drop_rate"
"""What the class that rnndiag's advice gives to users keeps, to tell itself from others."""
_DROPPED = "the weight itself, as weight drop has it in evaluation"


def _traces(shapes: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The parameter, and the place among its parametrizations, of each weight drop's trace."""
    found = {key: _PARAMETRIZED.fullmatch(key) for key in shapes if key.endswith(_DROP)}
    return {
        key: (own["module"] + own["name"], own["piece"].removesuffix(_DROP))
        for key, own in found.items()
        if own is not None
    }


def _undone(name: str, key: str, how: str) -> _Recipe:
    return _Recipe(name=name, pieces=(key,), make=_same, how=how, trained=(key,))


def _undropped(module: str, name: str, names: Iterable[str]) -> str:
    """The name that a dropped weight has beside its module's others.

    fastai's WeightDropout keeps the raw weight itself, but its layer's others in ``.module``.
    """
    inner = f"{module}module."
    return (inner if any(key.startswith(inner) for key in names) else module) + name


def _original(name: str, key: str, shapes: Mapping[str, Shape]) -> Iterator[_Recipe]:
    """A weight beside its mask, or beside its singular vectors; with both, no one knows."""
    mask, u, v = (f"{name}_{piece}" for piece in ("mask", "u", "v"))
    if mask not in shapes:
        yield from _spectral_norm(name, u, v, key, shapes)
    elif u not in shapes and _scales(shapes[key], shapes[mask]):
        yield _Recipe(name=name, pieces=(key, mask), make=np.multiply, how="pruned", trained=(key,))


def _weight_norm(name: str, g: str, v: str, shapes: Mapping[str, Shape]) -> Iterator[_Recipe]:
    if v in shapes and _scales(shapes[g], shapes[v]):
        how = "recomposed from weight norm's length and direction"
        yield _Recipe(name=name, pieces=(g, v), make=_scaled, how=how, trained=(g, v))


def _spectral_norm(
    name: str, u: str, v: str, original: str, shapes: Mapping[str, Shape]
) -> Iterator[_Recipe]:
    if u not in shapes or v not in shapes or len(shapes[original]) < 2:
        return
    rows, *columns = shapes[original]
    sizes = (rows, int(np.prod(columns)))
    found = (*shapes[u], *shapes[v])
    # The vectors of a matrix that was normalised along its other axis stand the other way round.
    if found == sizes or (found == sizes[::-1] and len(columns) == 1):
        how = "divided by its spectral norm, as the stored vectors tell it"
        pieces = (u, v, original) if found == sizes else (v, u, original)
        yield _Recipe(name=name, pieces=pieces, make=_divided, how=how, trained=(original,))


def _scales(first: Shape, second: Shape) -> bool:
    """Whether an array of the first shape scales one of the second along some axes."""
    sizes = zip(first, second, strict=False)
    return len(first) in (0, len(second)) and all(size in (1, whole) for size, whole in sizes)


# ---------------------------------------------------------------- arithmetic


def _same(weight: Array) -> Array:
    return weight


def _scaled(length: Array, direction: Array) -> Array:
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


def _divided(u: Array, v: Array, weight: Array) -> Array:
    """W / σ with σ = uᵀWv, or uᵀWᵀv where a square matrix was normalised along its other axis."""
    matrix = weight.reshape(len(weight), -1)
    if len(u) == len(v) and _fit(u, v, matrix) < _fit(u, v, matrix.T):
        matrix = matrix.T
    with np.errstate(divide="ignore", invalid="ignore"):
        whole: Array = weight / (u @ (matrix @ v))
    return whole


def _fit(u: Array, v: Array, matrix: Array) -> float:
    """The cosine between v and Wᵀu: torch's last step makes it 1, up to one step of training."""
    left = matrix.T @ u
    length = float(np.linalg.norm(left))
    return float(v @ left) / length if length else 0.0
