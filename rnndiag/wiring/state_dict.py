"""A state dict as a graph: a chain where only one is possible, else each RNN on its own.

A state dict names tensors and says nothing of who feeds whom. The layers stacked in one
module are certain; what stands around modules is assumed where names, shapes and order leave
one possibility, and left out otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from rnndiag.records import Call, Checkpoint, Graph, LayerSpec, Options, Ref, Shape, StateDict
from rnndiag.wiring import _state_dict_compose as compose
from rnndiag.wiring import _state_dict_sequence as sequence
from rnndiag.wiring._state_dict_chain import NoChain, Unit, beside, find_chain
from rnndiag.wiring._state_dict_modules import RecurrentModule, find, torch_names
from rnndiag.wiring._state_dict_specs import SpecMaker, input_spec, labels
from rnndiag.wiring._state_dict_told import kind_of, nonlinearity

_UNORDERED = ("safetensors", "safetensors-sharded", "torch-distributed")
"""Formats that sort their tensors."""
_TRACED = ("torchscript",)
"""Formats whose modules keep the names of their classes, but have code of their own."""
_INPUT = "input"
_TOLD = "--nonlinearity does not count: the file has no nn.RNN whose activation is untold"
_MOST_LAYERS = 256
"""Recurrent layers that are run, of all modules together: each takes its time."""


def graph(checkpoint: Checkpoint, content: StateDict, options: Options) -> Graph:
    """The graph of a state dict; without inputs where it holds no RNN that can be run."""
    pieces = compose.trained_pieces(content.shapes)
    put_together = tuple(compose.notes(content.shapes))
    told, unread = content.modules, content.unread
    content = compose.composed(content)
    named = sequence.as_their_classes_say(find(content.shapes, unread), told)
    modules = tuple(_no_more_than_are_run(named))
    maker = SpecMaker(
        tensors=content.tensors,
        pieces=pieces,
        labels=labels(modules, (name.rpartition(".")[0] for name in content.shapes)),
        writer=checkpoint.writer,
        nonlinearity=options.nonlinearity,
        told=told,
    )
    wired = _wired(maker, modules, content.shapes, checkpoint.format)
    if not modules:
        return wired
    said = sequence.custom_classes(modules, told)
    further = (*put_together, *said, *_unknown_activation(maker, modules))
    return replace(wired, notes=(*wired.notes, *further))


def _no_more_than_are_run(modules: Iterable[RecurrentModule]) -> Iterator[RecurrentModule]:
    """The modules; those that come too late to be run are named with that as their problem."""
    left = _MOST_LAYERS
    for module in modules:
        left -= len(module.layers)
        why = f"no more than {_MOST_LAYERS} recurrent layers of a file are run"
        yield module if left >= 0 or module.problem else replace(module, layers=(), problem=why)


def _wired(
    maker: SpecMaker,
    modules: Sequence[RecurrentModule],
    shapes: Mapping[str, Shape],
    written_as: str,
) -> Graph:
    """The best that is known of the order: exact, assumed, or that there is none."""
    kinds = {path: kind_of(own) for path, own in maker.told.items()}
    units = beside(shapes, modules, kinds)
    around = tuple(map(maker.bare, units))
    if not modules:
        return replace(_isolated(maker, ()), beside=around, notes=(_nothing(list(shapes)),))
    whole = None if written_as in _TRACED else sequence.layers(maker, modules, units)
    if whole is not None:
        return _in_line(maker, *whole)
    try:
        return _assumed(
            maker, find_chain(shapes, modules, kinds, ordered=written_as not in _UNORDERED)
        )
    except NoChain as why:
        alone = any(module.problem is None for module in modules)
        notes = (f"recurrent modules run on their own: {why}",) if alone else ()
        return replace(_isolated(maker, modules), beside=around, notes=notes)


def _unknown_activation(maker: SpecMaker, modules: Iterable[RecurrentModule]) -> tuple[str, ...]:
    chooses = [module for module in modules if module.in_torch.chooses_activation]
    untold = [own for own in chooses if nonlinearity(maker.told.get(own.path)) is None]
    names = [maker.labels[module.path] for module in untold]
    if not names:
        ignored = maker.nonlinearity != Options.nonlinearity
        return (_TOLD,) if ignored else ()
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
    row = " → ".join(maker.labels[unit.path] for unit in chain)
    code, nothing = "stand in its forward, which is code", "leave no trace in a state dict"
    where = code if maker.told else nothing
    told = f"assumed wiring: {_INPUT} → {row}; activations and pooling between them {where}"
    layers = [spec for unit in chain for spec in maker.unit(unit)]
    return replace(_in_line(maker, chain[0], layers), wiring="assumed", notes=(told,))


def _in_line(maker: SpecMaker, first: Unit, layers: Sequence[LayerSpec]) -> Graph:
    """The layers in this order, of which `first` is the first one with weights."""
    source = input_spec(_INPUT, first.inputs, maker.writer)
    return Graph(
        layers={spec.name: spec for spec in (source, *layers)},
        calls=_line(source, layers),
        inputs=(Ref(layer=source.name),),
        outputs=(Ref(layer=layers[-1].name),),
        wiring="exact",
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
