"""Weights that torch's parametrizations store in pieces, against torch's own output."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations as own
from torch.nn.utils import parametrize

from rnndiag.pipeline import Diagnosis
from rnndiag.snippets import _torch_blocks

Inspect = Callable[..., Diagnosis]
INPUTS, UNITS, BATCH, STEPS = 5, 6, 3, 9
SPECTRAL = "divided by its spectral norm, as the stored vectors tell it"


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(1)


def lstm() -> nn.LSTM:
    return nn.LSTM(INPUTS, UNITS, batch_first=True)


def assert_same(inspect: Inspect, module: nn.Module, *notes: str) -> None:
    """What is made of the state dict does what the module does; and the notes say how."""
    x = torch.randn(BATCH, STEPS, INPUTS, generator=torch.Generator().manual_seed(2))
    module.eval()
    done = inspect(module.state_dict(), x)
    np.testing.assert_allclose(
        done.run.outputs[0], module(x)[0].detach().numpy(), rtol=0, atol=1e-6
    )
    found = [note for note in done.report.notes if note.startswith("weight_")]
    assert found == list(notes)


def test_weight_norm_says_what_it_put_together(inspect: Inspect) -> None:
    module = lstm()
    for name in ("weight_hh_l0", "weight_ih_l0"):
        own.weight_norm(module, name)
        with torch.no_grad():
            module.parametrizations[name].original0.mul_(1.7)
    how = "recomposed from weight norm's length and direction"
    assert_same(inspect, module, f"weight_hh_l0, weight_ih_l0: {how}")


def weight_drop() -> type[nn.Module]:
    """The class that rnndiag's advice gives to users."""
    names = {"nn": nn, "torch": torch}
    exec(_torch_blocks.WEIGHT_DROP, names)
    return names["WeightDrop"]  # type: ignore[return-value]


def test_weight_drop_as_the_advice_writes_it(inspect: Inspect) -> None:
    module = lstm()
    parametrize.register_parametrization(module, "weight_hh_l0", weight_drop()(0.5))
    how = "the weight itself, as weight drop has it in evaluation"
    assert_same(inspect, module, f"weight_hh_l0: {how}")


def test_weight_drop_of_a_cell_has_no_further_weights(inspect: Inspect) -> None:
    cell = nn.LSTMCell(INPUTS, UNITS)
    parametrize.register_parametrization(cell, "weight_hh", weight_drop()(0.5))
    (layer,) = inspect(cell.state_dict()).report.layers
    assert layer.reason is None


def test_weight_drop_over_weight_norm(inspect: Inspect) -> None:
    """Dropout leaves no trace, and does nothing in evaluation."""
    module = lstm()
    own.weight_norm(module, "weight_hh_l0")
    parametrize.register_parametrization(module, "weight_hh_l0", weight_drop()(0.5))
    how = "recomposed from weight norm's length and direction"
    assert_same(inspect, module, f"weight_hh_l0: {how}")


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.RNN])
def test_spectral_norm(inspect: Inspect, kind: type[nn.RNNBase], dim: int) -> None:
    module = kind(INPUTS, UNITS, batch_first=True)
    with torch.no_grad():
        # Far from 1, where the norms of what torch initialises happen to be.
        module.weight_hh_l0.mul_(3)
    own.spectral_norm(module, "weight_hh_l0", dim=dim, n_power_iterations=50)
    assert_same(inspect, module, f"weight_hh_l0: {SPECTRAL}")


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.RNN])
def test_vectors_of_the_step_before(inspect: Inspect, kind: type[nn.RNNBase], dim: int) -> None:
    """Training moves the weights after the vectors."""
    module = kind(INPUTS, UNITS, batch_first=True)
    own.spectral_norm(module, "weight_hh_l0", dim=dim)
    with torch.no_grad():
        module.parametrizations.weight_hh_l0.original.add_(0.05 * torch.randn(UNITS))
    assert_same(inspect, module, f"weight_hh_l0: {SPECTRAL}")


@pytest.mark.parametrize("dim", [0, 1])
def test_spectral_norm_of_older_torch(inspect: Inspect, dim: int) -> None:
    module = lstm()
    with torch.no_grad():
        module.weight_hh_l0.mul_(3)
    nn.utils.spectral_norm(module, "weight_hh_l0", dim=dim, n_power_iterations=50)
    assert_same(inspect, module, f"weight_hh_l0: {SPECTRAL}")


def test_a_convolution_beside_it(inspect: Inspect) -> None:
    """Its matrix has all axes but the first as columns."""
    tensors = {f"rnn.{name}": tensor for name, tensor in lstm().state_dict().items()}
    conv = own.spectral_norm(nn.Conv1d(4, 2, 3))
    tensors |= {f"conv.{name}": tensor for name, tensor in conv.state_dict().items()}
    assert f"conv.weight: {SPECTRAL}" in inspect(tensors).report.notes


# ---------------------------------------------------------------- what cannot be undone


def stacked() -> nn.LSTM:
    return own.spectral_norm(own.weight_norm(lstm(), "weight_hh_l0"), "weight_hh_l0")


def twice() -> nn.LSTM:
    return own.spectral_norm(own.spectral_norm(lstm(), "weight_hh_l0"), "weight_hh_l0")


def orthogonal() -> nn.LSTM:
    return own.orthogonal(lstm(), "weight_hh_l0")


def of_the_input() -> nn.LSTM:
    return own.orthogonal(lstm(), "weight_ih_l0")


class Skew(nn.Module):
    """A parametrization that leaves no trace, and another weight."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu(1) - weight.triu(1).T


def skew() -> nn.RNN:
    rnn = nn.RNN(INPUTS, UNITS)
    parametrize.register_parametrization(rnn, "weight_hh_l0", Skew())
    return rnn


def skew_then_dropped() -> nn.RNN:
    rnn = skew()
    parametrize.register_parametrization(rnn, "weight_hh_l0", weight_drop()(0.5))
    return rnn


def trivial() -> nn.RNN:
    return own.orthogonal(nn.RNN(INPUTS, UNITS), "weight_hh_l0", use_trivialization=False)


CANNOT = "has parametrizations that rnndiag cannot undo"
NO_TRACE = (
    "weight_hh_l0 has a parametrization without tensors: weight drop leaves the stored weight as "
    "it is, a skew-symmetric or orthogonal one makes another of it; --model runs its code"
)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (stacked, f"weight_hh_l0 {CANNOT}: it holds original0, original1, 1._u, 1._v"),
        (twice, f"weight_hh_l0 {CANNOT}: it holds original, 0._u, 0._v, 1._u, 1._v"),
        (orthogonal, f"weight_hh_l0 {CANNOT}: it holds original, 0.base"),
        (of_the_input, f"rnn.weight_ih_l0 {CANNOT}: it holds original, 0.base"),
        (skew, NO_TRACE),
        (trivial, NO_TRACE),
        (skew_then_dropped, f"weight_hh_l0 {CANNOT}: it holds original, 1.weight_drop_rate"),
    ],
)
def test_what_is_named_and_not_analysed(
    inspect: Inspect, make: Callable[[], nn.LSTM], reason: str
) -> None:
    tensors = {f"rnn.{name}": tensor for name, tensor in make().state_dict().items()}
    report = inspect(tensors).report
    assert report.exit_code == 3
    (layer,) = report.layers
    assert (layer.name, layer.reason) == ("rnn", f"rnn: RNN: {reason}")


@pytest.mark.parametrize(
    "further",
    [
        {"weight_hh_l0_u": torch.ones(3), "weight_hh_l0_v": torch.ones(6)},
        {"weight_hh_l0_u": torch.ones(24)},
        {
            "weight_hh_l0_mask": torch.ones(24, 6),
            "weight_hh_l0_u": torch.ones(24),
            "weight_hh_l0_v": torch.ones(6),
        },
    ],
    ids=["of other sizes", "one alone", "pruned, too"],
)
def test_pieces_that_do_not_fit(inspect: Inspect, further: dict[str, Tensor]) -> None:
    tensors = dict(lstm().state_dict())
    tensors["weight_hh_l0_orig"] = tensors.pop("weight_hh_l0")
    report = inspect(tensors | further).report
    assert report.exit_code == 3
    assert "weight_hh_l0_orig is stored in a way" in str(report.layers[0].reason)
