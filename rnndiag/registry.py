"""A folder of modules becomes a named table: adding an entry is adding a file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from types import ModuleType


@cache
def names(package: str) -> tuple[str, ...]:
    """The public modules of `package` by name, none of them imported.

    Names that start with an underscore, and ``base``, hold what the others share.
    """
    folder = importlib.import_module(package).__path__
    found = sorted(info.name for info in pkgutil.iter_modules(folder))
    return tuple(name for name in found if not name.startswith("_") and name != "base")


def module(package: str, name: str) -> ModuleType:
    """One public module of `package`, and no others, imported; raises `KeyError`."""
    if name not in names(package):
        raise KeyError(name)
    return importlib.import_module(f"{package}.{name}")


def each(package: str) -> Iterator[ModuleType]:
    """Every public module of `package`, the last by name first; imported when its turn comes."""
    return (module(package, name) for name in reversed(names(package)))


@cache
def modules(package: str) -> dict[str, ModuleType]:
    """Import every public module of `package`; module name → module, sorted by name."""
    return {name: importlib.import_module(f"{package}.{name}") for name in names(package)}


@cache
def classes(package: str, base: type) -> dict[str, type]:
    """Table of the subclasses of `base` in `package`, by each name in their ``kinds``."""
    table: dict[str, type] = {}
    for module in modules(package).values():
        for value in vars(module).values():
            defined_here = isinstance(value, type) and value.__module__ == module.__name__
            if defined_here and issubclass(value, base):
                table.update(dict.fromkeys(value.kinds, value))
    return table
