"""Mutators, one a file: ``suits(content)``, and ``mutate(content, rng)`` → changed content."""

from __future__ import annotations

import random

from rnndiag import registry

_DEEPEST = 3
"""Archives in archives."""
_RAW = "raw_bytes"


def mutated(content: bytes, rng: random.Random) -> tuple[bytes, list[str]]:
    """Content after one mutation or a few, and the names of their mutators.

    Raw bytes come last: what they leave is not for the libraries that other mutators use.
    """
    done: list[str] = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content, name = once(content, rng)
        done.append(name)
        if _RAW in name:
            break
    return content, done


def once(content: bytes, rng: random.Random, depth: int = 0) -> tuple[bytes, str]:
    """One mutation by any mutator that suits, and the name of it."""
    table = registry.modules(__name__)
    suited = [name for name, module in table.items() if module.suits(content)]
    name = rng.choice(suited)
    module = table[name]
    if not hasattr(module, "within"):
        return module.mutate(content, rng), name
    if depth == _DEEPEST:
        return table[_RAW].mutate(content, rng), _RAW
    inner, put_back = module.within(content, rng)
    changed, inner_name = once(inner, rng, depth + 1)
    return put_back(changed), f"{name} › {inner_name}"
