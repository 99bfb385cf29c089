"""What stands around the recurrent layers: the whole network as a list, for the rules."""

from __future__ import annotations

from collections.abc import Iterator

from rnndiag.records import Graph, LayerSpec, Surrounding


def surroundings(graph: Graph) -> tuple[Surrounding, ...]:
    """Every layer once: inputs, then the others as they are called, then those not called.

    The layers of nested models stand in their model's place, what a wrapper wraps in the
    wrapper's: its arguments say which that is.
    """
    return tuple(map(_surrounding, (*_layers(graph), *graph.beside)))


def _layers(graph: Graph) -> Iterator[LayerSpec]:
    inputs, called = (ref.layer for ref in graph.inputs), (call.layer for call in graph.calls)
    for name in dict.fromkeys((*inputs, *called, *graph.layers)):
        yield from _within(graph.layers[name])


def _within(spec: LayerSpec) -> Iterator[LayerSpec]:
    """A layer, or what it wraps; of the two directions, the forward one."""
    if spec.graph is not None:
        yield from _layers(spec.graph)
        return
    inner = spec.inner[:1] if spec.kind == "Bidirectional" else spec.inner
    for wrapped in inner:
        yield from _within(wrapped)
    if not inner:
        yield spec


def _surrounding(spec: LayerSpec) -> Surrounding:
    # How weights began tells nothing of them now, and initializers are the largest part.
    own = {k: v for k, v in spec.arguments.items() if not k.endswith("_initializer")}
    return Surrounding(name=spec.name, kind=spec.kind, arguments=own)
