"""Wiring: who feeds whom. One file a kind of content; a checkpoint becomes a graph."""

from __future__ import annotations

from dataclasses import replace

from rnndiag.records import Checkpoint, Graph, KerasModel, Options

_TOLD = "--nonlinearity does not count: Keras's files tell activations themselves"


def wire(checkpoint: Checkpoint, options: Options) -> Graph:
    """The network's graph: exact from a configuration, assumed or isolated without one."""
    if isinstance(checkpoint.content, KerasModel):
        from rnndiag.wiring import keras_config

        graph = keras_config.graph(checkpoint, checkpoint.content)
        if options.nonlinearity == Options.nonlinearity:
            return graph
        return replace(graph, notes=(*graph.notes, _TOLD))
    from rnndiag.wiring import state_dict

    return state_dict.graph(checkpoint, checkpoint.content, options)
