"""The last step of a Keras optimizer, from the moments in a legacy HDF5 file.

Moments are given to arrays by name: tf.keras and Keras 3 name them after the array. Keras 2's
``Variable_3`` tells nothing, so nothing is said of such files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import h5py

from rnndiag.checkpoints._hdf5 import BROKEN_HDF5, array, child, opened, strings
from rnndiag.checkpoints._keras.training import optimizer_of
from rnndiag.checkpoints._updates import AdamStep, LazyUpdates, Trained, update_of
from rnndiag.checkpoints.base import damaged
from rnndiag.records import NamedArray, ParameterUpdate, TrainingFact

_GROUP = "optimizer_weights"
_ADAM = ("Adam", "AdamW")
_STEP = re.compile(r"(.*/)?(iter|iteration|iterations)(:0)?")
_RATE = re.compile(r"(.*/)?learning_rate(:0)?")
_MEAN, _SQUARE, _LARGEST = "mean", "square", "largest"
_ROLES = {
    **{"m": _MEAN, "momentum": _MEAN},
    **{"v": _SQUARE, "velocity": _SQUARE},
    **{"vhat": _LARGEST, "velocity_hat": _LARGEST},
}
"""What the writers call the moments of Adam."""
_NAMES = (
    re.compile(r"\w+/(?P<role>m|v|vhat)/(?P<of>.+)"),
    re.compile(r"(training(_\d+)?/)?\w+?/(?P<of>.+)/(?P<role>m|v|vhat)"),
    re.compile(r"\w+/(?P<of>[^/]+?)_(?P<role>momentum|velocity_hat|velocity)"),
)
"""``Adam/m/lstm/kernel`` (tf.keras 2.11 on), ``training/Adam/lstm/kernel/m`` (before), and
``adam/lstm_kernel_momentum`` (Keras 3, which writes the array's slashes as underscores)."""

Moments = Mapping[str, str]
"""The name of each moment's dataset, by its role."""


def read(
    path: Path, file: h5py.File, arrays: Iterable[NamedArray], training: Mapping[str, Any]
) -> Trained:
    """What the optimizer's state tells of each array, and how many steps were made."""
    if _GROUP not in file:
        return Trained()
    try:
        return _read(path, child(file, _GROUP), arrays, training)
    except Exception as error:  # whatever odd files raise; the weights are good without it
        told = f"optimizer state not understood: {type(error).__name__}: {error}"
        return Trained(why_no_updates=told, notes=(told,))


def _read(
    path: Path, group: h5py.Group, arrays: Iterable[NamedArray], training: Mapping[str, Any]
) -> Trained:
    names = strings(group, "weight_names")
    step = _number(group, names, _STEP, path)
    if step is None:
        return Trained(why_no_updates="the optimizer state in the file tells of no steps")
    fact = TrainingFact(name="optimizer_step", value=int(step), source=_GROUP)
    kind, config = optimizer_of(training)
    if kind not in _ADAM:
        why = f"the moments of {kind or 'an unknown optimizer'} are not read; those of Adam are"
        return Trained(facts=(fact,), why_no_updates=why)
    adam = adam_step(config, int(step), _number(group, names, _RATE, path))
    amsgrad = bool(config.get("amsgrad"))
    compute = {
        named.name: partial(_update, path, adam, named, moments, amsgrad=amsgrad)
        for named, moments in _matched(group, names, arrays)
    }
    why = "the names in the optimizer state do not tell which array is meant"
    return Trained(facts=(fact,), updates=LazyUpdates(compute), why_no_updates=why)


def _number(
    group: h5py.Group, names: Iterable[str], pattern: re.Pattern[str], path: Path
) -> float | None:
    """The one number that has a name like `pattern`."""
    found = [name for name in names if pattern.fullmatch(name)]
    return float(array(child(group, found[0]), path)) if len(found) == 1 else None


def adam_step(config: Mapping[str, Any], step: int, stored: float | None) -> AdamStep:
    """Adam as its configuration has it; `stored` is the learning rate of the last step."""
    rate = config.get("learning_rate", config.get("lr")) if stored is None else stored
    # A schedule's value, a decayed rate and accumulated gradients cannot be told from numbers.
    known = isinstance(rate, (int, float)) and not (
        config.get("decay") or config.get("gradient_accumulation_steps")
    )
    beta1, beta2 = float(config["beta_1"]), float(config["beta_2"])
    epsilon = float(config.get("epsilon") or 1e-7)
    # Keras adds ε to √v where others add it to √v̂.
    corrected = epsilon / (1 - beta2**step) ** 0.5 if step else epsilon
    return AdamStep(
        learning_rate=float(rate) if known else None,
        beta1=beta1,
        beta2=beta2,
        epsilon=corrected,
        step=step,
    )


def _matched(
    group: h5py.Group, names: Iterable[str], arrays: Iterable[NamedArray]
) -> Iterator[tuple[NamedArray, Moments]]:
    """The arrays whose moments are certain: by a name that is one array's alone, and by shape."""
    moments: dict[str, dict[str, str]] = {}
    for name in names:
        found = (pattern.fullmatch(name.removesuffix(":0")) for pattern in _NAMES)
        parts = next((match for match in found if match), None)
        if parts:
            moments.setdefault(_flat(parts["of"]), {})[_ROLES[parts["role"]]] = name
    stored = list(arrays)
    count = Counter(_flat(named.name) for named in stored)
    for named in stored:
        own = moments.get(_flat(named.name), {})
        shapes = {child(group, name).shape for name in own.values()}
        if own and count[_flat(named.name)] == 1 and shapes == {named.array.shape}:
            yield named, own


def _flat(name: str) -> str:
    return name.removesuffix(":0").replace("/", "_")


def _update(
    path: Path, adam: AdamStep, named: NamedArray, moments: Moments, *, amsgrad: bool
) -> ParameterUpdate:
    try:
        with opened(path) as file:
            group = child(file, _GROUP)
            read = {role: array(child(group, name), path) for role, name in moments.items()}
    except BROKEN_HDF5 as error:
        raise damaged(path, f"HDF5 says {error}") from error
    mean, square = read.get(_MEAN), read.get(_LARGEST if amsgrad else _SQUARE)
    if mean is None or square is None:
        return update_of(named.array, (None, None))
    return update_of(named.array, adam.sizes(mean, square))
