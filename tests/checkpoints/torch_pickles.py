"""Pickles put together by hand, in the containers of torch.save."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

END = b"."


def text(value: str) -> bytes:
    """The opcode of a text."""
    content = value.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def integer(value: int) -> bytes:
    """The opcode of an integer of any size."""
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def numbers(*values: int) -> bytes:
    """The opcodes of a tuple of integers."""
    return b"(" + b"".join(map(integer, values)) + b"t"


def called(name: str, *arguments: bytes) -> bytes:
    """The opcodes that call ``module name``."""
    return b"c" + name.replace(" ", "\n").encode() + b"\n(" + b"".join(arguments) + b"tR"


def storage(count: int, key: str = "0", kind: str = "torch FloatStorage") -> bytes:
    """The opcodes of a storage."""
    named = b"c" + kind.replace(" ", "\n").encode() + b"\n"
    return b"(" + text("storage") + named + text(key) + text("cpu") + integer(count) + b"tQ"


def tensor(count: int, offset: int, size: bytes, stride: bytes, key: str = "0") -> bytes:
    """The opcodes of a tensor in a storage of `count` numbers."""
    hooks = called("collections OrderedDict")
    rebuild = "torch._utils _rebuild_tensor_v2"
    return called(rebuild, storage(count, key), integer(offset), size, stride, b"\x89", hooks)


def mapping(**values: bytes) -> bytes:
    """The opcodes of a dictionary."""
    return b"}(" + b"".join(text(key) + value for key, value in values.items()) + b"u"


def zipped(
    path: Path,
    content: bytes,
    records: Mapping[str, bytes] | None = None,
    method: int = zipfile.ZIP_STORED,
) -> Path:
    """A file of torch.save with this pickle, and these records beside it."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("archive/data.pkl", content)
        for name, record in (records or {}).items():
            archive.writestr(f"archive/{name}", record)
    return path


def legacy(path: Path, content: bytes, **storages: bytes) -> Path:
    """A file of torch.save before 1.6; storages are of float32, by their keys without ``s``."""
    head = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {})]
    keys = pickle.dumps([key.removeprefix("s") for key in storages], 2)
    rows = [struct.pack("<q", len(row) // 4) + row for row in storages.values()]
    path.write_bytes(b"".join((*head, content, keys, *rows)))
    return path


def lstm() -> nn.LSTM:
    """Inputs of 3, 4 units."""
    torch.manual_seed(1)
    return nn.LSTM(3, 4)


def beside_weights(attack: bytes, path: Path, *, old: bool = False) -> Path:
    """A file with the weights of `lstm`, whose pickle makes something else before them."""
    torch.save(lstm().state_dict(), path, _use_new_zipfile_serialization=not old)
    if old:
        content = path.read_bytes()
        # The state dict's pickle is the fourth: it begins with its class.
        place = content.index(b"\x80\x02ccollections\nOrderedDict")
        path.write_bytes(content[: place + 2] + attack + b"0" + content[place + 2 :])
        return path
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    (name,) = (name for name in found if name.endswith("/data.pkl"))
    found[name] = found[name][:2] + attack + b"0" + found[name][2:]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in found.items():
            archive.writestr(name, content)
    return path


def saved(value: Any, path: Path, *, old: bool = False, protocol: int = 2) -> Path:
    """What torch.save writes."""
    torch.save(value, path, _use_new_zipfile_serialization=not old, pickle_protocol=protocol)
    return path
