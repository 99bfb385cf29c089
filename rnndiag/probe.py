"""Probes: the batches that are run through a network, real or made up to fit its inputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rnndiag.errors import BadProbe
from rnndiag.records import Array, Graph, LayerSpec, Options, Probe

DEFAULT_TIMESTEPS = 100


def make(graph: Graph, options: Options) -> Probe:
    """The probe that the options ask for; synthetic where they name no file."""
    if options.probe is not None:
        from rnndiag.probe_files import load

        return load(graph, options)
    return synthetic(graph, options)


def synthetic(graph: Graph, options: Options) -> Probe:
    """Standard normal features, or token ids for an embedding; a batch for each seed."""
    shapes = [tuple(graph.layers[ref.layer].config.get("batch_shape") or ()) for ref in graph.inputs]
    steps = options.timesteps or next(
        (s[1] for s in shapes if len(s) > 1 and s[1] and (len(s) > 2)), DEFAULT_TIMESTEPS
    )
    batches = []
    for seed in range(options.seeds):
        rng = np.random.default_rng(options.seed + seed)
        batches.append([_draw(rng, graph, ref.layer, steps, options) for ref in graph.inputs])
    return Probe(
        inputs=tuple(np.concatenate(parts) for parts in zip(*batches, strict=True)),
        source="synthetic",
        batch=options.batch,
        timesteps=steps,
        seeds=options.seeds,
    )


def _draw(rng: np.random.Generator, graph: Graph, name: str, steps: int, options: Options) -> Array:
    shape = graph.layers[name].config.get("batch_shape") or (None, None)
    full = (options.batch, *(size or steps for size in shape[1:]))
    embedding = next(embeddings_of(graph, name), None)
    if embedding is not None:
        low = 1 if embedding.config.get("mask_zero") else 0
        return rng.integers(low, max(low + 1, embedding.weights[0].shape[0]), full)
    return rng.standard_normal(full).astype(np.float32)


def embeddings_of(graph: Graph, source: str) -> Iterator[LayerSpec]:
    """The embedding layers that an input goes straight into, wrapped and nested ones too."""
    for call in graph.calls:
        if any(ref.layer == source for ref in call.inputs):
            yield from _embeddings_in(graph.layers[call.layer])


def _embeddings_in(spec: LayerSpec) -> Iterator[LayerSpec]:
    if spec.kind == "Embedding":
        yield spec
    for inner in spec.inner:
        yield from _embeddings_in(inner)
    if spec.graph is not None:
        for ref in spec.graph.inputs:
            yield from embeddings_of(spec.graph, ref.layer)


def check(graph: Graph, inputs: tuple[Array, ...]) -> None:
    """Raise `BadProbe` where an input does not fit the network."""
    for ref, array in zip(graph.inputs, inputs, strict=True):
        _check_one(graph, ref.layer, array)


def _check_one(graph: Graph, name: str, array: Array) -> None:
    shape = graph.layers[name].config.get("batch_shape")
    if shape is not None:
        fits = len(shape) == array.ndim and all(
            want is None or want == have for want, have in zip(shape[1:], array.shape[1:], strict=True)
        )
        if not fits:
            want = tuple("any" if size is None else size for size in shape)
            raise BadProbe(
                f"the probe for input {name!r} has shape {array.shape}, "
                f"but the network takes ({', '.join(map(str, want))})",
                "axes are batch, timesteps, features",
            )
