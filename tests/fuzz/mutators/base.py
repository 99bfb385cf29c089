"""What mutators share: values that programs stumble over, and names that a file must not reach."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

_Any = TypeVar("_Any")

FOREIGN = (
    *("canary touch", "canary", "os system", "posix system", "subprocess Popen", "builtins eval"),
    *(
        "builtins exec",
        "builtins getattr",
        "importlib import_module",
        "pty spawn",
        "webbrowser open",
    ),
    *("shutil rmtree", "builtins open", "torch.hub load", "torch load", "runpy run_path"),
    *("torch.serialization add_safe_globals", "numpy.f2py compile", "pickle loads", "ctypes CDLL"),
)
"""Modules and what is in them that a file names; the runner sees it if one is imported."""
SECRET = "../secret/secret"
"""Without its ending, a file beside the folder that the checkpoint is in; nobody may open it."""
INTEGERS = (
    *(0, 1, -1, 2, 3, 7, 255, 256, 65_535, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**33),
    *(2**63 - 1, 2**63, 2**64 - 1, -(2**31), -(2**63), 10**30),
)
TEXTS = (
    *("", " ", "/", ".", "..", "a/b", "\0", "\n", "\x1b[31mred", "é\u202e", "\ud800", "x" * 5000),
    *("nan", "inf", "-1", "1e999", "None", "[]", "{0}", "%s", f"{SECRET}.h5", "/etc/passwd"),
    *("lstm", "kernel", "weight_ih_l0", "float16", "float64", "int8", "mixed_float16"),
)
WIDTHS = (1, 2, 4, 8)
"""Bytes of an integer."""


def few(rng: random.Random, most: int = 64) -> int:
    """A number of at least one, of which small ones are likelier."""
    return min(most, max(1, int(rng.expovariate(0.5))))


def place(rng: random.Random, values: Sequence[_Any]) -> int:
    """An index into values, which are not empty."""
    return rng.randrange(len(values))


def integer_bytes(rng: random.Random) -> bytes:
    """An integer of some width and order."""
    width = rng.choice(WIDTHS)
    value = rng.choice(INTEGERS) % (1 << 8 * width)
    return value.to_bytes(width, rng.choice(("little", "big")))
