"""Loading what `torch.save` wrote, with nothing in it run; and why it cannot be loaded."""

from __future__ import annotations

import pickle
import pickletools
import re
import struct
import warnings
import zipfile
from collections import deque
from pathlib import Path
from typing import Any

import torch

from rnndiag.checkpoints.base import BROKEN_ZIP, damaged
from rnndiag.errors import RnndiagError, UnsupportedCheckpoint

_FOREIGN = re.compile(r"GLOBAL (\S+) (?:was not an allowed global|whose module)")
_UNPICKLER_SAYS = re.compile(r"WeightsUnpickler error:\s*(.+)")
_LEGACY_PICKLES = 4
"""Magic number, protocol version, the writer's machine, the object."""
_SHOWN = 4
"""Classes that a message names."""


def load(path: Path, *, zipped: bool) -> Any:
    """The object in the file, on the CPU; its tensors stay in a mapped zip file until used.

    Raises `UnsupportedCheckpoint` where more than tensors and plain values would have to be
    rebuilt, and `UnreadableCheckpoint` where the file is damaged.
    """
    if zipped:
        _check_archive(path)
    try:
        with warnings.catch_warnings():
            # Of a pickle protocol that it may fail on; a failure is reported below.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as error:
        raise _refusal(path, str(error), zipped=zipped) from error
    except Exception as error:  # damaged pickles raise anything from KeyError to struct.error
        raise damaged(path, f"torch.load says {_first_line(error)}") from error


def _check_archive(path: Path) -> None:
    """Raise for TorchScript, and where a checksum is wrong, which torch.load does not see."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(member.filename.endswith("/constants.pkl") for member in members):
                raise _torchscript(path)
            for member in members:
                # torch.save writes 0 where its checksums are switched off.
                if member.CRC:
                    _read_through(archive, member)
    except BROKEN_ZIP as error:
        raise damaged(path, f"the zip archive is broken: {_first_line(error)}") from error


def _read_through(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Read a member to its end, which compares its checksum."""
    with archive.open(member) as content:
        while content.read(1 << 20):
            pass


def _torchscript(path: Path) -> UnsupportedCheckpoint:
    return UnsupportedCheckpoint(
        f"{path}: a TorchScript archive, which holds code beside the weights",
        "save the weights alone: torch.save(torch.jit.load(FILE).state_dict(), 'weights.pt')",
    )


def _refusal(path: Path, message: str, *, zipped: bool) -> RnndiagError:
    """The error for a pickle that the restricted unpickler does not take."""
    if not zipped and not _is_whole(path):
        return damaged(path, "its pickle breaks off or makes no sense")
    classes = _FOREIGN.findall(message)
    if classes and zipped:
        classes = torch.serialization.get_unsafe_globals_in_checkpoint(path) or classes
    if classes:
        # The model's own classes tell more than torch's.
        classes.sort(key=lambda name: (name.startswith("torch."), name))
        more = f" and {len(classes) - _SHOWN} more" if len(classes) > _SHOWN else ""
        return UnsupportedCheckpoint(
            f"{path}: holds Python objects, not only tensors: "
            f"{', '.join(classes[:_SHOWN])}{more}; rebuilding them would run code from the file",
            "where the model's code is at hand, save the weights alone: "
            "torch.save(model.state_dict(), 'weights.pt')",
        )
    said = _UNPICKLER_SAYS.search(message)
    reason = said.group(1) if said else message.partition("\n")[0]
    return UnsupportedCheckpoint(
        f"{path}: torch.load(weights_only=True) does not read this pickle: {reason}",
        "save the weights again with torch.save's own pickle protocol, which is 2",
    )


def _is_whole(path: Path) -> bool:
    """Whether the pickles of the older format can be followed to their ends."""
    try:
        with path.open("rb") as file:
            for _ in range(_LEGACY_PICKLES):
                deque(pickletools.genops(file), maxlen=0)
    except (ValueError, OverflowError, MemoryError, struct.error):
        return False
    return True


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
