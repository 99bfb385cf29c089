"""Loading what `torch.save` wrote, with nothing in it run; and why it cannot be loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnndiag.checkpoints._pickles import commands
from rnndiag.checkpoints._pickles.budget import Budget
from rnndiag.checkpoints._pickles.objects import BrokenPickle, HugePickle, shown
from rnndiag.checkpoints._torch import legacy
from rnndiag.checkpoints._torch.rebuild import Tensors, is_inert
from rnndiag.checkpoints._torch.zip import TorchArchive
from rnndiag.checkpoints.base import damaged
from rnndiag.errors import UnsafeCheckpoint
from rnndiag.printable import first_of


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a file holds, and the classes of which it holds objects that were not made."""

    content: Any
    not_loaded: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    """All classes and functions that Python would import for the file's pickle."""

    @property
    def notes(self) -> tuple[str, ...]:
        """That they were not, and what they would have run; torch's own classes come last."""
        warning = commands.warning(self.not_loaded, self.named)
        classes = (name for name in self.not_loaded if not commands.is_command(name))
        names = sorted(classes, key=lambda name: name.startswith(("torch.", "__torch__.")))
        told = first_of(map(shown, names), commands.SHOWN)
        return (
            *([warning] if warning else []),
            *([f"the file holds objects of classes that were not loaded: {told}"] if told else []),
        )


def load(path: Path, *, zipped: bool, budget: Budget | None = None) -> Loaded:
    """What torch.save put into the file; the tensors' numbers are read when they are used.

    The `budget` is that of the whole checkpoint, where it has several files.
    Raises `UnreadableCheckpoint` where the file is damaged, and `UnsafeCheckpoint` where it
    describes far more than it has.
    """
    tensors = Tensors(Budget() if budget is None else budget)
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
