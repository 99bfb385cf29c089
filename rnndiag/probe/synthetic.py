"""Made-up probes: random batches that fit the network's inputs, one for each seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnndiag.errors import BadOption, BadProbe
from rnndiag.probe.inputs import InputNeed, first_sequence, free_timesteps, needs_of
from rnndiag.records import Array, Graph, LayerSpec, Options, Probe

_SIZE_OF_OTHER_AXES = 8
"""Where neither the network nor an option gives a size: a word's characters, an image's rows."""
_LARGEST_BYTES = 4 << 30
"""Of one array that a run keeps; a run keeps about ten of them."""


def synthesize(graph: Graph, options: Options) -> Probe:
    """A batch for each seed: features of the kind asked for, token ids for an embedding.

    Raises `BadOption` where the options do not fit the network, `BadProbe` where it does not
    tell what it takes.
    """
    needs = needs_of(graph)
    _check_kind(needs, options)
    _check_timesteps(needs, options)
    shapes = [_shape(need, options) for need in needs]
    _check_size(graph, shapes, options)
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


def _check_size(graph: Graph, shapes: Sequence[tuple[int, ...]], options: Options) -> None:
    """Refuse a run that no machine holds, before it is begun."""
    widest = max((size for spec in graph.layers.values() for size in _widths(spec)), default=1)
    for shape in shapes:
        steps = shape[1] if len(shape) > 1 else 1
        size = 4 * options.seeds * max(int(np.prod(shape, dtype=float)), shape[0] * steps * widest)
        if size > _LARGEST_BYTES:
            raise BadOption(
                f"a made-up probe of {options.seeds} x {shape} needs arrays of "
                f"{size / 2**30:.0f} GiB",
                "choose smaller --timesteps, --batch or --seeds",
            )


def _widths(spec: LayerSpec) -> list[int]:
    """Gates times units of the recurrent layers within."""
    inner = [*spec.inner, *(spec.graph.layers.values() if spec.graph is not None else ())]
    # Only a recurrent layer has a second matrix, for its state.
    matrices = [array for array in spec.weights if array.ndim == 2]
    own = [max(array.shape) for array in matrices] if len(matrices) > 1 else []
    return own + [size for part in inner for size in _widths(part)]
