"""What is mutated: real small files of every format.

Adding one is one line: a pattern of stored files in `STORED`; or one function in ``writers/``
that writes files into a folder and says how the command line names them.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rnndiag import registry

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"

STORED = {
    "keras-h5": ("tests/data/*/*/*.h5", "tests/data/gradients/*.h5", "samples/*.h5"),
    "keras-archive": ("tests/data/*/*/*.keras", "tests/data/sleepecg/*.keras"),
    "torch-zip": ("tests/data/torch/*.pt", "samples/*.pt", "samples/*.ckpt"),
    "torch-module": ("tests/data/fuzz/*.module.pt",),
    "torchscript": ("tests/data/fuzz/*.script.pt",),
    "report": ("tests/published/reports/T*.json", "tests/published/reports/K15.json"),
}
"""Files that stand in the repository, by the kind that they are counted under."""

Arguments = tuple[str, ...]
Writer = Callable[[Path], Arguments]
"""Fills a folder; gives the arguments that name what is in it, the checkpoint first."""
_WRITERS: dict[str, dict[str, Writer]] = {}


@dataclass(frozen=True, kw_only=True)
class Seed:
    """Files as they are before a mutation."""

    name: str
    kind: str
    files: Mapping[str, bytes]
    """By their places in a folder of their own."""
    arguments: Arguments
    """What the command line is given: the checkpoint, and options with other files."""


@cache
def kinds() -> dict[str, list[str]]:
    """The names of the seeds by kind; none is read or written for that."""
    registry.modules("tests.fuzz.writers")
    found = {kind: list(writers) for kind, writers in _WRITERS.items()}
    for kind, patterns in STORED.items():
        places = (place for pattern in patterns for place in ROOT.glob(pattern))
        found.setdefault(kind, []).extend(sorted(str(own.relative_to(ROOT)) for own in places))
    return found


@cache
def seed(kind: str, name: str) -> Seed:
    """One seed with its content."""
    registry.modules("tests.fuzz.writers")
    writer = _WRITERS.get(kind, {}).get(name)
    if writer is None:
        stored = ROOT / name
        files = {stored.name: stored.read_bytes()}
        return Seed(name=name, kind=kind, files=files, arguments=(stored.name,))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Of torch on TorchScript, which it means to drop.
        warnings.simplefilter("ignore")
        arguments = writer(Path(folder))
        places = sorted(place for place in Path(folder).rglob("*") if place.is_file())
        files = {str(place.relative_to(folder)): place.read_bytes() for place in places}
    return Seed(name=name, kind=kind, files=files, arguments=arguments)


def writes(kind: str) -> Callable[[Writer], Writer]:
    """Adds what a function writes to the seeds of a kind."""

    def add(writer: Writer) -> Writer:
        _WRITERS.setdefault(kind, {})[writer.__name__] = writer
        return writer

    return add
