"""Attacks on HDF5 files: what takes a dataset's place and lies elsewhere."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

SECRET = np.arange(5 * 32, dtype=np.float32).reshape(5, 32)
"""What must not be read: a kernel's numbers, but not the file's own."""


def external_link(file: h5py.File, other: Path, kernel: str) -> None:
    with h5py.File(other, "w") as source:
        source["secret"] = SECRET
    file[kernel] = h5py.ExternalLink(str(other), "/secret")


def soft_link(file: h5py.File, other: Path, kernel: str) -> None:
    file["elsewhere"] = SECRET
    file[kernel] = h5py.SoftLink("/elsewhere")


def external_storage(file: h5py.File, other: Path, kernel: str) -> None:
    other.write_bytes(SECRET.tobytes())
    storage = [(str(other), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset(kernel, shape=SECRET.shape, dtype="f4", external=storage)
