"""A pickled ``nn.Sequential``: the one network of a file whose order needs no assumption.

Its forward pass is torch's own, one module after the other, and so is that of a network which
is a single module. Other classes have forward passes of their own, which are code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from rnndiag.records import LayerSpec, TorchModule
from rnndiag.wiring._state_dict_chain import Unit, recurrent_unit
from rnndiag.wiring._state_dict_foreign import alteration
from rnndiag.wiring._state_dict_modules import RecurrentModule
from rnndiag.wiring._state_dict_specs import SpecMaker

_SEQUENTIAL = "torch.nn.modules.container.Sequential"
_IDLE = (
    "torch.nn.modules.linear.Identity",
    *(f"torch.nn.modules.dropout.{name}" for name in ("Dropout", "AlphaDropout")),
)
"""What does nothing in evaluation."""
_ACTIVATIONS = {"ReLU": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid", "SiLU": "silu"}
"""Those that take no arguments."""
_PER_STEP = ("Dense", "Embedding", "LayerNormalization")
"""What treats each timestep alike, wherever the axes of batch and time are."""


class _Unclear(Exception):
    """The forward pass is not torch's, or not one that is followed here."""


def layers(
    maker: SpecMaker, modules: Sequence[RecurrentModule], around: Sequence[Unit]
) -> tuple[Unit, list[LayerSpec]] | None:
    """What reads the input, and all layers in order; None where code decides on the order."""
    told = maker.told
    units = {unit.path: unit for unit in around if unit.kind in _PER_STEP}
    units |= {own.path: recurrent_unit(own) for own in modules if not (own.problem or own.is_cell)}
    try:
        paths = list(_in_order("", told))
        found = [path for path in paths if not _is_activation(told[path])]
        chain = [units[path] for path in found]
    except (_Unclear, KeyError):
        return None
    # A recurrent module gives a tuple, which nothing that could follow takes.
    recurrent = [unit.module is not None for unit in chain]
    sizes = all(later.inputs == earlier.outputs for earlier, later in pairwise(chain))
    if not chain or sum(recurrent) != 1 or not recurrent[-1] or paths[-1] != found[-1] or not sizes:
        return None
    if chain[0].inputs is None and paths[0] != found[0]:
        return None
    return chain[0], [spec for path in paths for spec in _specs(path, units, maker)]


def _in_order(path: str, told: Mapping[str, TorchModule]) -> Iterator[str]:
    """The modules that compute something, first to last; raises `_Unclear`."""
    own = told.get(path)
    if own is None or own.hooked or _is_number(own.settings.get("max_norm")):
        raise _Unclear
    if own.class_name == _SEQUENTIAL:
        prefix = f"{path}." if path else ""
        below = (name for name in told if name and name.startswith(prefix))
        for name in below:
            if "." not in name[len(prefix) :]:
                yield from _in_order(name, told)
    elif not own.class_name.startswith("torch.nn.modules."):
        raise _Unclear
    elif own.class_name not in _IDLE:
        yield path


def _is_number(value: object) -> bool:
    """Whether an embedding shortens its vectors as it looks them up."""
    return isinstance(value, (int, float))


def _specs(path: str, units: Mapping[str, Unit], maker: SpecMaker) -> Iterator[LayerSpec]:
    if path in units:
        yield from maker.unit(units[path])
        return
    name = _name_of(maker.told[path])
    yield LayerSpec(
        name=f"{path}_{name.lower()}",
        kind="Activation",
        config={"activation": _ACTIVATIONS[name]},
        writer=maker.writer,
        arguments={"class_name": name, "module": path},
    )


def _is_activation(own: TorchModule) -> bool:
    module, _, name = own.class_name.rpartition(".")
    return module == "torch.nn.modules.activation" and name in _ACTIVATIONS


def _name_of(own: TorchModule) -> str:
    return own.class_name.rpartition(".")[2]


def as_their_classes_say(
    modules: Sequence[RecurrentModule], told: Mapping[str, TorchModule]
) -> Iterator[RecurrentModule]:
    """The modules; those whose class tells of other equations cannot be rebuilt."""
    for module in modules:
        own = told.get(module.path)
        altered = alteration(_name_of(own)) if own and module.problem is None else None
        if own is None or altered is None:
            yield module
        else:
            why = f"told by its class {own.class_name}; its equations are not torch.nn's"
            yield replace(module, cell=None, layers=(), problem=why, told=altered)


def custom_classes(
    modules: Sequence[RecurrentModule], told: Mapping[str, TorchModule]
) -> Iterator[str]:
    """Notes on modules of foreign classes that hold the weights of torch.nn's."""
    for module in modules:
        own = told.get(module.path)
        if own and module.problem is None and not own.class_name.startswith(("torch.", "__")):
            kind = module.in_torch.name + ("Cell" if module.is_cell else "")
            yield f"{module.path or 'the module'}: {own.class_name} is run as nn.{kind}"
