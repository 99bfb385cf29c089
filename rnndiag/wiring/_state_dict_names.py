"""The names of a state dict's tensors by the modules that they stand in, looked up once.

A file of many tiny modules would otherwise be gone through again for each of them.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Sequence

LONGEST = 1000
"""Characters of a name that is looked into: paths of networks are far shorter."""


def leading(path: str) -> Iterator[str]:
    """The path itself and all that it stands in, the outermost first: the root is empty."""
    yield ""
    place = path.find(".")
    while place >= 0:
        yield path[:place]
        place = path.find(".", place + 1)
    if path:
        yield path


def parent(path: str) -> str:
    """The module that another stands in."""
    return path.rpartition(".")[0]


def is_within(name: str, paths: Container[str]) -> bool:
    """Whether a tensor or module is one of `paths`, or stands in one."""
    return any(place in paths for place in leading(name))


def stems(paths: Iterable[str]) -> frozenset[str]:
    """The paths and all that they stand in."""
    return frozenset(place for path in paths for place in leading(path))


class NameIndex:
    """The names below some modules, in the file's order; longer ones than `LONGEST` are left out.

    `paths` are those that will be asked for.
    """

    def __init__(self, names: Iterable[str], paths: Collection[str]) -> None:
        self._below: dict[str, list[str]] = {path: [] for path in paths}
        for name in names:
            if len(name) <= LONGEST:
                self._add(name)

    def _add(self, name: str) -> None:
        for path in leading(parent(name)):
            if path in self._below:
                self._below[path].append(name)

    def below(self, path: str) -> Sequence[str]:
        """The names that begin with the path of a module."""
        return self._below[path]
