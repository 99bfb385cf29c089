"""Which of the mappings in a checkpoint is the model: they are nested in many ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from rnndiag.checkpoints._pickles.objects import StandIn, shown
from rnndiag.checkpoints._torch import candidates
from rnndiag.checkpoints._torch.candidates import Candidate
from rnndiag.checkpoints._torch.tensors import aligned, lazy_state_dict
from rnndiag.errors import UnsupportedCheckpoint
from rnndiag.records import StateDict, TorchModule

COPIED = "a further copy of the network's weights"
"""Why tensors are left out."""
_NOT_RECURRENT = "of a network without recurrent layers"
_SHOWN = 8
"""Keys that a message names."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """The tensors that are the model, and what was chosen among."""

    tensors: Mapping[str, Tensor]
    modules: Mapping[str, TorchModule] = field(default_factory=dict)
    """By their paths, where the file holds them and not only their tensors."""
    notes: tuple[str, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    """As `StateDict.unread`."""
    left_out: Mapping[int, str] = field(default_factory=dict)
    """Why other tensors are not of it, by their identity."""


def find_model(path: Path, content: Any) -> Model:
    """The model's tensors, several networks side by side under their keys.

    Where there are copies, those that were trained are taken before averaged ones.
    Raises `UnsupportedCheckpoint` where there are no tensors.
    """
    found = candidates.find(content)
    named = [candidate for candidate in found if candidate.named]
    if not named:
        raise _no_state_dict(path, content)
    recurrent = [candidate for candidate in named if candidate.recurrent]
    chosen: list[Candidate] = []
    copies = [candidate for candidate in found if not candidate.named]
    for candidate in sorted(recurrent or named, key=lambda c: c.is_copy):
        repeated = any(candidate.repeats(other) for other in chosen)
        (copies if repeated else chosen).append(candidate)
    model = chosen[0] if len(chosen) == 1 else _together(chosen)
    return Model(
        tensors=model.tensors,
        modules=model.modules,
        unread=model.unread,
        notes=_notes(chosen, copies),
        left_out=_left_out(found, chosen, copies),
    )


def _together(chosen: Sequence[Candidate]) -> Candidate:
    """Several networks as one, each under its keys."""

    def below(keys: Sequence[str], name: str) -> str:
        return ".".join(filter(None, (*keys, name)))

    return Candidate(
        keys=(),
        tensors={below(c.keys, name): t for c in chosen for name, t in c.tensors.items()},
        modules={below(c.keys, path): own for c in chosen for path, own in c.modules.items()},
        unread={below(c.keys, name): why for c in chosen for name, why in c.unread.items()},
    )


def _left_out(
    found: Iterable[Candidate], chosen: Sequence[Candidate], copies: Sequence[Candidate]
) -> dict[int, str]:
    """Why the tensors of the other candidates are not of the model, by their identity."""
    told: dict[int, str] = {}
    for other in found:
        if not any(other is one for one in chosen):
            copied = any(other is one for one in copies)
            why = COPIED if copied else _NOT_RECURRENT
            told.update(dict.fromkeys(map(id, other.tensors.values()), why))
    return told


def state_dict(model: Model) -> StateDict:
    """The model's tensors as a checkpoint's content; their numbers are read when asked for."""
    shapes = {name: tuple(tensor.shape) for name, tensor in model.tensors.items()}
    content = lazy_state_dict(shapes, lambda name: aligned(model.tensors[name]))
    return replace(content, modules=model.modules, unread=model.unread)


def _notes(chosen: Sequence[Candidate], copies: Sequence[Candidate]) -> tuple[str, ...]:
    if len(chosen) + len(copies) == 1:
        return tuple(map(_average, chosen)) if chosen[0].is_copy else ()
    used, left = (
        ", ".join(
            repr(candidate.path) if candidate.path else "the file itself" for candidate in own
        )
        for own in (chosen, copies)
    )
    return (f"weights from {used}" + (f"; left out as copies: {left}" if left else ""),)


def _average(only: Candidate) -> str:
    """Which weights they are, where the file holds no others."""
    place = f" from {only.path!r}" if only.path else ""
    what = "an average over the training" if only.averaged else "by their name a copy"
    return f"weights{place}: {what}; those that were trained are not in the file"


def _no_state_dict(path: Path, content: Any) -> UnsupportedCheckpoint:
    is_object = isinstance(content, StandIn)
    what = f"a {shown(content.name) if is_object else type(content).__name__}"
    if isinstance(content, Mapping):
        names = [shown(name) for name in content if isinstance(name, str)]
        more = ", …" if len(names) > _SHOWN else ""
        what += f" with the keys {', '.join(names[:_SHOWN])}{more}" if names else " that is empty"
    return UnsupportedCheckpoint(
        f"{path}: holds no state dict, but {what}",
        "save the weights: torch.save(model.state_dict(), 'weights.pt')",
    )
