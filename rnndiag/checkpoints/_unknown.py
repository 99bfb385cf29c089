"""What a file is that no reader takes: told by its first bytes, and without a framework."""

from __future__ import annotations

import zipfile
from pathlib import Path

from rnndiag.checkpoints import _archives
from rnndiag.checkpoints._pickles import commands
from rnndiag.checkpoints._pickles.machine import Machine
from rnndiag.checkpoints._pickles.objects import BrokenPickle, StandIn
from rnndiag.checkpoints.base import damaged
from rnndiag.errors import NoCheckpoint, UnreadableCheckpoint

_ZIP = b"PK\x03\x04"
_FIRST_NAME = slice(30, 286)
"""Where a zip file's first member has its name."""
_OLDEST_TORCH = b"L119547037146038801333356L\n"
"""How torch.save began in protocol 1, which is text."""
_STARTS = 64 << 10
"""Where the map of an index of shards begins at the latest."""
_PLAIN_PICKLES = (b"(dp", b"(lp", b"ccollections\n", b"cnumpy", b"ctorch")
"""How pickles of protocol 0 begin: dictionaries, lists, and objects of these modules."""
_NEWEST_PROTOCOL = 5
_LONGEST_PICKLE = 64 << 20
"""Bytes: larger ones are not followed to see what they would run."""


def is_text(path: Path, head: bytes) -> bool:
    """Whether a file is text, and no index of shards either: no reader takes it."""
    if not path.is_file() or head.startswith(_OLDEST_TORCH):
        return False
    # Whatever is no UTF-8 is left to the readers, and so is a head that ends within a character.
    text = head.decode("utf-8", "replace")
    if not all(own.isprintable() or own.isspace() for own in text) or "\ufffd" in text[:-1]:
        return False
    return not (head.lstrip().startswith(b"{") and is_index(path))


def is_index(path: Path) -> bool:
    """Whether a JSON file may be the index of shards."""
    if path.name.endswith(".weights.json"):
        return True
    with path.open("rb") as file:
        return b'"weight_map"' in file.read(_STARTS)


def refusal(path: Path, head: bytes) -> UnreadableCheckpoint:
    """Why it is no checkpoint, and what to try."""
    if head.startswith(_ZIP) and not zipfile.is_zipfile(path):
        keras = any(name in head[_FIRST_NAME] for name in (b"metadata.json", b"config.json"))
        return damaged(path, f"{'a .keras' if keras else 'a zip'} archive that breaks off")
    if _is_pickle(head):
        return _plain_pickle(path)
    return NoCheckpoint(
        f"{path}: not a checkpoint: the content is neither HDF5, nor a .keras archive, nor a "
        "PyTorch file, nor safetensors",
        _archives.hint(path)
        or "rnndiag looks at the content, not at the name; "
        "was the file saved with model.save() or torch.save()?",
    )


def _is_pickle(head: bytes) -> bool:
    binary = head[:1] == b"\x80" and head[1:2] <= bytes([_NEWEST_PROTOCOL])
    return binary or head.startswith(_PLAIN_PICKLES)


def _plain_pickle(path: Path) -> UnreadableCheckpoint:
    warning = _would_run(path)
    told = f": {warning}" if warning else ", which pickle.dump wrote and not torch.save"
    return UnreadableCheckpoint(
        f"{path}: not a checkpoint, but a plain pickle{told}",
        "do not load it, unless you know why it does that"
        if warning
        else "where you trust it, load it and save it again: torch.save(state_dict, 'weights.pt'); "
        "arrays of NumPy become tensors by torch.from_numpy",
    )


def _would_run(path: Path) -> str | None:
    """What loading it would run, as far as the pickle can be followed."""
    if path.stat().st_size > _LONGEST_PICKLE:
        return None
    machine = Machine({}, lambda told: StandIn("persistent", (told,)))
    try:
        with path.open("rb") as file:
            machine.run(file)
    except BrokenPickle:
        # What was followed before counts: Python, too, runs what stands before an error.
        pass
    return commands.warning(tuple(machine.not_loaded), tuple(machine.named))
