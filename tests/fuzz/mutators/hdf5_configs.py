"""The JSON in a Keras model's HDF5 attributes, changed by any mutator that suits it."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import h5py

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def suits(content: bytes) -> bool:
    if not content.startswith(_SIGNATURE):
        return False
    with h5py.File(io.BytesIO(content)) as file:
        return "model_config" in file.attrs and bool(_configs(file))


def within(content: bytes, rng: random.Random) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The JSON of one attribute, and what puts it back."""
    with h5py.File(io.BytesIO(content)) as file:
        held = _configs(file)
    # The model's own is the longer one, and the more interesting one.
    name = "model_config" if rng.random() < 0.8 else rng.choice(sorted(held))

    def put_back(changed: bytes) -> bytes:
        whole = io.BytesIO(content)
        with h5py.File(whole, "r+") as file:
            # HDF5's own strings end at the first zero.
            file.attrs[name] = changed.replace(b"\0", b"0").decode("utf-8", "replace")
        return whole.getvalue()

    return held.get(name, b""), put_back


def _configs(file: h5py.File) -> dict[str, bytes]:
    texts = {
        name: value.encode() if isinstance(value, str) else value
        for name, value in file.attrs.items()
        if isinstance(value, (str, bytes))
    }
    return {name: text for name, text in texts.items() if text.startswith(b"{")}
