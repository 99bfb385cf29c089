"""The modules of a pickled network: a state dict by their names, and what their attributes tell.

A pickled ``nn.Module`` is a dictionary of attributes, in which its parameters, buffers and
modules have dictionaries of their own; a module of TorchScript has all of them in one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from rnndiag.checkpoints._pickles.objects import BrokenPickle, StandIn, shown
from rnndiag.checkpoints._torch import unread
from rnndiag.checkpoints._torch.tensors import is_weight
from rnndiag.records import TorchModule

_SCRIPT = "__torch__."
_MANGLED = re.compile(r"___torch_mangle_\d+\.")
_DEEPEST = 100
_MOST_ATTRIBUTES = 100_000
"""Of all modules together: a pickle can hold one module, or one dictionary, in many places."""
_LONGEST_PATH = 2000
_LONGEST_TEXT = 200
"""Of an attribute."""


@dataclass(kw_only=True)
class ModuleTree:
    """The tensors of a network as its state dict names them, and its modules by their paths."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    modules: dict[str, TorchModule] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    """As `StateDict.unread`."""
    _attributes: int = 0

    def add(self, path: str, module: StandIn, depth: int = 0) -> None:
        """Add a module and those below it; raises `BrokenPickle` where they never end."""
        self._attributes += sum(map(len, (module, *_parts(module))))
        if depth > _DEEPEST or len(path) > _LONGEST_PATH or self._attributes > _MOST_ATTRIBUTES:
            raise BrokenPickle("its modules hold one another without end")
        prefix = f"{path}." if path else ""
        told = TorchModule(
            class_name=_class_of(module), settings=_settings(module), hooked=_hooked(module)
        )
        self.modules[path] = told
        packed = (*unread.of_module(told.class_name), *_unread(module))
        self.unread.update({prefix + name: why for name, why in packed})
        self.tensors.update({prefix + name: tensor for name, tensor in _tensors(module)})
        for name, child in _children(module):
            self.add(prefix + name, child, depth + 1)


def is_module(value: Any) -> bool:
    """Whether `value` stands for an ``nn.Module``, or for one of TorchScript."""
    if not isinstance(value, StandIn):
        return False
    return value.name.startswith(_SCRIPT) or len(_parts(value)) == 3


def tree_of(module: StandIn) -> ModuleTree:
    """All modules below `module`, itself included; raises `BrokenPickle`."""
    tree = ModuleTree()
    tree.add("", module)
    return tree


def _parts(module: StandIn) -> list[Mapping[Any, Any]]:
    """The dictionaries of parameters, buffers and modules; TorchScript has none."""
    found = [module.get(key) for key in ("_parameters", "_buffers", "_modules")]
    return [part for part in found if isinstance(part, Mapping)]


def _tensors(module: StandIn) -> Iterator[tuple[str, Tensor]]:
    """A module's own parameters and buffers, in the order of its state dict."""
    if module.name.startswith(_SCRIPT):
        yield from _named(module, is_weight)
        return
    parameters, buffers, _ = _parts(module)
    passing = module.get("_non_persistent_buffers_set")
    left_out = (
        {name for name in passing if isinstance(name, str)} if isinstance(passing, list) else ()
    )
    yield from _named(parameters, is_weight)
    yield from ((name, own) for name, own in _named(buffers, is_weight) if name not in left_out)


def _unread(module: StandIn) -> Iterator[tuple[str, str]]:
    """A module's own recurrent weights that are no weights as they are stored."""
    held = [module] if module.name.startswith(_SCRIPT) else _parts(module)[:2]
    for values in held:
        yield from unread.of_mapping(dict(_named(values, lambda value: not is_module(value))))


def _children(module: StandIn) -> Iterator[tuple[str, StandIn]]:
    own = module if module.name.startswith(_SCRIPT) else _parts(module)[2]
    yield from _named(own, is_module)


def _named(values: Mapping[Any, Any], wanted: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(name, str) and len(name) <= _LONGEST_PATH and wanted(value):
            yield name, value


def _class_of(module: StandIn) -> str:
    """The class with its module, as Python code names it."""
    return shown(_MANGLED.sub("", module.name.removeprefix(_SCRIPT)))


def _hooked(module: StandIn) -> bool:
    return any(module.get(name) for name in ("_forward_hooks", "_forward_pre_hooks"))


def _settings(module: StandIn) -> dict[str, Any]:
    """The attributes that are single plain values, without torch's own."""
    return {
        name: value
        for name, value in module.items()
        if isinstance(name, str) and not name.startswith("_") and _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT
    return isinstance(value, (bool, int, float))
