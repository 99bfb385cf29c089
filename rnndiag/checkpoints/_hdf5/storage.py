"""Whether an array's numbers are stored in the file: what else it claims would exhaust memory."""

from __future__ import annotations

import math

import h5py

from rnndiag import memory

_MOST_UNSTORED = 64 << 20
"""Bytes that an array may declare whatever is stored; Keras initialises some to zeros."""
_MOST_COMPRESSION = 1000
"""How many times an array may be larger than its storage."""
_MOST_UNSTORED_CHUNKS = 1 << 16
"""Chunks that an array may have whatever is stored; of those that are, each has a byte."""
_CHUNK_BYTES = 600
"""Memory that HDF5 takes for each chunk that it is going to read, whether or not it is there."""


def is_elsewhere(dataset: h5py.Dataset) -> bool:
    """Whether the numbers lie in another file."""
    return bool(dataset.external) or dataset.is_virtual


def excess(dataset: h5py.Dataset) -> str | None:
    """What a dataset claims beyond its storage; None where it is sound.

    Raises `TooLarge` where unpacking it takes more memory than may be taken.
    """
    stored = dataset.id.get_storage_size()
    most = max(_MOST_UNSTORED, _MOST_COMPRESSION * stored)
    beside = f"but the file stores {stored} bytes of it"
    if dataset.nbytes > most:
        return f"the array claims {dataset.nbytes / 2**30:.1f} GiB, {beside}"
    if not dataset.chunks:
        return None
    # A chunk is unpacked whole, and may be far larger than the array that it is a part of.
    chunk = dataset.dtype.itemsize * math.prod(dataset.chunks)
    if chunk > most:
        return f"a chunk of the array claims {chunk / 2**30:.1f} GiB, {beside}"
    sides = zip(dataset.shape, dataset.chunks, strict=True)
    count = math.prod(-(-size // own) for size, own in sides)
    if count > max(_MOST_UNSTORED_CHUNKS, stored):
        return f"the array claims {count} chunks, {beside}"
    memory.check(chunk + _CHUNK_BYTES * count, f"unpacking {dataset.name}")
    return None
