"""The optimizer's last step, against the change that it really made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rnndiag import checkpoints
from rnndiag.checkpoints._torch import updates
from rnndiag.records import NO_OPTIMIZER, Checkpoint


def read(folder: Path, value: Any) -> Checkpoint:
    torch.save(value, folder / "m.ckpt")
    return checkpoints.read(folder / "m.ckpt")


Make = Callable[[Any], torch.optim.Optimizer]
ADAM: list[tuple[str, Make]] = [
    ("Adam", lambda p: torch.optim.Adam(p, 0.01)),
    ("Adam, L2", lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1, betas=(0.7, 0.9))),
    ("Adam, amsgrad", lambda p: torch.optim.Adam(p, 0.01, amsgrad=True, betas=(0.5, 0.6))),
    ("Adam, large ε", lambda p: torch.optim.Adam(p, 0.01, eps=0.1)),
    ("AdamW", lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.2)),
    ("SGD", lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
    ("SGD, dampened", lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, dampening=0.3)),
    ("RMSprop", lambda p: torch.optim.RMSprop(p, 0.01, momentum=0.9)),
]


def trained(
    net: nn.LSTM, optimizer: torch.optim.Optimizer, steps: int
) -> tuple[dict[str, torch.Tensor], list[dict[str, torch.Tensor]]]:
    """The weights before the last step, and the gradients of all."""
    generator = torch.Generator().manual_seed(3)
    gradients = []
    for _ in range(steps):
        before = {name: p.detach().clone() for name, p in net.named_parameters()}
        optimizer.zero_grad()
        x = torch.randn(6, 4, 3, generator=generator, dtype=torch.float64)
        net(x)[0].square().sum().backward()
        gradients.append({name: p.grad.clone() for name, p in net.named_parameters()})  # type: ignore[union-attr]
        optimizer.step()
    return before, gradients


def rms(tensor: torch.Tensor) -> float:
    return float(tensor.square().mean().sqrt())


@pytest.mark.parametrize(("name", "make"), ADAM, ids=[name for name, _ in ADAM])
@pytest.mark.parametrize("steps", [1, 2, 30])
def test_the_last_update_is_the_change_of_the_weights(
    tmp_path: Path, name: str, make: Make, steps: int
) -> None:
    torch.manual_seed(1)
    net = nn.LSTM(3, 4).double()
    optimizer = make(net.parameters())
    before, _ = trained(net, optimizer, steps)
    checkpoint = read(tmp_path, {"model": net.state_dict(), "optimizer": optimizer.state_dict()})
    group = optimizer.param_groups[0]
    decay = group["lr"] * group["weight_decay"] if name == "AdamW" else 0.0
    for key, parameter in net.named_parameters():
        update = checkpoint.updates[key]
        moved = parameter.detach() - (1 - decay) * before[key]
        assert update.update_rms == pytest.approx(rms(moved), rel=1e-9)
        assert update.weight_rms == pytest.approx(rms(parameter.detach()), rel=1e-12)
        assert update.size == parameter.numel()


RUNNING: list[tuple[Make, float, bool]] = [
    (lambda p: torch.optim.Adam(p, 0.01, betas=(0.8, 0.9)), 0.8, True),
    (lambda p: torch.optim.NAdam(p, 0.01, betas=(0.7, 0.9)), 0.7, True),
    (lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.6, centered=True), 0.6, True),
    (lambda p: torch.optim.SGD(p, 0.01, momentum=0.9), 0.9, False),
]


@pytest.mark.parametrize(("make", "beta", "corrected"), RUNNING)
def test_the_running_gradient_is_the_mean_of_the_gradients(
    tmp_path: Path, make: Make, beta: float, corrected: bool
) -> None:
    torch.manual_seed(1)
    net = nn.LSTM(3, 4).double()
    optimizer = make(net.parameters())
    _, gradients = trained(net, optimizer, 4)
    checkpoint = read(tmp_path, {"model": net.state_dict(), "optimizer": optimizer.state_dict()})
    weights = [(1 - beta) * beta**age for age in (3, 2, 1, 0)]
    scale = sum(weights) if corrected else 1.0
    for key in net.state_dict():
        mean = sum(w * own[key] for w, own in zip(weights, gradients, strict=True)) / scale
        assert checkpoint.updates[key].gradient_rms == pytest.approx(rms(mean), rel=1e-9)  # type: ignore[arg-type]


def test_dampening_weakens_all_gradients_but_the_first(tmp_path: Path) -> None:
    net = nn.LSTM(3, 4).double()
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.5, dampening=0.75)
    _, (first, second) = trained(net, optimizer, 2)
    checkpoint = read(tmp_path, {"model": net.state_dict(), "optimizer": optimizer.state_dict()})
    mean = 0.5 * (0.5 / 0.25 * first["weight_hh_l0"] + second["weight_hh_l0"])
    update = checkpoint.updates["weight_hh_l0"]
    assert update.gradient_rms == pytest.approx(rms(mean), rel=1e-9)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
        lambda p: torch.optim.NAdam(p, 0.1),
        lambda p: torch.optim.RMSprop(p, 0.1, centered=True),
    ],
)
def test_an_update_that_holds_the_last_gradient_is_not_guessed(tmp_path: Path, make: Make) -> None:
    net = nn.LSTM(3, 4).double()
    optimizer = make(net.parameters())
    trained(net, optimizer, 2)
    checkpoint = read(tmp_path, {"model": net.state_dict(), "optimizer": optimizer.state_dict()})
    update = checkpoint.updates["weight_hh_l0"]
    assert update.update_rms is None
    assert update.gradient_rms is not None
    assert update.gradient_rms > 0


@pytest.mark.parametrize("kind", [torch.optim.Adagrad, torch.optim.RAdam, torch.optim.Adadelta])
def test_other_optimizers_tell_nothing(tmp_path: Path, kind: Any) -> None:
    net = nn.LSTM(3, 4).double()
    optimizer = kind(net.parameters())
    trained(net, optimizer, 2)
    checkpoint = read(tmp_path, {"model": net.state_dict(), "optimizer": optimizer.state_dict()})
    assert len(checkpoint.updates) == 0
    assert checkpoint.why_no_updates == "the optimizer's buffers do not tell its last step"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state["param_groups"][0].pop("eps"),
        lambda state: state["param_groups"][0].update(betas=0.9),
        lambda state: state["state"][0].pop("step"),
        lambda state: state["state"][0].update(step=torch.tensor(0.0)),
        lambda state: state["state"][0].pop("exp_avg_sq"),
        lambda state: state["state"][0].update(exp_avg_sq=torch.zeros(3, 2)),
    ],
)
def test_a_spoilt_state_tells_nothing_and_breaks_nothing(tmp_path: Path, spoil: Any) -> None:
    net = nn.LSTM(3, 4).double()
    optimizer = torch.optim.Adam(net.parameters())
    trained(net, optimizer, 2)
    state = optimizer.state_dict()
    spoil(state)
    checkpoint = read(tmp_path, {"model": net.state_dict(), "optimizer": state})
    assert checkpoint.updates["weight_ih_l0"].update_rms is None


def test_a_parameter_that_stood_still(tmp_path: Path) -> None:
    net = nn.LSTM(3, 4)
    optimizer = torch.optim.Adam(net.parameters(), eps=0)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    checkpoint = read(tmp_path, {"model": net.state_dict(), "optimizer": optimizer.state_dict()})
    update = checkpoint.updates["weight_hh_l0"]
    assert (update.update_rms, update.gradient_rms) == (0, 0)


def test_steps_are_computed_when_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = nn.LSTM(3, 4).double()
    optimizer = torch.optim.Adam(net.parameters())
    trained(net, optimizer, 1)
    state = optimizer.state_dict()
    asked: list[int] = []
    monkeypatch.setattr(updates, "update_of", lambda own, _: asked.append(own.size) or object())
    checkpoint = read(tmp_path, {"model": net.state_dict(), "optimizer": state})
    assert asked == []
    first = checkpoint.updates["weight_ih_l0"]
    assert asked == [48]
    assert checkpoint.updates["weight_ih_l0"] is first
    assert asked == [48]


def test_a_file_without_an_optimizer(tmp_path: Path) -> None:
    checkpoint = read(tmp_path, nn.GRU(3, 4).state_dict())
    assert checkpoint.updates == {}
    assert checkpoint.why_no_updates == NO_OPTIMIZER
