"""The user's own network, run whole: ``--model``, and files that ``--unsafe-load`` unpickles.

Here, and nowhere else, code runs that is not rnndiag's: only because the user has asked for it.
The recurrent modules are found in the running network and followed by the same cells as those of
rebuilt ones; what stands around them is the user's own autograd graph.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from rnndiag.errors import BadOption
from rnndiag.live import importing, loading
from rnndiag.live.describing import Description, describe
from rnndiag.live.inputs import input_specs
from rnndiag.live.looking import Look, look
from rnndiag.live.network import LiveNetwork
from rnndiag.records import Call, Checkpoint, Graph, Options, Ref, StateDict


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A live network, and how it came."""

    module: nn.Module
    label: str
    """The option, for messages."""
    note: str
    unpickled: bool = False
    """Whether it holds the file's values already."""


def open_network(
    checkpoint: Checkpoint, options: Options, device: torch.device
) -> LiveNetwork | None:
    """The live network that the options ask for; None where a file holds only its weights.

    Raises `BadOption` where there is none, or it does not fit the checkpoint.
    """
    if not isinstance(checkpoint.content, StateDict):
        option = "--model" if options.model else "--unsafe-load"
        raise BadOption(
            f"{option}: {checkpoint.path} is a file of Keras's",
            "leave it out: Keras's files tell the network themselves",
        )
    source = _source(checkpoint, options)
    if source is None:
        return None
    loaded = loading.load(
        source.module, checkpoint.content, source.label, unpickled=source.unpickled
    )
    source.module.float().eval().requires_grad_(requires_grad=False).to(device)
    description = describe(loaded, checkpoint, options)
    inputs = input_specs(source.module, options, source.label)
    empty = Graph(
        layers={spec.name: spec for spec in inputs},
        calls=(),
        inputs=tuple(Ref(layer=spec.name) for spec in inputs),
        outputs=(),
    )
    seen = look(source.module, description, empty, options, source.label, device)
    notes = (f"{source.label}: {source.note}", *loaded.notes, *seen.notes)
    return LiveNetwork(
        module=source.module,
        label=source.label,
        graph=replace(_graph(empty, description, seen), notes=notes),
        device=device,
        description=description,
        layout=seen.layout,
    )


def _source(checkpoint: Checkpoint, options: Options) -> _Source | None:
    if options.model is not None:
        return _Source(
            module=loading.unwrapped(importing.build(options.model)),
            label=f"--model {options.model}",
            note="the network is the user's own, run whole",
        )
    from rnndiag.live import unpickling

    module = unpickling.network(checkpoint)
    if module is None:
        return None
    return _Source(
        module=loading.unwrapped(module),
        label="--unsafe-load",
        note="the file's pickle was run; the network is what it made",
        unpickled=True,
    )


def _graph(empty: Graph, description: Description, seen: Look) -> Graph:
    """The layers in the order of their first calls; the code alone knows who feeds whom."""
    known = description.graph.layers
    inside = {name: spec for name, spec in known.items() if spec.kind != "InputLayer"}
    return replace(
        empty,
        # An input that is called as a layer is stays the input.
        layers={**inside, **empty.layers},
        calls=tuple(Call(layer=name) for name in seen.called if name in inside),
        outputs=tuple(Ref(layer=name) for name in seen.outputs),
        beside=description.graph.beside,
    )
