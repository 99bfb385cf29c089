"""Probes: the batches that are run through a network, real or made up to fit its inputs.

A file's arrays (`array_files`) or made-up ones (`synthetic`) are held against what the
network takes (`inputs`) before anything runs (`fitting`).
"""

from __future__ import annotations

from rnndiag.errors import BadOption
from rnndiag.records import Graph, Options, Probe


def make(graph: Graph, options: Options) -> Probe:
    """The probe that the options ask for; made up where they name no file.

    Raises `BadProbe` where a file does not fit the network, `BadOption` where an option does
    not.
    """
    # A state dict without recurrent layers has no inputs that a file could be matched to.
    if options.probe is not None and graph.inputs:
        from rnndiag.probe.files import load

        return load(graph, options)
    if options.targets is not None and options.probe is None:
        raise BadOption(
            "--targets without --probe: a made-up probe has no targets",
            "give the input that they belong to: --probe FILE",
        )
    from rnndiag.probe.synthetic import synthesize

    return synthesize(graph, options)
