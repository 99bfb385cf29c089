"""Networks of every layer and wiring, built by the Keras that is installed and saved by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from rnndiag import checkpoints, wiring
from rnndiag.layers.base import Recorder, Signal
from rnndiag.records import Array, Options
from rnndiag.running.network import Network
from tests import keras_networks, keras_operations
from tests.keras_networks import NETWORKS

NOT_IN_KERAS_3 = {
    "time_major": "an argument of tf.keras",
    **dict.fromkeys(keras_operations.TENSORFLOW, "written with TensorFlow's functions"),
    "hierarchical_masks": "Keras 3 hands the words' mask on to the sentences, which fails",
    "unrolled_bidirectional": "unrolling with a mask fails on Keras 3's torch backend",
}
NAMES = [name for name in NETWORKS if name not in NOT_IN_KERAS_3]


@pytest.fixture(scope="module", params=NAMES)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The Keras model, its file, and an input batch."""
    model = NETWORKS[request.param](keras)
    keras_networks.randomize(model)
    path = tmp_path_factory.mktemp("keras") / f"{request.param}.h5"
    model.save(path)
    return model, path, keras_networks.inputs_for(model)


def run(path: Path, inputs: list[torch.Tensor]) -> tuple[Signal, ...]:
    """The rebuilt network's outputs."""
    network = Network(wiring.wire(checkpoints.read(path), Options()), torch.device("cpu"))
    assert not network.not_analysed
    recorder = Recorder(
        generator=torch.Generator().manual_seed(0),
        batch=len(inputs[0]),
        timesteps=keras_networks.STEPS,
        device=network.device,
    )
    outputs = network.run(tuple(map(Signal, inputs)), recorder).outputs
    assert [signal.lost for signal in outputs] == [None] * len(outputs)
    assert [entry.isolated for entry in recorder.entries] == [None] * len(recorder.entries)
    return outputs


def values(signals: tuple[Signal, ...]) -> list[torch.Tensor]:
    return [signal.value for signal in signals if signal.value is not None]


def tensors(inputs: list[Array]) -> list[torch.Tensor]:
    made = [torch.from_numpy(x) for x in inputs]
    return [x.requires_grad_() if x.is_floating_point() else x for x in made]


def test_outputs_and_masks(saved: Any) -> None:
    model, path, inputs = saved
    with torch.no_grad():
        theirs = keras.tree.flatten(model(inputs if len(inputs) > 1 else inputs[0]))
    ours = run(path, [torch.from_numpy(x) for x in inputs])
    assert len(ours) == len(theirs)
    for signal, want in zip(ours, theirs, strict=True):
        assert signal.value is not None
        np.testing.assert_allclose(signal.value.detach(), want, rtol=0, atol=1e-5)
        mask = getattr(want, "_keras_mask", None)
        assert (signal.mask is None) == (mask is None)
        assert mask is None or torch.equal(signal.mask, mask.bool())


def test_gradients_of_the_inputs(saved: Any) -> None:
    """Through every layer, recurrent ones included, against Keras's own steps under autograd."""
    model, path, inputs = saved
    if not any(x.requires_grad for x in tensors(inputs)):
        pytest.skip("token ids have no gradient")
    found = []
    for outputs_of in (
        lambda x: keras.tree.flatten(model(x if len(x) > 1 else x[0])),
        lambda x: values(run(path, x)),
    ):
        leaves = tensors(inputs)
        # The faster kernels of attention are wrong for steps that see nothing.
        with sdpa_kernel(SDPBackend.MATH):
            loss = sum(y.float().square().mean() for y in outputs_of(leaves))
            found.append(torch.autograd.grad(loss, [x for x in leaves if x.requires_grad]))
    for theirs, ours in zip(*found, strict=True):
        scale = float(theirs.abs().max())
        assert scale > 0
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * scale)
