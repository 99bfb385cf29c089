"""The optimizer's last step in proportion to the weights, from file to fact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rnndiag import pipeline
from rnndiag.measurements import training_step
from rnndiag.measurements.training_step import ArrayStep, TrainingStep
from rnndiag.records import NO_OPTIMIZER, Options, ParameterUpdate, Report, Skipped

OPTIONS = Options(seeds=1, batch=2, timesteps=12)
UPDATE = ParameterUpdate(size=4, weight_rms=0.5, update_rms=0.001, gradient_rms=0.25)


def test_update_over_weight_of_each_array(make_run):
    other = ParameterUpdate(size=2, weight_rms=2.0, update_rms=0.5, gradient_rms=None)
    run = make_run(updates={"kernel": UPDATE, "recurrent": other})
    assert training_step.measure(run, OPTIONS) == TrainingStep(
        kernel=ArrayStep(ratio=0.002, gradient=0.25),
        recurrent=ArrayStep(ratio=0.25, gradient=None),
        bias=None,
    )


@pytest.mark.parametrize("change", [{"update_rms": None}, {"weight_rms": 0.0}])
def test_no_ratio_without_an_update_or_a_weight(make_run, change):
    run = make_run(updates={"kernel": replace(UPDATE, **change)})
    fact = training_step.measure(run, OPTIONS)
    assert fact.kernel == ArrayStep(ratio=None, gradient=0.25)


def test_a_weight_that_stood_still_has_the_ratio_0(make_run):
    run = make_run(updates={"bias": replace(UPDATE, update_rms=0.0)})
    assert training_step.measure(run, OPTIONS).bias.ratio == 0


@pytest.mark.parametrize("name", ["update_rms", "gradient_rms"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_buffers_that_are_not_finite(make_run, name, value):
    run = make_run(updates={"kernel": UPDATE, "recurrent": replace(UPDATE, **{name: value})})
    fact = training_step.measure(run, OPTIONS)
    assert fact == Skipped(reason="the optimizer's buffers are not finite")


def test_the_reason_comes_from_the_file(make_run):
    run = make_run(updates={}, why_no_updates="it is another network's")
    assert training_step.measure(run, OPTIONS) == Skipped(reason="it is another network's")


# ---------------------------------------------------------------- from the file on


class Net(nn.Module):
    """Two directions, then a head."""

    def __init__(self, *, bias: bool = True) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 5, bidirectional=True, bias=bias)
        self.head = nn.Linear(10, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.head(self.rnn(x)[0])
        return y


def step(net: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """How far one step moved each parameter."""
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer.zero_grad()
    dtype = next(net.parameters()).dtype
    net(torch.randn(7, 4, 3, dtype=dtype)).square().sum().backward()
    optimizer.step()
    return {name: p.detach() - before[name] for name, p in net.named_parameters()}


def report(folder: Path, content: Any) -> Report:
    torch.save(content, folder / "net.pt")
    return pipeline.diagnose(str(folder / "net.pt"), OPTIONS)


def rms(*tensors: torch.Tensor) -> float:
    return float(torch.cat([tensor.flatten() for tensor in tensors]).square().mean().sqrt())


def test_each_direction_has_the_step_that_its_weights_made(tmp_path):
    torch.manual_seed(0)
    net = Net().double()
    optimizer = torch.optim.Adam(net.parameters(), 0.003)
    for _ in range(3):
        moved = step(net, optimizer)
    content = {"model": net.state_dict(), "optimizer": optimizer.state_dict()}
    weights = {name: p.detach() for name, p in net.named_parameters()}
    for layer in report(tmp_path, content).layers:
        end = "_l0_reverse" if layer.direction == "backward" else "_l0"
        fact = layer.measurements["training_step"]
        for part, names in (
            ("kernel", ["weight_ih"]),
            ("recurrent", ["weight_hh"]),
            ("bias", ["bias_ih", "bias_hh"]),
        ):
            own = [f"rnn.{name}{end}" for name in names]
            expected = rms(*(moved[n] for n in own)) / rms(*(weights[n] for n in own))
            assert getattr(fact, part).ratio == pytest.approx(expected, rel=1e-9)
            mean = [optimizer.state[dict(net.named_parameters())[n]]["exp_avg"] for n in own]
            gradient = rms(*mean) / (1 - 0.9**3)
            assert getattr(fact, part).gradient == pytest.approx(gradient, rel=1e-9)


def test_a_layer_without_biases_and_one_that_is_frozen(tmp_path):
    net = Net(bias=False)
    frozen = [p for name, p in net.named_parameters() if "hh" in name]
    trained = [p for name, p in net.named_parameters() if "hh" not in name]
    for parameter in frozen:
        parameter.requires_grad_(False)
    optimizer = torch.optim.Adam(trained)
    step(net, optimizer)
    found = report(tmp_path, {"model": net.state_dict(), "optimizer": optimizer.state_dict()})
    for layer in found.layers:
        fact = layer.measurements["training_step"]
        assert fact.kernel.ratio > 0
        assert (fact.recurrent, fact.bias) == (None, None)


def test_weights_in_pieces_have_no_step_of_their_own(tmp_path):
    net = Net(bias=False)
    for name in ("weight_ih_l0", "weight_hh_l0"):
        nn.utils.parametrizations.weight_norm(net.rnn, name)
    optimizer = torch.optim.Adam(net.parameters())
    step(net, optimizer)
    found = report(tmp_path, {"model": net.state_dict(), "optimizer": optimizer.state_dict()})
    forward, backward = (layer.measurements["training_step"] for layer in found.layers)
    assert "in pieces" in forward.reason
    assert backward.kernel.ratio > 0


def test_a_file_of_weights_alone(tmp_path):
    for layer in report(tmp_path, Net().state_dict()).layers:
        assert layer.measurements["training_step"] == Skipped(reason=NO_OPTIMIZER)


def test_two_groups_that_cannot_be_told_apart(tmp_path):
    net = nn.LSTM(4, 4)
    kernels = [p for name, p in net.named_parameters() if name == "weight_ih_l0"]
    rest = [p for name, p in net.named_parameters() if name != "weight_ih_l0"]
    optimizer = torch.optim.SGD(
        [{"params": kernels, "lr": 0.1}, {"params": rest, "lr": 0.2}], momentum=0.9
    )
    net(torch.randn(7, 4, 4))[0].sum().backward()
    optimizer.step()
    content = {"model": net.state_dict(), "optimizer": optimizer.state_dict()}
    found = report(tmp_path, content)
    fact = found.layers[0].measurements["training_step"]
    assert (fact.kernel, fact.recurrent) == (None, None)
    assert fact.bias is not None
    assert any("do not tell for certain" in note for note in found.notes)
