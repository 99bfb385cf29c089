"""What unpickling a file of torch.save would run; and doing it, which only a user may ask for."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch

from rnndiag.checkpoints import _archives, torch_file
from rnndiag.checkpoints._pickles.objects import shown
from rnndiag.checkpoints._torch.load import load as load_as_data
from rnndiag.errors import BadOption

_HEAD_BYTES = 512


def names(path: Path) -> tuple[str, ...]:
    """The classes and functions that unpickling imports, without those that only hold tensors.

    rnndiag's own reader follows the files before torch 1.6, too, which
    `torch.serialization.get_unsafe_globals_in_checkpoint` does not; of newer ones the names of
    both are told. Raises `BadOption` for other files.
    """
    place = _archives.place(path)
    with place.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not torch_file.recognises(place, head):
        hint = "leave it out: other formats hold no code that could be run"
        raise BadOption(f"--unsafe-load: {path} is no pickle of torch.save's", hint)
    zipped = zipfile.is_zipfile(place)
    found = set(load_as_data(place, zipped=zipped).named)
    if zipped:
        found |= set(torch.serialization.get_unsafe_globals_in_checkpoint(place))
    return tuple(sorted(map(shown, found)))


def load(path: Path) -> Any:
    """What the file holds, made by its own pickle: this runs whatever code that names."""
    return torch.load(_archives.place(path), map_location="cpu", weights_only=False)
