"""``--save-arrays``: states, gates and gradients of a run as one .npz file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rnndiag.errors import BadOption
from rnndiag.files import replacing
from rnndiag.records import Array, LayerArrays, ProbeRun
from rnndiag.wording import address


def save(run: ProbeRun, path: Path) -> None:
    """Write every array of `run`; the file appears whole or not at all.

    Raises `BadOption` for a device or a pipe: an archive is not written from front to back.
    """
    if path.exists() and not path.is_file():
        raise BadOption(f"{path}: not a regular file, so no archive fits in", "name a new file")
    with replacing(path) as temporary, temporary.open("wb") as file:
        # numpy's types take every keyword for its option allow_pickle, which older ones lack.
        np.savez_compressed(file, **collect(run))  # type: ignore[arg-type]


def collect(run: ProbeRun) -> dict[str, Array]:
    """``NAME/forward/h`` and its companions, each (B, T, …) in processing order.

    ``h`` and ``c`` are what the cell computed at each step, before a mask discards it;
    ``dL_dh`` and ``dL_dc`` are autograd's totals of the chosen cotangent, 0 at masked steps;
    ``gamma`` is dL_dc without the path c_t → h_t of the same step, as the profile takes it.
    """
    arrays: dict[str, Array] = {}
    for layer in run.layers:
        place = address(layer.id, layer.call, layer.direction)
        assert layer.arrays is not None
        own = _of_layer(layer.arrays, layer.mask)
        arrays.update({f"{place}/{key}": value for key, value in own.items()})
    if len(run.outputs) == 1:
        arrays["output"] = run.outputs[0]
    else:
        arrays.update({f"output_{k}": value for k, value in enumerate(run.outputs)})
    return arrays


def _of_layer(layer: LayerArrays, mask: Array) -> dict[str, Array]:
    gates = np.concatenate(list(layer.gate_values.values()), axis=-1)
    arrays = {"h": layer.h, "gates": gates, "dL_dh": layer.dL_dh, "mask": mask}
    if layer.c is not None:
        arrays["c"] = layer.c
    if layer.dL_dc is not None:
        arrays["dL_dc"] = layer.dL_dc
    if layer.gamma is not None:
        arrays["gamma"] = layer.gamma
    return arrays
