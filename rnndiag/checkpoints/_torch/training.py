"""How a network was trained, from what its checkpoint holds beside the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from torch import Tensor

from rnndiag.checkpoints._torch import optimizers as known
from rnndiag.checkpoints._torch.matching import Matched, is_recurrent, match
from rnndiag.checkpoints._torch.optimizers import Optimizer, groups_of, kind_of
from rnndiag.checkpoints._torch.updates import updates
from rnndiag.checkpoints._updates import Trained
from rnndiag.records import TrainingFact

_SETTINGS = ("hyper_parameters", "hyperparameters", "hparams", "args", "config", "cfg")
_NO_FACTS = ("pytorch-lightning_version", "hparams_name")
_ALIASES = {"lr": "learning_rate", "learn_rate": "learning_rate"}
_NO_SETTINGS = (
    *("params", "param_names"),
    *("foreach", "fused", "capturable", "differentiable", "maximize"),
)
"""Of a parameter group: what it applies to, and how it is computed."""
_LONGEST = 200
"""Of texts, and of lists with all that is inside them: what is longer is no setting."""
_DEEPEST = 10
"""Of sections within sections of hyper-parameters."""
_OF_PARAMETERS = ("lr", "weight_decay")
"""Settings that are told of each recurrent parameter where groups differ in them."""

Facts = Iterator[TrainingFact]


def trained(content: Any, tensors: Mapping[str, Tensor]) -> Trained:
    """Match the optimizers of a file with the model's tensors, as far as that is certain."""
    try:
        optimizers = tuple(known.find(content))
        matched = match(optimizers, tensors)
    except Exception as error:  # whatever odd types raise; the weights are good without it
        return Trained(notes=(f"optimizer state not understood: {type(error).__name__}: {error}",))
    if not optimizers:
        return Trained()
    why = "; ".join(matched.notes) or "the optimizer's buffers do not tell its last step"
    return Trained(
        facts=parameter_facts(optimizers, matched),
        updates=updates(matched, tensors),
        why_no_updates=why,
        notes=matched.notes,
    )


def training_facts(content: Any) -> tuple[TrainingFact, ...]:
    """Progress, hyper-parameters, optimizers and schedulers, in the file's order."""
    if not isinstance(content, Mapping):
        return ()
    return tuple(fact for key, value in content.items() for fact in _facts(str(key), value))


def parameter_facts(optimizers: Sequence[Optimizer], matched: Matched) -> tuple[TrainingFact, ...]:
    """Learning rate and weight decay of each recurrent parameter, where groups differ in them.

    Where they do not, the groups' own facts say it all.
    """
    slots = [slot for optimizer in optimizers for group in optimizer.groups for slot in group[:1]]
    differing = [
        key
        for key in _OF_PARAMETERS
        if any(slot.settings.get(key) != slots[0].settings.get(key) for slot in slots)
    ]
    recurrent = filter(is_recurrent, matched.candidates)
    return tuple(
        fact
        for name in recurrent
        for key in differing
        for fact in _of_parameter(name, key, matched)
    )


def _of_parameter(name: str, key: str, matched: Matched) -> Facts:
    """One setting of one parameter, where all groups that it can be in agree."""
    slots = matched.candidates[name]
    value = slots[0].settings.get(key)
    if all(slot.settings.get(key) == value for slot in slots):
        source = " or ".join(dict.fromkeys(slot.source for slot in slots))
        for fact in _fact(key, value, source):
            yield replace(fact, parameter=name)


def _facts(key: str, value: Any) -> Facts:
    """The facts of one entry; a list of optimizers or schedulers has several."""
    if isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            if isinstance(item, Mapping):
                yield from _facts(f"{key}[{place}]", item)
    elif not isinstance(value, Mapping):
        if key not in _NO_FACTS:
            yield from _fact(key, value, "checkpoint")
    elif "param_groups" in value:
        yield from _optimizer(value, key)
    elif "sched" in key.lower():
        settings = {name: _plain(item) for name, item in value.items() if _is_told(name, item)}
        yield TrainingFact(name="lr_scheduler", value=settings, source=key)
    elif key in _SETTINGS:
        yield from _settings(value, key, (), set())


def _settings(
    settings: Mapping[Any, Any], source: str, path: tuple[str, ...], seen: set[int]
) -> Facts:
    """Hyper-parameters; those of nested sections with their path.

    `seen` has the id of each section that was told: one may hold itself, or stand in many places.
    """
    if len(path) > _DEEPEST or id(settings) in seen:
        return
    seen.add(id(settings))
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _settings(value, source, (*path, str(name)), seen)
        else:
            yield from _fact(".".join((*path, str(name))), value, source)


def _optimizer(state: Mapping[str, Any], source: str) -> Facts:
    groups = groups_of(state)
    kind = kind_of(groups[0]) if groups else None
    if kind is not None:
        yield TrainingFact(name="optimizer", value=kind, source=source)
    yield from _buffers(state.get("state"), source)
    for place, group in enumerate(groups):
        where = f"{source}.param_groups[{place}]"
        if isinstance(group.get("params"), list):
            yield TrainingFact(name="parameters", value=len(group["params"]), source=where)
        for name, value in group.items():
            if name not in _NO_SETTINGS:
                yield from _fact(name, value, where)


def _buffers(buffers: Any, source: str) -> Facts:
    """Which running averages the optimizer keeps, and how many steps it made."""
    if not isinstance(buffers, Mapping):
        return
    entries = [entry for entry in buffers.values() if isinstance(entry, Mapping)]
    names = dict.fromkeys(str(name) for entry in entries for name in entry if name != "step")
    if names:
        yield TrainingFact(name="optimizer_buffers", value=list(names), source=source)
    steps = [entry["step"] for entry in entries if isinstance(entry.get("step"), (int, Tensor))]
    if steps:
        yield TrainingFact(name="optimizer_step", value=int(max(steps)), source=source)


def _fact(name: str, value: Any, source: str) -> Facts:
    """A value as a fact, where it is plain enough to be a setting."""
    if value is not None and _is_plain(value):
        yield TrainingFact(name=_ALIASES.get(name, name), value=_plain(value), source=source)


def _is_told(name: Any, value: Any) -> bool:
    """Whether a scheduler's attribute is one of its settings."""
    return not str(name).startswith("_") and name != "verbose" and _is_plain(value)


def _is_plain(value: Any) -> bool:
    """Whether `value` is a number, a text or a short list of them."""
    # The limit also ends lists that hold themselves.
    parts = list(islice(_parts(value), _LONGEST + 1))
    return len(parts) <= _LONGEST and all(map(_is_plain_part, parts))


def _parts(value: Any) -> Iterator[Any]:
    """A value, and all that is inside it if it is a list."""
    yield value
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _parts(item)


def _is_plain_part(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.dim() == 0 and value.device.type == "cpu"
    if isinstance(value, str):
        return len(value) <= _LONGEST
    return value is None or isinstance(value, (bool, int, float, list, tuple))


def _plain(value: Any) -> Any:
    """A value that JSON can hold, for one that `_is_plain`."""
    if isinstance(value, Tensor):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
