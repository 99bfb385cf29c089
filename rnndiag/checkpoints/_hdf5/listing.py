"""Every array in an HDF5 file, by name and shape: what there is to account for."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

from rnndiag import memory
from rnndiag.checkpoints._hdf5.walk import objects
from rnndiag.records import Role, StoredArray

_ROLES: dict[str, Role] = {
    **dict.fromkeys(("optimizer", "optimizer_weights"), "optimizer"),
    **dict.fromkeys(("metrics", "compile_metrics", "_compile_metrics"), "bookkeeping"),
}
"""By the group at the file's root; further copies of weights stand among the optimizer's."""
_RANDOM = ("seed_generator", "random_generator", "_random_generator")
_ENTRY = 1000
"""Bytes that an array takes in the list."""


def stored(file: h5py.File, prefix: str = "") -> tuple[StoredArray, ...]:
    """The arrays that hard links lead to, under the first of their names.

    `prefix` stands before the names where a checkpoint has several files.
    """
    return tuple(_stored(file, prefix))


def _stored(file: h5py.File, prefix: str) -> Iterator[StoredArray]:
    for name, item in objects(file):
        memory.take(_ENTRY, "the list of its arrays")
        if isinstance(item, Exception):
            told = f"damaged: {item}"
            yield StoredArray(name=prefix + name, shape=(), role="not_analysed", reason=told)
        elif isinstance(item, h5py.Dataset):
            yield _array(prefix + name, item)


def _array(place: str, dataset: h5py.Dataset) -> StoredArray:
    shape = tuple(dataset.shape or ())
    parts = place.split("/")
    if parts[0] in _ROLES:
        return StoredArray(name=place, shape=shape, role=_ROLES[parts[0]])
    if any(part.startswith(_RANDOM) for part in parts):
        told = "the state of random numbers"
        return StoredArray(name=place, shape=shape, role="bookkeeping", reason=told)
    if dataset.dtype.kind not in "fiu" and dataset.dtype != np.dtype("V2"):
        told = f"it holds {dataset.dtype}, not numbers"
        return StoredArray(name=place, shape=shape, role="bookkeeping", reason=told)
    return StoredArray(name=place, shape=shape)
