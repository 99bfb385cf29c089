"""HDF5 through its library: attributes, arrays and links that are sound, and yet are wrong."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from tests.fuzz.mutators.base import SECRET, TEXTS, few

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NOTED_TIME = re.compile(rb"(\x12\0\x08\0.\0\0\0\x01\0\0\0)....", re.DOTALL)
"""The message with the second in which an object was made, which would be another each time."""
_SHAPES = ((), (0,), (1,), (3, 0), (2, 3, 4), (1 << 40,), (1 << 20, 1 << 20), (1,) * 32)
_TYPES = ("f2", "f4", "f8", "i1", "i8", "u4", ">f4", "?", "c8", "S5", "V2", "V7", "O", "(3,)f4")


def suits(content: bytes) -> bool:
    return content.startswith(_SIGNATURE)


def mutate(content: bytes, rng: random.Random) -> bytes:
    held = io.BytesIO(content)
    with h5py.File(held, "r+") as file:
        for _ in range(few(rng, 4)):
            _change(file, rng)
    return _NOTED_TIME.sub(rb"\1\0\0\0\0", held.getvalue())


def _change(file: h5py.File, rng: random.Random) -> None:
    items: list[Any] = [file]
    file.visititems(lambda _, item: items.append(item))
    try:
        rng.choice(_OPERATIONS)(file, rng.choice(items), rng)
    except Exception:  # whatever HDF5 raises for what it refuses to make
        return


# ---------------------------------------------------------------- attributes


def _some_attribute(item: Any, rng: random.Random) -> str:
    names: list[str] = sorted(item.attrs)
    return rng.choice(names or ["names"])


def _delete_attribute(file: h5py.File, item: Any, rng: random.Random) -> None:
    del item.attrs[_some_attribute(item, rng)]


def _rename_attribute(file: h5py.File, item: Any, rng: random.Random) -> None:
    name = _some_attribute(item, rng)
    item.attrs[rng.choice(("layer_names", "weight_names", "model_config", name + "0"))] = (
        item.attrs[name]
    )
    del item.attrs[name]


def _retype_attribute(file: h5py.File, item: Any, rng: random.Random) -> None:
    name = _some_attribute(item, rng)
    empty = h5py.Empty(rng.choice(("f4", "S3")))
    odd = (3, 2.5, np.zeros(3), np.zeros((2, 2), "S4"), "text", b"\xff\xfe", empty, np.zeros(0))
    item.attrs[name] = rng.choice(odd)


def _reshape_attribute(file: h5py.File, item: Any, rng: random.Random) -> None:
    """A list of names that is shorter, longer, repeated, or holds odd names."""
    name = _some_attribute(item, rng)
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in item.attrs[name]]
    odd = rng.choice(TEXTS).replace("\0", "").encode("utf-8", "replace").decode()
    item.attrs[name] = rng.choice(
        (names[:-1], names * 2, names[::-1], [*names, odd], [odd, *names[1:]], [odd] * len(names))
    )


# ---------------------------------------------------------------- arrays and groups


def _replaced(item: Any, **created: Any) -> None:
    """An array of the same name in the place of the item."""
    name, parent = item.name, item.parent
    del parent[name]
    parent.create_dataset(name, **created)


def _retype(file: h5py.File, item: Any, rng: random.Random) -> None:
    kind = np.dtype(rng.choice(_TYPES))
    own = h5py.string_dtype() if kind.kind == "O" else kind
    _replaced(item, shape=getattr(item, "shape", (2,)), dtype=own)


def _reshape(file: h5py.File, item: Any, rng: random.Random) -> None:
    shape = rng.choice((*_SHAPES, getattr(item, "shape", (2,))[::-1]))
    _replaced(item, shape=shape, dtype="f4", chunks=(1,) * len(shape) if np.prod(shape) else None)


def _fill(file: h5py.File, item: Any, rng: random.Random) -> None:
    if isinstance(item, h5py.Dataset) and item.size:
        odd = (np.nan, np.inf, -np.inf, 0.0, 3e38, -3e38, 1e-44, 1e5)
        item[...] = np.resize(rng.choices(odd, k=3), item.shape)


def _without_numbers(file: h5py.File, item: Any, rng: random.Random) -> None:
    _replaced(item, data=h5py.Empty("f4"))


def _compress(file: h5py.File, item: Any, rng: random.Random) -> None:
    filters = ({"compression": "gzip"}, {"compression": "lzf"}, {"scaleoffset": 2}, {"shuffle": 1})
    _replaced(item, data=item[()], chunks=True, **rng.choice(filters))


def _bomb(file: h5py.File, item: Any, rng: random.Random) -> None:
    """Gigabytes that are not stored, or that are stored as few bytes."""
    shape = rng.choice(((1 << 33,), (1 << 16, 1 << 16), (1 << 62,)))
    _replaced(item, shape=shape, dtype="f4", fillvalue=1.0, chunks=True, compression="gzip")


def _external_storage(file: h5py.File, item: Any, rng: random.Random) -> None:
    place = (f"{SECRET}.bin", 0, h5py.h5f.UNLIMITED)
    _replaced(item, shape=getattr(item, "shape", (2,)), dtype="f4", external=[place])


def _virtual(file: h5py.File, item: Any, rng: random.Random) -> None:
    shape = getattr(item, "shape", None) or (2,)
    layout = h5py.VirtualLayout(shape=shape, dtype="f4")
    layout[...] = h5py.VirtualSource(f"{SECRET}.h5", "secret", shape=shape)
    name, parent = item.name, item.parent
    del parent[name]
    parent.create_virtual_dataset(name, layout)


def _delete(file: h5py.File, item: Any, rng: random.Random) -> None:
    del item.parent[item.name]


def _group_for_array(file: h5py.File, item: Any, rng: random.Random) -> None:
    name, parent = item.name, item.parent
    del parent[name]
    parent.create_group(name)


def _named_type(file: h5py.File, item: Any, rng: random.Random) -> None:
    name, parent = item.name, item.parent
    del parent[name]
    parent[name] = np.dtype("f4")


# ---------------------------------------------------------------- links


def _link(file: h5py.File, item: Any, rng: random.Random) -> None:
    """Something else in an item's place: elsewhere in the file, or in another one."""
    others: list[str] = ["/"]
    file.visit(others.append)
    other = rng.choice(others)
    external = h5py.ExternalLink(f"{SECRET}.h5", rng.choice(("/secret", "/")))
    made = rng.choice((h5py.SoftLink(other), h5py.SoftLink(item.name), external, file[other]))
    name, parent = item.name, item.parent
    del parent[name]
    parent[name] = made


def _cycle(file: h5py.File, item: Any, rng: random.Random) -> None:
    """A group within itself."""
    if isinstance(item, h5py.Group):
        item[rng.choice(("vars", "layers", "again", "cell"))] = rng.choice((item, item.parent))


def _rename(file: h5py.File, item: Any, rng: random.Random) -> None:
    text = rng.choice(TEXTS).replace("\0", "0").encode("utf-8", "replace").decode()
    item.parent.move(item.name, f"{item.parent.name}/{text or 'x'}")


def _swap(file: h5py.File, item: Any, rng: random.Random) -> None:
    siblings = sorted(item.parent)
    one, two = item.name.rpartition("/")[2], rng.choice(siblings)
    if one != two:
        parent = item.parent
        parent.move(one, "aside")
        parent.move(two, one)
        parent.move("aside", two)


_OPERATIONS: tuple[Callable[[h5py.File, Any, random.Random], None], ...] = (
    *(_delete_attribute, _rename_attribute, _retype_attribute, _reshape_attribute),
    *(_retype, _reshape, _fill, _without_numbers, _compress, _bomb, _external_storage, _virtual),
    *(_delete, _group_for_array, _named_type, _link, _link, _cycle, _rename, _swap),
)
