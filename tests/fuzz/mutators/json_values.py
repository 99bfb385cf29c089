"""JSON: values deleted, retyped, nested, made huge, and classes that nobody knows."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from tests.fuzz.mutators.base import FOREIGN, INTEGERS, TEXTS, few

_LONGEST = 1 << 20
"""Bytes of JSON that are worth the time."""
_CLASSES = (
    *("Lambda", "TorchModuleWrapper", "LSTM", "GRU", "SimpleRNN", "Bidirectional", "RNN", "Model"),
    *("StackedRNNCells", "LSTMCell", "TimeDistributed", "Functional", "Sequential", "Reshape"),
    *(
        "Dense",
        "Embedding",
        "Concatenate",
        "Dot",
        "Conv1D",
        "Foreign",
        "Package>Foreign",
        "Permute",
    ),
    *("InputLayer", "BatchNormalization", "Masking", "Activation", "Add", "TFOpLambda", "GetItem"),
)
_FLOATS = (0.5, -0.5, 1e308, 1e-320, float("nan"), float("inf"), float("-inf"))
_DEPTHS = (3, 50, 900, 20_000)

Place = tuple[Any, Any]
"""A container, and a key or index in it."""


def suits(content: bytes) -> bool:
    return content[:1] in (b"{", b"[") and len(content) < _LONGEST and _parsed(content) is not None


def mutate(content: bytes, rng: random.Random) -> bytes:
    value = _parsed(content)
    for _ in range(few(rng, 6)):
        places = list(_places(value))
        if places:
            rng.choice(_OPERATIONS)(*rng.choice(places), rng)
    text = json.dumps(value)
    if rng.random() < 0.02:
        # As deep as no parser follows; it is made as text, for the same reason.
        depth = rng.choice(_DEPTHS)
        text = text[:-1] + ', "deep": ' + "[" * depth + "]" * depth + text[-1]
    return text.encode()


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _places(value: Any) -> Iterator[Place]:
    """Every value in a container, with where it is."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _delete(holder: Any, key: Any, rng: random.Random) -> None:
    del holder[key]


def _retype(holder: Any, key: Any, rng: random.Random) -> None:
    scalars = (*INTEGERS, *TEXTS, *_FLOATS, None, True, False)
    holder[key] = rng.choice((rng.choice(scalars), [], {}, [None], {"a": {}}, [[[]]]))


def _number(holder: Any, key: Any, rng: random.Random) -> None:
    if isinstance(holder[key], (int, float)):
        steps = (rng.choice(INTEGERS), holder[key] + 1, -holder[key], holder[key] * 1000)
        holder[key] = rng.choice(steps)


def _text(holder: Any, key: Any, rng: random.Random) -> None:
    if isinstance(holder[key], str):
        foreign = rng.choice(FOREIGN).replace(" ", ".")
        holder[key] = rng.choice((rng.choice(TEXTS), foreign, holder[key] * 2, holder[key][1:]))


def _class(holder: Any, key: Any, rng: random.Random) -> None:
    """Another class for a layer, or a module that its class is to be in."""
    if isinstance(holder, dict) and "class_name" in holder:
        holder["class_name"] = rng.choice(_CLASSES)
        if rng.random() < 0.3:
            module, *_ = rng.choice(FOREIGN).split()
            holder["module"] = module
            holder["registered_name"] = rng.choice((None, f"{module}>Foreign"))
    else:
        _retype(holder, key, rng)


def _nest(holder: Any, key: Any, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 2, 10, 100))):
        holder[key] = [holder[key]] if rng.random() < 0.5 else {"config": holder[key]}


def _flatten(holder: Any, key: Any, rng: random.Random) -> None:
    """Something inside in the place of its container."""
    inner = list(_places(holder[key]))[:50]
    if inner:
        container, own = rng.choice(inner)
        holder[key] = container[own]


def _duplicate(holder: Any, key: Any, rng: random.Random) -> None:
    if isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), holder[key])
    else:
        holder[str(key) + rng.choice(("", "_1", " "))] = holder[key]


def _swap(holder: Any, key: Any, rng: random.Random) -> None:
    other = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[key], holder[other] = holder[other], holder[key]


def _rename(holder: Any, key: Any, rng: random.Random) -> None:
    if isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = holder.pop(key)


_OPERATIONS: tuple[Callable[[Any, Any, random.Random], None], ...] = (
    *(_delete, _retype, _retype, _number, _number, _text, _class, _class),
    *(_nest, _flatten, _duplicate, _swap, _rename),
)
