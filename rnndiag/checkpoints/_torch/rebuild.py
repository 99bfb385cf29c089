"""The tensors that a pickle of PyTorch describes: checked first, given their numbers last.

A tensor is a view of a storage: an offset, sizes and strides. The storages' numbers stand
outside the pickle, so that each tensor begins empty and is set on its storage once that is
found. No memory is taken for what a pickle merely declares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from rnndiag.checkpoints._pickles.budget import Budget
from rnndiag.checkpoints._pickles.known import plain
from rnndiag.checkpoints._pickles.machine import Known, Machine
from rnndiag.checkpoints._pickles.objects import BrokenPickle, Global, HugePickle, StandIn, shown

_TENSOR_BYTES = 1000
"""Memory that a tensor takes beside its numbers."""
_LARGEST = 2**62
"""Of sizes, strides and their products: what torch can count."""
_MOST_DIMENSIONS = 64
_SMALL = 1 << 20
"""Numbers that a tensor may have beyond those of its storage: expanded ones repeat some."""
_STORAGES = {
    **{"Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16"},
    **{"Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8"},
    **{"Bool": "bool", "ComplexDouble": "complex128", "ComplexFloat": "complex64"},
    **{"QInt8": "int8", "QUInt8": "uint8", "QInt32": "int32"},
    **{"QUInt4x2": "uint8", "QUInt2x4": "uint8", "Untyped": "uint8"},
}
"""Names of storages before ``Storage``, and a type whose numbers are as wide."""
_FURTHER = (
    *("uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2"),
    *("float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"),
)
"""Types that have no storages of their own; older versions of torch lack some of them."""
_DTYPES: Mapping[str, torch.dtype] = {
    f"torch.{name}": getattr(torch, name)
    for name in (*_STORAGES.values(), *_FURTHER)
    if hasattr(torch, name)
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Storage:
    """A row of numbers, as a pickle declares it."""

    key: str
    """Its name among the file's storages."""
    dtype: torch.dtype
    numel: int
    start: int = 0
    """In the storage of this key, in numbers: old files have views of storages."""

    @property
    def nbytes(self) -> int:
        """What the numbers take in the file."""
        return self.numel * self.dtype.itemsize


@dataclass(frozen=True)
class _View:
    """A tensor that is to be set on a storage."""

    tensor: Tensor
    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass
class Tensors:
    """The storages and tensors of one file, and the machine that follows its pickles."""

    budget: Budget = field(default_factory=Budget)
    """For what they describe; one for all files of a checkpoint."""
    storages: dict[str, Storage] = field(default_factory=dict)
    """Whole storages, by their keys."""
    _views: list[_View] = field(default_factory=list)
    machine: Machine = field(init=False)

    def __post_init__(self) -> None:
        known: dict[str, Known] = {}
        self.machine = Machine(known, self._persistent, self.budget)
        known |= plain(self.machine.charge, self.machine.call) | self._known()

    def bind(self, place: Callable[[Storage], torch.UntypedStorage]) -> None:
        """Set each tensor on its storage, which `place` finds; raises `BrokenPickle`."""
        found: dict[str, torch.UntypedStorage] = {}
        for view in self._views:
            key = view.storage.key
            if key not in found:
                found[key] = place(self.storages[key])
            try:
                view.tensor.set_(found[key], view.offset, view.size, view.stride)
            except RuntimeError as error:
                raise BrokenPickle(f"a tensor does not fit storage {shown(key)!r}") from error
        self._views.clear()

    # ------------------------------------------------------------ what pickles call

    def _known(self) -> dict[str, Known]:
        def from_type(function: Any, kind: Any, arguments: Any, *_: Any) -> Any:
            return self.machine.call(function, arguments)

        return {
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_tensor_v3": self._typed_tensor,
            "torch._tensor._rebuild_from_type_v2": from_type,
            **dict.fromkeys(_PARAMETERS, _parameter),
            "torch.Size": lambda sizes=(): sizes,
            "torch.device": lambda *arguments: StandIn("torch.device", arguments),
            **{f"torch.jit._pickle.build_{kind}list": _same for kind in _LISTS},
            "torch.jit._pickle.restore_type_tag": _same,
        }

    def _persistent(self, told: Any) -> Any:
        """A storage; or the class of a module, which old files keep with its source code."""
        if not isinstance(told, tuple) or not told:
            raise BrokenPickle("a storage is not told by a tuple")
        if told[0] == "module" and len(told) > 1:
            return told[1]
        if told[0] != "storage" or len(told) not in (5, 6):
            raise BrokenPickle("something other than a storage stands outside the pickle")
        _, kind, key, _, numel, *view = told
        if not isinstance(key, str) or not _is_count(numel):
            raise BrokenPickle("a storage has no name or no size")
        whole = Storage(key=key, dtype=_dtype(kind), numel=numel)
        first = self.storages.setdefault(key, whole)
        if (first.dtype, first.numel) != (whole.dtype, whole.numel):
            raise BrokenPickle(f"storage {shown(key)!r} is declared in two ways")
        return _part(first, view[0]) if view and view[0] is not None else first

    def _typed_tensor(self, storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> Any:
        """As `_tensor`, of a type without storages of its own, which stands after the hooks."""
        dtype = rest[2] if len(rest) > 2 else None
        return self._tensor(storage, offset, size, stride, dtype=_dtype(dtype))

    def _tensor(
        self,
        storage: Any,
        offset: Any,
        size: Any,
        stride: Any,
        *_: Any,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """An empty tensor, which is set on its storage later; raises `BrokenPickle`."""
        if not isinstance(storage, Storage):
            raise BrokenPickle("a tensor has no storage")
        self.machine.charge(_TENSOR_BYTES)
        dtype = dtype or storage.dtype
        room = storage.nbytes // dtype.itemsize
        _check_view(storage, room, offset, size, stride)
        tensor = torch.empty(0, dtype=dtype)
        start = storage.start * storage.dtype.itemsize // dtype.itemsize
        self._views.append(_View(tensor, storage, start + offset, tuple(size), tuple(stride)))
        return tensor


_PARAMETERS = (
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch.nn.parameter.Parameter",
    "torch.nn.parameter.Buffer",
    "torch.autograd.variable.Variable",
)
_LISTS = ("int", "double", "bool", "tensor")


def _parameter(value: Any, *_: Any) -> Any:
    """The tensor itself: whether it was trained changes none of its numbers."""
    return value


def _same(value: Any = None, *_: Any) -> Any:
    return value


def is_inert(name: str) -> bool:
    """Whether a name in a pickle is that of a storage or of a type of numbers."""
    try:
        return _dtype(Global(name)) is not None
    except BrokenPickle:
        return False


def _dtype(kind: Any) -> torch.dtype:
    """The type of a storage's or a tensor's numbers, by its name in the pickle."""
    name = kind.name if isinstance(kind, Global) else ""
    if name in _DTYPES:
        return _DTYPES[name]
    last = name.rpartition(".")[2].removesuffix("Storage")
    if not name.startswith("torch.") or last not in _STORAGES:
        raise BrokenPickle(f"a storage of the unknown type {shown(name)!r}")
    return _DTYPES[f"torch.{_STORAGES[last]}"]


def _part(whole: Storage, view: Any) -> Storage:
    """A view of a storage, from its own key, where it begins and how long it is."""
    if isinstance(view, tuple) and len(view) == 3:
        _, start, count = view
        if _is_count(start) and _is_count(count) and start + count <= whole.numel:
            return Storage(key=whole.key, dtype=whole.dtype, numel=count, start=start)
    raise BrokenPickle(f"a view reaches beyond storage {shown(whole.key)!r}")


def _check_view(storage: Storage, room: int, offset: Any, size: Any, stride: Any) -> None:
    """Raise where a tensor is not within the `room` numbers of its storage."""
    name = shown(storage.key)
    if not (isinstance(size, (tuple, list)) and isinstance(stride, (tuple, list))):
        raise BrokenPickle(f"a tensor in storage {name!r} has no sizes or strides")
    if len(size) != len(stride) or len(size) > _MOST_DIMENSIONS:
        raise BrokenPickle(f"a tensor in storage {name!r} has {len(size)} dimensions")
    if not (_is_count(offset) and all(map(_is_count, (*size, *stride)))):
        raise BrokenPickle(f"a tensor in storage {name!r} has sizes that are no counts")
    count = math.prod(size)
    if math.prod(each for each in size if each) >= _LARGEST:
        raise BrokenPickle(f"a tensor in storage {name!r} has more numbers than can be counted")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if count and last >= room:
        raise BrokenPickle(f"a tensor reaches beyond its storage {name!r}")
    if count > room + _SMALL:
        raise HugePickle(f"a tensor claims {count} numbers, but its storage has {room}")


def _is_count(value: Any) -> bool:
    """Whether `value` is a size, stride or offset; torch knows no negative ones."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST
