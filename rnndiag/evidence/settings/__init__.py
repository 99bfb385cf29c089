"""What is known of the training, from the file and from the user: one typed view for all rules.

A λ is what its framework calls so: Keras's penalty λ·Σw² has the gradient 2·λ·w, PyTorch's weight
decay λ·w.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from rnndiag.errors import BadOption
from rnndiag.evidence.settings import _facts, _layers, _network
from rnndiag.evidence.settings._values import optimizer_name
from rnndiag.records import LayerReport, LayerSettings, Report, Setting, Settings

if TYPE_CHECKING:
    from rnndiag.evidence.context import Context

Known = TypeVar("Known", Settings, LayerSettings)
_COUNTERS = ("steps", "epochs")
"""What a file counts up to the moment at which it was written; the run may have gone on."""
_DECAYS = tuple(f"{part}_decay" for part in _layers.MATRICES)


def gather(report: Report, context: Context | None = None) -> Settings:
    """All settings that the report's file or the user tells, each with its source.

    Where both tell and differ, the user's is taken and the conflict is said. Raises
    `rnndiag.errors.BadOption` where the context names a layer that the report does not have.
    """
    framework = report.checkpoint.framework
    facts = _facts.sort(report.training)
    stored = _network.OF_FRAMEWORK[framework](facts)
    conflicts: list[str] = []
    known = stored
    if context is not None:
        known = _merged(stored, _normalised(context.settings), "", conflicts)
    known = replace(known, steps=_network.steps(known), decoupled=_decoupled(known, stored, report))
    own = _told(report, context)
    layers = {}
    for layer in report.layers:
        if layer.id not in layers:
            layers[layer.id] = _layer(layer, known, facts, framework, own, conflicts)
    return replace(known, layers=layers, conflicts=tuple(conflicts))


def left_aside(before: Settings, now: Settings, source: str) -> Iterator[str]:
    """A sentence on each source that told things `before` that are not known any more `now`.

    `source` is the context that took the place of an earlier one.
    """
    pairs: list[tuple[str, Settings | LayerSettings, Settings | LayerSettings]]
    pairs = [("", before, now)]
    for layer, own in before.layers.items():
        pairs.append((f"{layer}: ", own, now.layers.get(layer, LayerSettings())))
    lost: dict[str, list[str]] = {}
    for where, old, new in pairs:
        for name, setting in _set(old).items():
            if _is_lost(setting, getattr(new, name), source):
                lost.setdefault(setting.source, []).append(f"{where}{name}")
    for told, names in lost.items():
        yield f"told before by {told}, and not any more: {', '.join(names)}"


def _is_lost(old: Setting[Any], new: Setting[Any] | None, source: str) -> bool:
    if new is None:
        return True
    return not _equal(old.value, new.value) and new.source not in (old.source, source)


def _normalised(settings: Settings) -> Settings:
    told = settings.optimizer
    name = optimizer_name(told.value) if told is not None else None
    if told is None or name is None:
        return settings
    return replace(settings, optimizer=replace(told, value=name))


def _decoupled(known: Settings, stored: Settings, report: Report) -> Setting[bool] | None:
    """What the file says, as long as the user names no other optimizer."""
    if stored.decoupled is not None and _same(known.optimizer, stored.optimizer):
        return stored.decoupled
    return _network.decoupled(known, report.checkpoint.framework)


def _same(one: Setting[Any] | None, other: Setting[Any] | None) -> bool:
    return one is other or (one is not None and other is not None and one.value == other.value)


# ---------------------------------------------------------------- layers


def _told(report: Report, context: Context | None) -> Mapping[str, LayerSettings]:
    """What the context says of each layer, by its id."""
    if context is None:
        return {}
    names = {name: layer.id for layer in report.layers for name in (layer.name, layer.id)}
    for name, place in context.places.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
            hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(names)}"
            raise BadOption(f"{place}: there is no recurrent layer {name!r}", hint)
    found = {}
    for layer in report.layers:
        told = context.layer
        for name in dict.fromkeys((layer.name, layer.id)):
            told = _overlaid(told, context.layers.get(name, LayerSettings()))
        found[layer.id] = told
    return found


def _overlaid(below: LayerSettings, above: LayerSettings) -> LayerSettings:
    return replace(below, **_set(above))


def _set(settings: Settings | LayerSettings) -> dict[str, Any]:
    """The settings that are known, by name."""
    found = {own.name: getattr(settings, own.name) for own in fields(settings)}
    return {name: value for name, value in found.items() if isinstance(value, Setting)}


def _layer(
    layer: LayerReport,
    network: Settings,
    facts: _facts.Facts,
    framework: str,
    told: Mapping[str, LayerSettings],
    conflicts: list[str],
) -> LayerSettings:
    known = (
        _layers.of_keras(layer, network)
        if framework == "keras"
        else _layers.of_torch(layer, network, facts)
    )
    own = told.get(layer.id, LayerSettings())
    merged = _merged(known, own, f"{layer.id}: ", conflicts)
    changed = any(not _same(getattr(merged, name), getattr(known, name)) for name in _DECAYS)
    # How the file decays weights says nothing of a decay that only the user knows of.
    return replace(merged, penalty=own.penalty) if changed else merged


# ---------------------------------------------------------------- file against context


def _merged(known: Known, told: Known, where: str, conflicts: list[str]) -> Known:
    """`known` with what the user has `told`; differences are added to `conflicts`."""
    taken: dict[str, Any] = {}
    for name, mine in _set(told).items():
        theirs = getattr(known, name)
        if theirs is not None and _equal(theirs.value, mine.value):
            continue
        if theirs is not None and theirs.source != mine.source and not _fits(name, theirs, mine):
            conflicts.append(_conflict(f"{where}{name}", theirs, mine))
        taken[name] = mine
    return replace(known, **taken)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-6)
    return bool(one == other)


def _fits(name: str, theirs: Setting[Any], mine: Setting[Any]) -> bool:
    """Whether the two may both be true: a choice left open, a counter that went on."""
    if name == "optimizer":
        return mine.value in theirs.value.split(" or ")
    return name in _COUNTERS and bool(mine.value >= theirs.value)


def _conflict(name: str, theirs: Setting[Any], mine: Setting[Any]) -> str:
    values = f"{_shown(theirs.value)} by {theirs.source}, {_shown(mine.value)} by {mine.source}"
    return f"{name} is {values}; taken: {mine.source}"


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value) if value != "" else "none"
