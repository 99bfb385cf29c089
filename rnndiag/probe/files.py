"""Real probes and targets from files, matched to the network's inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rnndiag.errors import BadOption, BadProbe
from rnndiag.probe.array_files import ArrayFile, open_arrays
from rnndiag.probe.fitting import check_finite, features, fitted, real_numbers
from rnndiag.probe.inputs import InputNeed, first_sequence, free_timesteps, needs_of
from rnndiag.records import Array, Graph, Options, Probe


def load(graph: Graph, options: Options) -> Probe:
    """The probe in ``options.probe`` with its targets; raises `BadProbe` or `BadOption`."""
    assert options.probe is not None
    file = open_arrays(Path(options.probe))
    needs = needs_of(graph)
    names = _matched(file, [need.name for need in needs], "x", options.probe_key)
    inputs = tuple(_input(file, *pair) for pair in zip(names, needs, strict=True))
    needs = tuple(map(_settled, needs, inputs))
    batch = _common_batch(file, names, inputs)
    first = first_sequence(needs)
    paddings = tuple(map(_padding, inputs, needs))
    padded = [array for array, p in zip(inputs, paddings, strict=True) if p is not None]
    assumed = graph.wiring != "exact"
    packed = assumed and bool(padded) and all(array.dtype.kind == "f" for array in padded)
    return Probe(
        inputs=inputs,
        source="file",
        batch=batch,
        timesteps=free_timesteps(options) if first is None else inputs[first].shape[1],
        seeds=1,
        paddings=paddings,
        packed=packed,
        targets=_targets(graph, options, batch),
        notes=tuple(_notes(paddings, packed, needs, options)),
    )


def _input(file: ArrayFile, name: str, need: InputNeed) -> Array:
    array = file.load(name)
    if file.table and need.axes is not None and len(need.axes) == 1:
        # The network wants (batch, axis): a column is a sequence of ids, else a row a sample.
        column = need.sequence and array.shape[2] == 1
        array = array[:, :, 0] if column else array.reshape(-1, array.shape[2])
    return fitted(array, need, file.label(name))


def _settled(need: InputNeed, array: Array) -> InputNeed:
    """What an input that takes any array has got."""
    if not need.free:
        return need
    ids = array.ndim == 2 and array.dtype.kind in "iu"
    return replace(need, axes=array.shape[1:], vocabulary=int(array.max()) + 1 if ids else None)


def _common_batch(file: ArrayFile, names: Sequence[str], inputs: Sequence[Array]) -> int:
    sizes = [array.shape[0] for array in inputs]
    if len(set(sizes)) > 1:
        told = ", ".join(f"{name!r} has {size}" for name, size in zip(names, sizes, strict=True))
        raise BadProbe(
            f"{file.path}: the inputs differ in their number of samples: {told}",
            "the first axis of every input is the batch",
        )
    return int(sizes[0])


# ---------------------------------------------------------------- targets


def _targets(graph: Graph, options: Options, batch: int) -> tuple[Array, ...]:
    """One array for each output of the network; none where no file is named."""
    if options.targets is None:
        return ()
    outputs = [ref.layer for ref in graph.outputs]
    if not outputs:
        raise BadOption(
            "--targets: the network's output is not known, so there is nothing to compare",
            "leave --targets and --loss out",
        )
    file = open_arrays(Path(options.targets))
    names = _matched(file, outputs, "y", options.targets_key)
    return tuple(_target(file, name, batch) for name in names)


def _target(file: ArrayFile, name: str, batch: int) -> Array:
    """One target: float32, or int64 where the file holds integers."""
    label = file.label(name)
    array = real_numbers(file.load(name), label)
    if file.table and array.shape[:2] == (1, batch):
        # Rows without blank lines between them are samples here, not timesteps.
        array = array[0]
    if array.ndim == 0 or array.shape[0] != batch:
        raise BadProbe(
            f"{label} has shape {array.shape}, but the probe has {batch} samples",
            "targets need one entry for each sample",
        )
    check_finite(array, label)
    return array.astype(np.int64) if array.dtype.kind in "iu" else features(array, label)


# ---------------------------------------------------------------- which array is which


def _matched(
    file: ArrayFile, wanted: Sequence[str], letter: str, keys: Sequence[str]
) -> Sequence[str]:
    """The array for each input (`letter` x) or output (y), by `keys` where there are any."""
    option, noun = ("--probe-key", "input") if letter == "x" else ("--targets-key", "output")
    told = f"{noun} {wanted[0]!r}" if len(wanted) == 1 else f"{noun}s {', '.join(wanted)}"
    if keys and len(keys) != len(wanted):
        raise BadOption(
            f"{option} is given {len(keys)} times, but the network has {len(wanted)} {noun}s",
            f"give it once for each, in this order: {told}",
        )
    for names in [keys] if keys else _candidates(file, wanted, letter):
        if all(name in file.loaders for name in names):
            return names
    sought = " and ".join(map(repr, keys)) if keys else f"for {told}"
    hint = f"name one for each {noun}: {' '.join(f'{option} NAME' for _ in wanted)}"
    if len(file.loaders) < len(wanted):
        arrays = ", ".join(f"{name}=…" for name in wanted)
        hint = f"put one array for each {noun} into an .npz: numpy.savez(FILE, {arrays})"
    raise BadProbe(f"{file.path}: no array {sought}; it holds {file.listing}", hint)


def _candidates(file: ArrayFile, wanted: Sequence[str], letter: str) -> Iterator[Sequence[str]]:
    """Names to look for, best first: the network's own, x0, x1, …, the only one."""
    numbered = [f"{letter}{k}" for k in range(len(wanted))]
    yield wanted
    yield numbered
    yield [letter, *numbered[1:]]
    if len(wanted) == 1:
        if letter == "y":
            yield ["targets"]
        if len(file.loaders) == 1:
            yield list(file.loaders)


# ---------------------------------------------------------------- padding


def _padding(sequence: Array, need: InputNeed) -> Array | None:
    """(B, T) bool, true at a sample's last steps where every feature is 0.

    A network that masks another value pads with that one. A sample of nothing else is taken
    as real. None where no step is padding.
    """
    if not need.sequence:
        return None
    steps = sequence.reshape(*sequence.shape[:2], -1)
    blank = (steps == steps.dtype.type(need.mask_value or 0)).all(-1)
    trailing = np.logical_and.accumulate(blank[:, ::-1], axis=1)[:, ::-1]
    trailing = trailing & ~blank.all(axis=1, keepdims=True)
    return trailing if trailing.any() else None


def _notes(
    paddings: Sequence[Array | None],
    packed: bool,
    needs: Sequence[InputNeed],
    options: Options,
) -> Iterator[str]:
    yield from _without_effect(options)
    treated = "skipped, as packed sequences are" if packed else "gradients start before it"
    for need, padding in zip(needs, paddings, strict=True):
        if padding is not None and need.mask_value is None:
            of = f" in {need.name}" if len(needs) > 1 else ""
            count = f"{int(padding.any(axis=1).sum())} of {len(padding)} samples{of}"
            yield f"zeros at the end of {count} are taken as padding: {treated}"


def _without_effect(options: Options) -> Iterator[str]:
    """What shapes a made-up probe, and was asked for beside a file."""
    if options.timesteps is not None:
        yield "--timesteps does not count: the probe file has its own length"
    names = ("batch", "seeds", "probe_kind")
    chosen = [name for name in names if getattr(options, name) != getattr(Options, name)]
    if chosen:
        told = ", ".join(f"--{name.replace('_', '-')}" for name in chosen)
        verb = "does" if len(chosen) == 1 else "do"
        yield f"{told} {verb} not count: the probe file has its own samples"
