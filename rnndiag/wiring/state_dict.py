"""A state dict as a graph: a chain where only one is possible, else each RNN on its own.

A state dict names tensors and says nothing of who feeds whom. The layers stacked in one
module are certain; what stands around modules is assumed where names, shapes and order leave
one possibility, and left out otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from rnndiag.records import Call, Checkpoint, Graph, LayerSpec, Options, Ref, StateDict
from rnndiag.wiring._state_dict_chain import NoChain, Unit, beside, find_chain
from rnndiag.wiring._state_dict_compose import composed, trained_pieces
from rnndiag.wiring._state_dict_modules import RecurrentModule, find, torch_names
from rnndiag.wiring._state_dict_specs import SpecMaker, input_spec, labels
from rnndiag.wiring._state_dict_told import kind_of, nonlinearity

_UNORDERED = ("safetensors",)
"""Formats that sort their tensors."""
_INPUT = "input"


def graph(checkpoint: Checkpoint, content: StateDict, options: Options) -> Graph:
    """The graph of a state dict; without inputs where it holds no RNN that can be run."""
    pieces = trained_pieces(content.shapes)
    told = content.modules
    content = composed(content)
    modules = find(content.shapes)
    maker = SpecMaker(
        tensors=content.tensors,
        pieces=pieces,
        labels=labels(modules, (name.rpartition(".")[0] for name in content.shapes)),
        writer=checkpoint.writer,
        nonlinearity=options.nonlinearity,
        told=told,
    )
    kinds = {path: kind_of(own) for path, own in told.items()}
    around = tuple(maker.bare(unit) for unit in beside(content.shapes, modules, kinds))
    if not modules:
        nothing = (_nothing(list(content.shapes)),)
        return replace(_isolated(maker, ()), beside=around, notes=nothing)
    try:
        ordered = checkpoint.format not in _UNORDERED
        chain = find_chain(content.shapes, modules, kinds, ordered=ordered)
        wired = _assumed(maker, chain)
    except NoChain as why:
        notes = (f"recurrent modules run on their own: {why}",)
        wired = replace(_isolated(maker, modules), beside=around, notes=notes)
    return replace(wired, notes=(*wired.notes, *_unknown_activation(maker, modules)))


def _unknown_activation(maker: SpecMaker, modules: Iterable[RecurrentModule]) -> tuple[str, ...]:
    chooses = [module for module in modules if module.in_torch.chooses_activation]
    untold = [own for own in chooses if nonlinearity(maker.told.get(own.path)) is None]
    names = [maker.labels[module.path] for module in untold]
    if not names:
        return ()
    told = f"{', '.join(names)}: a state dict does not tell whether nn.RNN has tanh or relu"
    return (f"{told}; {maker.nonlinearity} is assumed (--nonlinearity)",)


def _nothing(tensors: Sequence[str]) -> str:
    shown = ", ".join(tensors[:4]) + (", …" if len(tensors) > 4 else "")
    known = ", ".join(f"nn.{name}" for name in torch_names())
    return (
        f"none of the {len(tensors)} tensors ({shown}) is named as in {known} "
        "or their cells: weight_ih, weight_hh"
    )


def _assumed(maker: SpecMaker, chain: Sequence[Unit]) -> Graph:
    """The whole network as one line."""
    layers = [spec for unit in chain for spec in maker.unit(unit)]
    source = input_spec(_INPUT, chain[0].inputs, maker.writer)
    calls = _line(source, layers)
    row = " → ".join(maker.labels[unit.path] for unit in chain)
    return Graph(
        layers={spec.name: spec for spec in (source, *layers)},
        calls=calls,
        inputs=(Ref(layer=source.name),),
        outputs=(Ref(layer=layers[-1].name),),
        wiring="assumed",
        notes=(
            f"assumed wiring: {_INPUT} → {row}; activations and pooling between them "
            "leave no trace in a state dict",
        ),
    )


def _isolated(maker: SpecMaker, modules: Iterable[RecurrentModule]) -> Graph:
    """Each recurrent module with an input and an output of its own."""
    layers: list[LayerSpec] = []
    calls: list[Call] = []
    inputs: list[Ref] = []
    outputs: list[Ref] = []
    for module in modules:
        if module.problem:
            layers.append(maker.strange(module))
            continue
        source = input_spec(
            f"{maker.labels[module.path]}_{_INPUT}", module.input_size, maker.writer
        )
        stack = list(maker.module(module))
        layers += [source, *stack]
        calls += _line(source, stack)
        inputs.append(Ref(layer=source.name))
        outputs.append(Ref(layer=stack[-1].name))
    return Graph(
        layers={spec.name: spec for spec in layers},
        calls=tuple(calls),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        wiring="isolated",
    )


def _line(source: LayerSpec, layers: Sequence[LayerSpec]) -> tuple[Call, ...]:
    """One layer after the other."""
    return tuple(
        Call(layer=later.name, inputs=(Ref(layer=earlier.name),))
        for earlier, later in pairwise((source, *layers))
    )
