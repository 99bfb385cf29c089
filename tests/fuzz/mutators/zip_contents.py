"""One member of a ZIP archive, changed by any mutator that suits it, with the right checksum."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.fuzz.mutators import zip_members

suits = zip_members.suits
_STRUCTURE = (".json", ".pkl", ".h5")


def within(content: bytes, rng: random.Random) -> tuple[bytes, Callable[[bytes], bytes]]:
    """A member's content, of those with structure oftener, and what puts it back."""
    held = zip_members.members(content)
    places = range(len(held))
    structured = [own for own in places if held[own][0].endswith(_STRUCTURE)]
    chosen = rng.choice(structured if structured and rng.random() < 0.9 else places)

    def put_back(changed: bytes) -> bytes:
        held[chosen] = (held[chosen][0], changed)
        return zip_members.packed(held)

    return held[chosen][1], put_back
