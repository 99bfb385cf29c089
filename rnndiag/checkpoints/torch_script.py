"""TorchScript archives, read as data: the tensors and the tree of modules, none of the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from rnndiag.checkpoints._archives import zip_members
from rnndiag.checkpoints._pickles.budget import Budget
from rnndiag.checkpoints._pickles.objects import BrokenPickle, StandIn
from rnndiag.checkpoints._torch import listing
from rnndiag.checkpoints._torch.load import refusing
from rnndiag.checkpoints._torch.modules import tree_of
from rnndiag.checkpoints._torch.rebuild import Tensors
from rnndiag.checkpoints._torch.state import find_model, state_dict
from rnndiag.checkpoints._torch.zip import TorchArchive
from rnndiag.checkpoints.base import sha256
from rnndiag.errors import UnsupportedCheckpoint
from rnndiag.records import Checkpoint, Role, StoredArray, Writer

_ZIP = b"PK\x03\x04"
_RECORDS = {"data.pkl", "constants.pkl"}
_FURTHER: Mapping[str, tuple[Role, str]] = {
    "constants": ("not_analysed", "a constant of the network's code, which has no name"),
    "traced_inputs": ("bookkeeping", "what the network was traced with"),
}
"""Pickles beside the modules', what their tensors are, and what is to be said of them."""


def recognises(path: Path, head: bytes) -> bool:
    """A zip archive with torch.jit's two pickles, each in the archive's folder."""
    is_zip = head.startswith(_ZIP)
    return is_zip and {name.rpartition("/")[2] for name in zip_members.names(path)} >= _RECORDS


def read(path: Path) -> Checkpoint:
    """The tensors by the names of their modules.

    Raises `UnsupportedCheckpoint` for a frozen archive, whose tensors have no names.
    """
    tensors = Tensors()
    with refusing(path):
        archive = TorchArchive(path)
        content = archive.unpickled("data.pkl", tensors, "data")
        if "constants/0" in archive and not _has_names(content):
            raise _frozen(path)
        model = find_model(path, content)
    return Checkpoint(
        path=path,
        format="torchscript",
        writer=Writer(framework="torch"),
        size_bytes=path.stat().st_size,
        sha256=sha256(path),
        content=state_dict(model),
        notes=("a TorchScript archive, read as data: its code was not run", *model.notes),
        stored=(*listing.stored(content, model), *_beside(archive, tensors.budget)),
    )


def _beside(archive: TorchArchive, budget: Budget) -> Iterator[StoredArray]:
    """The tensors of the archive's other pickles, which have storages of their own."""
    for name, (role, reason) in _FURTHER.items():
        if f"{name}.pkl" not in archive:
            continue
        try:
            content = archive.unpickled(f"{name}.pkl", Tensors(budget), name)
        except BrokenPickle as error:
            yield StoredArray(name=name, shape=(), role="not_analysed", reason=f"damaged: {error}")
        else:
            yield from listing.apart(content, name, role, reason)


def _has_names(content: object) -> bool:
    """Whether the modules have tensors; freezing makes nameless constants of all of them."""
    return not isinstance(content, StandIn) or bool(tree_of(content).tensors)


def _frozen(path: Path) -> UnsupportedCheckpoint:
    return UnsupportedCheckpoint(
        f"{path}: a frozen TorchScript archive, in which no tensor has a name",
        "name the archive or the checkpoint that it was frozen from",
    )
