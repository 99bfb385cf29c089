"""Named arrays from .npy, .npz, .pt, .csv and .h5 files, told by content.

Nothing is unpickled, and an array is read only when it is asked for.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rnndiag import memory
from rnndiag.errors import BadProbe, TooLarge, UnsafeCheckpoint
from rnndiag.printable import first_of
from rnndiag.probe.tables import read_table
from rnndiag.records import Array

if TYPE_CHECKING:
    from rnndiag.probe.tensor_files import Stored

LARGEST_BYTES = 4 << 30
"""No probe array may be larger; a small file can claim terabytes."""
_SHOWN = 12
_HDF5 = b"\x89HDF\r\n\x1a\n"
_NPY = b"\x93NUMPY"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_PICKLE = b"\x80"
Loader = Callable[[], Array]


@dataclass(frozen=True, kw_only=True)
class ArrayFile:
    """A file's arrays by name; each is read when it is asked for."""

    path: Path
    loaders: Mapping[str, Loader]
    table: bool = False
    """Whether it is a CSV file: one array (samples, rows, columns)."""

    @property
    def listing(self) -> str:
        """The arrays' names for a message."""
        return first_of(map(repr, self.loaders), _SHOWN) or "none"

    def label(self, name: str) -> str:
        """One array and its file for a message."""
        return f"{self.path}: array {name!r}"

    def load(self, name: str) -> Array:
        """Read one array; raises `BadProbe` where it cannot be read."""
        try:
            return self.loaders[name]()
        except (BadProbe, TooLarge):
            raise
        except Exception as error:  # parsers of damaged bytes raise whatever comes
            raise _unreadable(self.path, f"array {name!r}", error) from error


def open_arrays(path: Path) -> ArrayFile:
    """Find the arrays of a file; raises `BadProbe` where it is none that can be read."""
    head = _head(path)
    try:
        loaders = _loaders(path, head)
    except (BadProbe, TooLarge):
        raise
    except UnsafeCheckpoint as error:
        raise BadProbe(error.message, error.hint) from error
    except Exception as error:  # parsers of damaged bytes raise whatever comes
        raise _unreadable(path, "the file", error) from error
    if loaders is not None:
        return ArrayFile(path=path, loaders=loaders)
    table = read_table(path)
    return ArrayFile(path=path, loaders={"x": lambda: table}, table=True)


def _loaders(path: Path, head: bytes) -> dict[str, Loader] | None:
    """The arrays of a binary file; None where it is none of the kinds known."""
    if head.startswith(_NPY):
        return {"x": partial(_npy, path)}
    if head.startswith(_HDF5):
        return dict(_hdf5(path))
    if head.startswith(_ZIP) and (members := _npz_members(path)) is not None:
        return members
    return _torch(path, head) if head.startswith((*_ZIP, _PICKLE)) else None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise BadProbe(f"{path}: cannot be opened: {error.strerror}", "check the path") from error
    if not head:
        raise BadProbe(f"{path}: the file is empty", "was the save interrupted?")
    return head


def _unreadable(path: Path, what: str, error: Exception) -> BadProbe:
    lines = str(error).strip().splitlines()
    if "allow_pickle" in str(error) or "Python objects" in str(error):
        return BadProbe(
            f"{path}: {what} holds Python objects, which are never unpickled",
            "save arrays of numbers",
        )
    return BadProbe(
        f"{path}: {what} cannot be read: {lines[0] if lines else type(error).__name__}",
        "is the file complete? copy or save it again",
    )


def _sized(path: Path, name: str, size: int) -> None:
    if size > LARGEST_BYTES:
        raise BadProbe(
            f"{path}: array {name!r} claims {size / 2**30:.1f} GiB", "probe with fewer samples"
        )
    memory.check(size, f"array {name!r} of {path}")


def _npy(path: Path) -> Array:
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    _sized(path, "x", mapped.nbytes)
    return np.array(mapped)


def _npz_members(path: Path) -> dict[str, Loader] | None:
    """The arrays of an .npz archive; None where the archive is another's."""
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    if not all(name.endswith(".npy") for name in sizes):
        return None
    return {
        name.removesuffix(".npy"): partial(_npz_member, path, name.removesuffix(".npy"), size)
        for name, size in sizes.items()
    }


def _npz_member(path: Path, name: str, size: int) -> Array:
    _sized(path, name, size)
    with np.load(path, allow_pickle=False) as archive:
        return np.asarray(archive[name])


def _hdf5(path: Path) -> Iterator[tuple[str, Loader]]:
    """Datasets that lie in the file itself; links and storage elsewhere are not followed."""
    import h5py

    from rnndiag.checkpoints._hdf5.walk import objects

    with h5py.File(path, "r") as file:
        held = [(name, item) for name, item in objects(file) if isinstance(item, h5py.Dataset)]
        found = [name for name, item in held if item.shape is not None]
    for name in found:
        yield name, partial(_hdf5_dataset, path, name)


def _hdf5_dataset(path: Path, name: str) -> Array:
    import h5py

    from rnndiag.checkpoints._hdf5.storage import excess, is_elsewhere

    with h5py.File(path, "r") as file:
        dataset = file[name]
        if is_elsewhere(dataset):
            raise BadProbe(f"{path}: array {name!r} lies in another file", "store it in this one")
        if dataset.dtype.hasobject:
            # Where texts and lists of variable length are damaged, HDF5 itself can break on them.
            raise BadProbe(f"{path}: array {name!r} holds {dataset.dtype}, not numbers")
        _sized(path, name, dataset.nbytes)
        claimed = excess(dataset)
        if claimed is not None:
            raise BadProbe(f"{path}: {name!r}: {claimed}", "save the array again")
        return np.asarray(dataset[()])


def _torch(path: Path, head: bytes) -> dict[str, Loader]:
    """A tensor, a list of tensors, or the tensors of a dictionary."""
    from rnndiag.probe.tensor_files import tensors

    found = tensors(path, zipped=head.startswith(_ZIP))
    return {name: partial(_tensor, path, name, item) for name, item in found.items()}


def _tensor(path: Path, name: str, item: Stored) -> Array:
    _sized(path, name, item.nbytes)
    return item.array()
