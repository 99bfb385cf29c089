"""A case by its number: which seed, which mutators, which command. Nothing else decides it.

The choices are made by rank: of all that could be chosen, what has the highest hash together
with the number. Another seed or mutator therefore changes only the cases that it wins.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import mutators, seeds

_SHARES = {"keras-h5": 6, "keras-archive": 4, "keras-weights": 2, "torch-zip": 3, "report": 2}
"""How often a kind comes, where that is not once."""
_FAST = ("--batch", "1", "--seeds", "1", "--quiet")


@dataclass(frozen=True, kw_only=True)
class Case:
    """Files, and the command that is given them."""

    number: int
    kind: str
    seed: str
    mutations: tuple[str, ...]
    """What was done, in order."""
    files: Mapping[str, bytes]
    arguments: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Of the files, by which two makings can be compared."""
        return hashlib.sha256(b"".join(self.files.values())).hexdigest()[:16]

    def write(self, folder: Path) -> None:
        """Put the files into a folder."""
        for place, content in self.files.items():
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def case(number: int) -> Case:
    """The case of a number, the same on every machine with the same libraries."""
    kind = kind_of(number)
    seed = seeds.seed(kind, _first(number, seeds.kinds()[kind]))
    rng = random.Random(number)
    place = _first(number, seed.files)
    content, done = mutators.mutated(seed.files[place], rng)
    return Case(
        number=number,
        kind=kind,
        seed=seed.name,
        mutations=tuple(f"{place}: {what}" for what in done),
        files={**seed.files, place: content},
        arguments=(*_command(kind, rng), *seed.arguments),
    )


def kind_of(number: int) -> str:
    """The kind of a case's seed."""
    shares = {kind: _SHARES.get(kind, 1) for kind in seeds.kinds()}
    tickets = [f"{kind} {ticket}" for kind, share in shares.items() for ticket in range(share)]
    return _first(number, tickets).split()[0]


def _first(number: int, names: Iterable[str]) -> str:
    """What ranks first with this number."""
    return max(names, key=lambda name: hashlib.sha256(f"{number} {name}".encode()).digest())


def _command(kind: str, rng: random.Random) -> tuple[str, ...]:
    """The command and its options, but for the files."""
    if kind == "report":
        return ("advise", "--quiet", "--format", rng.choice(("json", "table", "sarif")))
    advises = kind == "evidence" or rng.random() < 0.2
    command = "advise" if advises else "inspect"
    verbose = ("--verbose",) if rng.random() < 0.3 else ()
    # Most Keras files fix the number of timesteps, and refuse another.
    fixed = kind == "probe" or ("keras" in kind and rng.random() < 0.7)
    steps = () if fixed else ("--timesteps", "4")
    return (command, *_FAST, *verbose, *steps, "--format", rng.choice(("json", "table")))
