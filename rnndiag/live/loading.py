"""A checkpoint's tensors into the user's own network: all of them, or one error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rnndiag.errors import BadOption
from rnndiag.live.calling import users_code
from rnndiag.printable import first_of
from rnndiag.records import StateDict

_WRAPPERS = re.compile(r"(^|(?<=\.))(module|_orig_mod)\.")
"""What DataParallel and torch.compile put into the names."""
_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A network with the checkpoint's weights."""

    module: nn.Module
    in_file: Mapping[str, str]
    """What the file calls each of the tensors, by the network's own names."""
    notes: tuple[str, ...] = ()


def unwrapped(module: nn.Module) -> nn.Module:
    """The network inside DataParallel and torch.compile, which run it otherwise."""
    for name in ("module", "_orig_mod"):
        wrappers = ("DataParallel", "DistributedDataParallel", "OptimizedModule")
        if type(module).__name__ in wrappers and name in module._modules:
            inner = module._modules[name]
            assert inner is not None
            return unwrapped(inner)
    return module


def load(module: nn.Module, content: StateDict, label: str, *, unpickled: bool = False) -> Loaded:
    """Load strictly, prefixes of wrappers apart; what is `unpickled` has the file's values already.

    Raises `BadOption` with what is missing, what is left over and what has another shape, and
    for parameters that are no real numbers: they are not read, and the factory's are made up.
    """
    own = {name: tensor for name, tensor in module.state_dict().items() if _is_weight(tensor)}
    in_file = _names(list(content.shapes), own)
    problems = list(_problems(own, in_file, content))
    unread = [] if unpickled else _not_real(dict(module.named_parameters()))
    if unread:
        told = first_of(unread, _SHOWN)
        what = f"{label}: parameters that are no real numbers are not loaded: {told}"
        raise BadOption(what, "leave it out, to have the recurrent layers measured by themselves")
    if problems:
        hint = "is it the factory of this checkpoint, with the same sizes?"
        raise BadOption(f"{label}: does not fit the file: {'; '.join(problems)}", hint)
    arrays = {
        name: torch.from_numpy(content.tensors[stored].copy())
        for name, stored in in_file.items()
        if name in own
    }
    with users_code(f"{label}: loading the weights"):
        module.load_state_dict(arrays, strict=False)
    notes = () if unpickled else tuple(_notes(module, in_file))
    return Loaded(module=module, in_file=in_file, notes=notes)


def _is_weight(tensor: object) -> bool:
    """As the readers have it: whole numbers are counters and positions, not weights."""
    return isinstance(tensor, Tensor) and tensor.is_floating_point()


def _not_real(tensors: Mapping[str, object]) -> list[str]:
    """Those that are no floating-point numbers, each with what it holds."""
    return [
        f"{name} ({str(tensor.dtype).removeprefix('torch.')})"
        for name, tensor in tensors.items()
        if isinstance(tensor, Tensor) and not tensor.is_floating_point()
    ]


def _names(stored: Sequence[str], own: Mapping[str, Tensor]) -> dict[str, str]:
    """The file's names by the network's: as they are, without wrappers, without a common head."""
    plain = {name: name for name in stored}
    bare = {_WRAPPERS.sub("", name): name for name in stored}
    # Trainers hold the network as an attribute: ``model.`` or ``net.`` stands before all names.
    heads = {name.partition(".")[0] for name in bare}
    inner = {name.partition(".")[2]: full for name, full in bare.items()} if len(heads) == 1 else {}
    if own.keys() <= plain.keys() or len(bare) < len(plain):
        return plain
    if not own.keys() <= bare.keys() and own.keys() <= inner.keys():
        return inner
    return bare


def _problems(
    own: Mapping[str, Tensor], in_file: Mapping[str, str], content: StateDict
) -> Iterator[str]:
    # safetensors keeps one of several names that share their numbers.
    there = {own[name].data_ptr() for name in own.keys() & in_file.keys()}
    missing = [n for n in own if n not in in_file and own[n].data_ptr() not in there]
    unexpected = [stored for name, stored in in_file.items() if name not in own]
    if missing:
        yield f"missing in the file: {first_of(missing, _SHOWN)}"
    if unexpected:
        yield f"not in the network: {first_of(unexpected, _SHOWN)}"
    both = [(name, content.shapes[in_file[name]]) for name in own if name in in_file]
    unlike = [
        f"{name} {shape} in the file, {tuple(own[name].shape)} in the network"
        for name, shape in both
        if tuple(own[name].shape) != shape
    ]
    if unlike:
        yield f"of other shapes: {first_of(unlike, _SHOWN)}"


def _notes(module: nn.Module, in_file: Mapping[str, str]) -> Iterator[str]:
    kept = _not_real(
        {
            name: tensor
            for name, tensor in module.state_dict().items()
            # Batch norm counts batches, and uses the count in training alone.
            if name not in in_file and not name.endswith("num_batches_tracked")
        }
    )
    if kept:
        what = "buffers that are no real numbers are the factory's own, not the file's"
        yield f"{what}: {first_of(kept, _SHOWN)}"
