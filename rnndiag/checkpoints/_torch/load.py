"""Loading what `torch.save` wrote, with nothing in it run; and why it cannot be loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnndiag.checkpoints._pickles.objects import BrokenPickle, HugePickle, shown
from rnndiag.checkpoints._torch import legacy
from rnndiag.checkpoints._torch.rebuild import Tensors, is_inert
from rnndiag.checkpoints._torch.zip import TorchArchive
from rnndiag.checkpoints.base import damaged
from rnndiag.errors import UnsafeCheckpoint

_SHOWN = 4
"""Classes that a note names."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a file holds, and the classes of which it holds objects that were not made."""

    content: Any
    not_loaded: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    """All classes and functions that Python would import for the file's pickle."""

    @property
    def notes(self) -> tuple[str, ...]:
        """That they were not, where there are some; torch's own classes come last."""
        names = sorted(self.not_loaded, key=lambda name: name.startswith(("torch.", "__torch__.")))
        if not names:
            return ()
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        told = ", ".join(map(shown, names[:_SHOWN]))
        return (f"the file holds objects of classes that were not loaded: {told}{more}",)


def load(path: Path, *, zipped: bool) -> Loaded:
    """What torch.save put into the file; the tensors' numbers are read when they are used.

    Raises `UnreadableCheckpoint` where the file is damaged, and `UnsafeCheckpoint` where it
    describes far more than it has.
    """
    tensors = Tensors()
    with refusing(path):
        if zipped:
            content = TorchArchive(path).unpickled("data.pkl", tensors, "data")
        else:
            content = legacy.unpickled(path, tensors)
    machine = tensors.machine
    named = tuple(name for name in machine.named if not is_inert(name))
    return Loaded(content=content, not_loaded=tuple(machine.not_loaded), named=named)


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn what is wrong with a pickle into the error for its file."""
    try:
        yield
    except HugePickle as error:
        raise UnsafeCheckpoint(
            f"{path}: {error}", "it was made to exhaust the memory, or is damaged"
        ) from error
    except BrokenPickle as error:
        raise damaged(path, str(error)) from error
