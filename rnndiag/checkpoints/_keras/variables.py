"""The state of the optimizer in a ``.weights.h5`` file: numbered arrays without names.

Keras keeps the step first, Keras 3 the learning rate behind it, and then Adam's two moments of
each trainable array, in the order of the arrays. A moment is given to an array only where the
sequence of shapes leaves no choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rnndiag import dialects
from rnndiag.checkpoints._keras.training import optimizer_of
from rnndiag.checkpoints._keras.tree import Tree
from rnndiag.checkpoints._keras.updates import adam_step
from rnndiag.checkpoints._updates import Trained, update_of
from rnndiag.records import Array, KerasModel, NamedArray, TrainingFact, Writer

_GROUP = "optimizer"
_ADAM = ("Adam", "AdamW")
_RECURRENT = "/cell/"
"""In the names of a recurrent layer's arrays; only those are asked for."""
_UNSURE = "the optimizer's arrays have no names, and their shapes do not tell whose they are"


def optimizer(
    tree: Tree, model: KerasModel, training: Mapping[str, Any], writer: Writer
) -> Trained:
    """The number of steps, the learning rate, and the last update of recurrent arrays."""
    try:
        return _optimizer(tree, model, training, writer)
    except Exception as error:  # whatever odd files raise; the weights are good without it
        told = f"optimizer state not understood: {type(error).__name__}: {error}"
        return Trained(why_no_updates=told, notes=(told,))


def _optimizer(
    tree: Tree, model: KerasModel, training: Mapping[str, Any], writer: Writer
) -> Trained:
    stored = [named.array for named in tree.variables(tree.group(tree.root, _GROUP))]
    if not stored or stored[0].shape or stored[0].dtype.kind != "i":
        return Trained()
    _, config = optimizer_of(training)
    step, moments = int(stored[0]), stored[1:]
    facts = [_fact("optimizer_step", step)]
    rate = None
    if dialects.is_keras3(writer) and moments and not moments[0].shape:
        rate, moments = float(moments[0]), moments[1:]
        if "learning_rate" not in config:
            facts.append(_fact("learning_rate", rate))
    why = _unlike_adam(training)
    if why is not None:
        return Trained(facts=tuple(facts), why_no_updates=why)
    adam = adam_step(config, step, rate)
    arrays = [named for own in model.weights.values() for named in own]
    updates = {
        named.name: update_of(named.array, adam.sizes(mean, square))
        for named, mean, square in _matched(arrays, moments)
    }
    return Trained(facts=tuple(facts), updates=updates, why_no_updates=_UNSURE)


def _fact(name: str, value: float) -> TrainingFact:
    return TrainingFact(name=name, value=value, source=f"{_GROUP}/vars")


def _unlike_adam(training: Mapping[str, Any]) -> str | None:
    """Why the arrays are not those of a plain Adam."""
    outer = training.get("optimizer")
    kind, config = optimizer_of(training)
    if isinstance(outer, Mapping) and outer.get("config") is not config:
        return f"the moments of a wrapped optimizer ({outer.get('class_name')}) are not read"
    if kind not in _ADAM or "beta_1" not in config:
        return f"the moments of {kind or 'an unknown optimizer'} are not read; those of Adam are"
    if config.get("amsgrad") or config.get("use_ema"):
        return "the moments of Adam are not read where amsgrad or averages stand among them"
    return None


def _matched(
    arrays: Sequence[NamedArray], moments: Sequence[Array]
) -> Iterator[tuple[NamedArray, Array, Array]]:
    """Each recurrent array of which the running mean and the running square are certain."""
    pairs = list(zip(moments[::2], moments[1::2], strict=False))
    if len(moments) % 2 or any(mean.shape != square.shape for mean, square in pairs):
        return
    have = [named.array.shape for named in arrays]
    wanted = [mean.shape for mean, _ in pairs]
    first = _places(have, wanted)
    # Searched from the end, the same places come out where there are no others.
    last = [len(have) - 1 - place for place in _places(have[::-1], wanted[::-1])[::-1]]
    if len(first) < len(wanted):
        return
    for place, other, (mean, square) in zip(first, last, pairs, strict=True):
        # Moments of other layers may be as large as the file, and are not looked at.
        recurrent = _RECURRENT in arrays[place].name
        if place == other and recurrent and (square >= 0).all():
            yield arrays[place], mean, square


def _places(have: Sequence[tuple[int, ...]], wanted: Sequence[tuple[int, ...]]) -> list[int]:
    """Where each of `wanted` is found in `have`, at the earliest, behind those before it."""
    places: list[int] = []
    start = 0
    for shape in wanted:
        while start < len(have) and have[start] != shape:
            start += 1
        if start == len(have):
            return places
        places.append(start)
        start += 1
    return places
