"""Made-up probes: random batches that fit the network's inputs, one for each seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rnndiag import memory
from rnndiag.errors import BadOption, BadProbe
from rnndiag.probe.inputs import InputNeed, first_sequence, free_timesteps, needs_of
from rnndiag.records import Array, Graph, Options, Probe

_SIZE_OF_OTHER_AXES = 8
"""Where neither the network nor an option gives a size: a word's characters, an image's rows."""
_BYTES_A_NUMBER = 20
"""While a probe is made: drawn in float64, kept in float32, and put together from the seeds'."""
_HINT = "choose smaller --timesteps, --batch or --seeds, or allow more: --max-memory SIZE"


def synthesize(graph: Graph, options: Options) -> Probe:
    """A batch for each seed: features of the kind asked for, token ids for an embedding.

    Raises `BadOption` where the options do not fit the network, `BadProbe` where it does not
    tell what it takes.
    """
    needs = needs_of(graph)
    _check_kind(needs, options)
    _check_timesteps(needs, options)
    shapes = [_shape(need, options) for need in needs]
    _check_size(shapes, options)
    batches = []
    for seed in range(options.seeds):
        rng = np.random.default_rng(options.seed + seed)
        pairs = zip(needs, shapes, strict=True)
        batches.append([_draw(rng, need, shape, options) for need, shape in pairs])
    first = first_sequence(needs)
    return Probe(
        inputs=tuple(np.concatenate(parts) for parts in zip(*batches, strict=True)),
        source="synthetic",
        batch=options.batch,
        timesteps=free_timesteps(options) if first is None else shapes[first][1],
        seeds=options.seeds,
    )


def _shape(need: InputNeed, options: Options) -> tuple[int, ...]:
    """The shape of one seed's batch."""
    axes = need.axes
    if axes is None or (need.vocabulary is None and axes and axes[-1] is None):
        raise BadProbe(
            f"the checkpoint does not tell the shape of input {need.name!r}",
            "give real input: --probe FILE",
        )
    if need.sequence and axes:
        others = (size or _SIZE_OF_OTHER_AXES for size in axes[1:])
        return (options.batch, axes[0] or free_timesteps(options), *others)
    return (options.batch, *(size or _SIZE_OF_OTHER_AXES for size in axes))


def _draw(
    rng: np.random.Generator, need: InputNeed, shape: tuple[int, ...], options: Options
) -> Array:
    if need.vocabulary is not None:
        # Id 0 would be no timestep at all to an embedding that masks it.
        low = 1 if need.mask_value is not None and need.vocabulary > 1 else 0
        return rng.integers(low, need.vocabulary, shape)
    if options.probe_kind == "uniform":
        return rng.random(shape, dtype=np.float32)
    if options.probe_kind == "onehot":
        return np.eye(shape[-1], dtype=np.float32)[rng.integers(shape[-1], size=shape[:-1])]
    return rng.standard_normal(shape).astype(np.float32)


# ---------------------------------------------------------------- options that make no sense


def _check_kind(needs: Sequence[InputNeed], options: Options) -> None:
    """Ids go to embeddings and nowhere else, so that not every kind fits every network."""
    kind = options.probe_kind
    takes_ids = [need.vocabulary is not None for need in needs]
    if kind == "ids" and not any(takes_ids):
        raise BadOption(
            "--probe-kind ids: no input of the network goes into an embedding",
            "use --probe-kind onehot for one-hot features",
        )
    if kind not in ("auto", "ids") and all(takes_ids):
        raise BadOption(
            f"--probe-kind {kind}: the network takes only token ids", "use --probe-kind ids"
        )


def _check_timesteps(needs: Sequence[InputNeed], options: Options) -> None:
    steps = [need.fixed_steps for need in needs if need.sequence]
    if options.timesteps is None or None in steps or not steps or options.timesteps == steps[0]:
        return
    fixed = next(need for need in needs if need.sequence)
    raise BadOption(
        f"--timesteps {options.timesteps}: input {fixed.name!r} takes {fixed.wanted}, "
        f"so always {fixed.fixed_steps} timesteps",
        "leave --timesteps out",
    )


def _check_size(shapes: Sequence[tuple[int, ...]], options: Options) -> None:
    """Refuse a probe that no machine holds, before it is made."""
    for shape in shapes:
        needed = _BYTES_A_NUMBER * options.seeds * math.prod(shape)
        memory.take(needed, f"a made-up probe of {options.seeds} x {shape}", _HINT)
