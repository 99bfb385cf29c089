"""Adding a cell is adding one file: one that is put beside the others is found everywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from rnndiag.records import Array

CELLS = Path(__file__).parents[1] / "data" / "cells"
INPUTS, UNITS, BATCH, STEPS = 3, 4, 2, 7
INSPECT = """
import sys
import rnndiag.cells
rnndiag.cells.__path__.append(sys.argv.pop(1))
from rnndiag.cli import main
main()
"""


def inspect(path: Path, *arguments: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """The only layer of the report, and the arrays; with the minimal gated unit among the cells."""
    arrays = path.with_suffix(".npz")
    command = ["inspect", str(path), "--format", "json", "--save-arrays", str(arrays)]
    done = subprocess.run(
        [sys.executable, "-c", INSPECT, str(CELLS), *command, "--device", "cpu", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (layer,) = json.loads(done.stdout)["layers"]
    with np.load(arrays) as saved:
        return layer, dict(saved)


def weights() -> tuple[Array, Array, Array]:
    """Kernel, recurrent kernel and bias in Keras's orientation."""
    rng = np.random.default_rng(1)
    shapes = ((INPUTS, 2 * UNITS), (UNITS, 2 * UNITS), (2 * UNITS,))
    kernel, recurrent, bias = (rng.standard_normal(shape, np.float32) for shape in shapes)
    return kernel, recurrent, bias


def equations(x: Array, h: Array) -> Array:
    """(B, T, H) in float64, from the paper's equations."""
    kernel, recurrent, bias = (array.astype(float) for array in weights())
    states = []
    for t in range(STEPS):
        zf, zn = np.split(x[:, t] @ kernel + bias, 2, axis=-1)
        rf, rn = np.split(recurrent, 2, axis=-1)
        f = 1 / (1 + np.exp(-(zf + h @ rf)))
        n = np.tanh(zn + (f * h) @ rn)
        h = (1 - f) * h + f * n
        states.append(h)
    return np.stack(states, axis=1)


def noise(*shape: int) -> Array:
    return np.random.default_rng(2).standard_normal(shape).astype(np.float32)


def test_a_state_dict_is_told_by_its_gates(tmp_path: Path) -> None:
    kernel, recurrent, bias = map(torch.from_numpy, weights())
    tensors = {"weight_ih_l0": kernel.T, "weight_hh_l0": recurrent.T}
    tensors |= {"bias_ih_l0": bias, "bias_hh_l0": torch.zeros_like(bias)}
    torch.save(tensors, tmp_path / "model.pt")
    x = noise(BATCH, STEPS, INPUTS)
    np.save(tmp_path / "x.npy", x)
    layer, arrays = inspect(tmp_path / "model.pt", "--probe", str(tmp_path / "x.npy"))
    assert (layer["kind"], layer["name"], layer["analysed"]) == ("MGU", "mgu", True)
    expected = equations(x, np.zeros((BATCH, UNITS)))
    np.testing.assert_allclose(arrays["mgu/forward/h"], expected, rtol=0, atol=1e-6)


def test_a_keras_layer_with_an_initial_state(tmp_path: Path) -> None:
    write_keras(tmp_path / "model.h5")
    x, first = noise(BATCH, STEPS, INPUTS), noise(BATCH, UNITS)
    np.savez(tmp_path / "probe.npz", x=x, first=first)
    layer, arrays = inspect(tmp_path / "model.h5", "--probe", str(tmp_path / "probe.npz"))
    assert (layer["kind"], layer["name"], layer["analysed"]) == ("MGU", "unit", True)
    np.testing.assert_allclose(
        arrays["unit/forward/h"], equations(x, first.astype(float)), rtol=0, atol=1e-6
    )


def write_keras(path: Path) -> None:
    """A functional model as Keras 2 writes it: MGU called on its input and a first state."""
    shapes = {"x": [None, None, INPUTS], "first": [None, UNITS]}
    layers: list[dict[str, Any]] = [
        {
            "name": name,
            "class_name": "InputLayer",
            "config": {"name": name, "batch_input_shape": shape},
            "inbound_nodes": [],
        }
        for name, shape in shapes.items()
    ]
    own = {"name": "unit", "units": UNITS, "activation": "tanh", "recurrent_activation": "sigmoid"}
    call = [["x", 0, 0, {}], ["first", 0, 0, {}]]
    layers.append({"name": "unit", "class_name": "MGU", "config": own, "inbound_nodes": [call]})
    config = {
        "name": "model",
        "layers": layers,
        "input_layers": [["x", 0, 0], ["first", 0, 0]],
        "output_layers": [["unit", 0, 0]],
    }
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Model", "config": config})
        stored = file.create_group("model_weights")
        stored.attrs["keras_version"] = "2.2.4"
        stored.attrs["layer_names"] = [b"x", b"first", b"unit"]
        for name in shapes:
            stored.create_group(name).attrs["weight_names"] = np.array([], "S1")
        group = stored.create_group("unit")
        names = [f"unit/{name}:0" for name in ("kernel", "recurrent_kernel", "bias")]
        group.attrs["weight_names"] = [name.encode() for name in names]
        for name, array in zip(names, weights(), strict=True):
            group[name] = array
