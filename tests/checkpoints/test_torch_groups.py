"""Which of the model's parameters stand in which group of an optimizer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rnndiag import checkpoints
from rnndiag.records import Checkpoint


def read(folder: Path, value: Any) -> Checkpoint:
    torch.save(value, folder / "m.ckpt")
    return checkpoints.read(folder / "m.ckpt")


def of_parameters(checkpoint: Checkpoint) -> dict[tuple[str, str], tuple[Any, str]]:
    """The value and the source of each parameter's facts, by parameter and name."""
    told = [fact for fact in checkpoint.training if fact.parameter is not None]
    found = {(str(f.parameter), f.name): (f.value, f.source) for f in told}
    assert len(found) == len(told)
    return found


class Net(nn.Module):
    """Two stacked recurrent layers between what other layers there are."""

    def __init__(self, inputs: int = 3) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(inputs)
        self.rnn = nn.LSTM(inputs, 4, num_layers=2)
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = self.norm(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        y: torch.Tensor = self.head(self.rnn(normed)[0])
        return y


def saved(
    folder: Path, net: nn.Module, optimizer: torch.optim.Optimizer, *, step: bool = True
) -> Any:
    """The checkpoint of a network after a step, read back."""
    if step:
        net(torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0))).sum().backward()
        optimizer.step()
    return read(folder, {"state_dict": net.state_dict(), "optimizer": optimizer.state_dict()})


def named(net: nn.Module, *parts: str) -> list[nn.Parameter]:
    return [p for n, p in net.named_parameters() if any(part in n for part in parts)]


def decayed(net: nn.Module, first: Any, second: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        [{"params": first, "weight_decay": 0.1}, {"params": second, "weight_decay": 0.0}], lr=0.01
    )


def test_decay_of_weights_and_of_biases(tmp_path: Path) -> None:
    """The usual split; the batch norm's running mean has a bias's shape, and is none."""
    net = Net()
    one_axis = [p for p in net.parameters() if p.dim() < 2]
    matrices = [p for p in net.parameters() if p.dim() == 2]
    checkpoint = saved(tmp_path, net, decayed(net, matrices, one_axis))
    found = of_parameters(checkpoint)
    recurrent = [f"rnn.{name}" for name, _ in net.rnn.named_parameters()]
    assert list(found) == [(name, "weight_decay") for name in recurrent]
    for name in recurrent:
        weight = "weight" in name
        source = f"optimizer.param_groups[{0 if weight else 1}]"
        assert found[name, "weight_decay"] == (0.1 if weight else 0.0, source)
    assert len(checkpoint.updates) == len(list(net.parameters()))
    assert checkpoint.notes == ()


def test_groups_without_a_difference_are_told_as_groups_alone(tmp_path: Path) -> None:
    net = Net()
    checkpoint = saved(tmp_path, net, torch.optim.Adam(net.parameters(), 0.01))
    assert of_parameters(checkpoint) == {}
    assert checkpoint.updates.keys() == {name for name, _ in net.named_parameters()}


def test_learning_rates_that_differ(tmp_path: Path) -> None:
    net = Net()
    groups = [
        {"params": named(net, "rnn"), "lr": 0.1},
        {"params": named(net, "norm", "head"), "lr": 0.2},
    ]
    found = of_parameters(saved(tmp_path, net, torch.optim.Adam(groups)))
    assert {name for _, name in found} == {"learning_rate"}
    assert {value for value, _ in found.values()} == {0.1}


def test_only_what_every_way_agrees_on_is_certain(tmp_path: Path) -> None:
    """K and R of the second layer are alike, and nothing else stands between them.

    R of the first is not in doubt: in the second group it comes before biases that can be
    nowhere else.
    """
    net = Net()
    kernels, rest = named(net, "weight_ih"), named(net, "weight_hh", "bias", "norm", "head")
    checkpoint = saved(tmp_path, net, decayed(net, kernels, rest))
    found = {name: value for (name, _), (value, _) in of_parameters(checkpoint).items()}
    assert found["rnn.weight_ih_l0"] == 0.1
    assert found["rnn.weight_hh_l0"] == 0.0
    assert found["rnn.bias_hh_l1"] == 0.0
    unclear = {"rnn.weight_ih_l1", "rnn.weight_hh_l1"}
    assert not unclear & (found.keys() | checkpoint.updates.keys())
    (note,) = checkpoint.notes
    assert all(name in note for name in unclear)
    assert checkpoint.why_no_updates == note


def test_equal_groups_leave_the_setting_certain_and_the_step_not(tmp_path: Path) -> None:
    net = Net()
    kernels, recurrent = named(net, "weight_ih"), named(net, "weight_hh")
    groups = [
        {"params": kernels, "weight_decay": 0.1},
        {"params": recurrent, "weight_decay": 0.1},
        {"params": named(net, "bias", "norm", "head"), "weight_decay": 0.0},
    ]
    checkpoint = saved(tmp_path, net, torch.optim.AdamW(groups))
    found = of_parameters(checkpoint)
    value, source = found["rnn.weight_hh_l0", "weight_decay"]
    assert (value, source) == (0.1, "optimizer.param_groups[0] or optimizer.param_groups[1]")
    assert "rnn.weight_hh_l0" not in checkpoint.updates
    assert "rnn.weight_ih_l0" in checkpoint.updates


def test_names_in_the_file_settle_it(tmp_path: Path) -> None:
    net = Net()
    optimizer = decayed(
        net, named(net, "weight_ih"), named(net, "weight_hh", "bias", "norm", "head")
    )
    state = optimizer.state_dict()
    names = {id(p): n for n, p in net.named_parameters()}
    for group, stored in zip(optimizer.param_groups, state["param_groups"], strict=True):
        stored["param_names"] = [names[id(p)] for p in group["params"]]
    weights = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
    checkpoint = read(tmp_path, {"state_dict": weights, "optimizer": state})
    found = {name: value for (name, _), (value, _) in of_parameters(checkpoint).items()}
    assert found["net.rnn.weight_ih_l1"] == 0.1
    assert found["net.rnn.weight_hh_l0"] == 0.0
    assert not any(fact.name == "param_names" for fact in checkpoint.training)


def test_one_group_without_buffers_is_matched_by_count(tmp_path: Path) -> None:
    """Two optimizers, each of one network, neither with a step."""
    net = Net()
    rest = [p for p in net.parameters() if not any(p is q for q in net.rnn.parameters())]
    sgd = torch.optim.SGD([{"params": net.parameters()}], 0.1)
    assert of_parameters(saved(tmp_path, net, sgd)) == {}
    unclear = saved(tmp_path, net, decayed(net, list(net.rnn.parameters()), rest), step=False)
    assert of_parameters(unclear) == {}
    assert "do not tell for certain" in " ".join(unclear.notes)


def test_tied_and_frozen_weights(tmp_path: Path) -> None:
    net = Net()
    net.tied = net.head
    net.norm.requires_grad_(False)
    trained = [p for p in net.parameters() if p.requires_grad]
    checkpoint = saved(tmp_path, net, torch.optim.Adam(trained))
    assert "tied.weight" in checkpoint.content.tensors
    names = {name for name, _ in net.named_parameters() if not name.startswith("norm")}
    assert checkpoint.updates.keys() == names


def test_one_of_two_alike_is_frozen(tmp_path: Path) -> None:
    """The optimizer has K or R of the second layer, and nothing tells which."""
    net = Net()
    net.rnn.weight_hh_l1.requires_grad_(False)
    trained = [p for p in net.parameters() if p.requires_grad]
    updates = saved(tmp_path, net, torch.optim.Adam(trained)).updates
    assert not {"rnn.weight_ih_l1", "rnn.weight_hh_l1"} & updates.keys()
    assert {"rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_hh_l1"} <= updates.keys()


def test_an_optimizer_of_another_network_fits_nothing(tmp_path: Path) -> None:
    net, other = Net(), nn.Sequential(nn.Linear(3, 3), Net(), nn.Linear(2, 7))
    for make, why in (
        (lambda: Net(5), "in shapes and order"),
        (lambda: other, "but the model only"),
    ):
        optimizer = torch.optim.Adam(make().parameters())
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        checkpoint = saved(tmp_path, net, optimizer, step=False)
        assert of_parameters(checkpoint) == {}
        assert len(checkpoint.updates) == 0
        assert why in checkpoint.notes[0]
        assert checkpoint.why_no_updates == checkpoint.notes[0]


def test_two_optimizers_for_the_same_parameters(tmp_path: Path) -> None:
    net = Net()
    states = [torch.optim.SGD(net.parameters(), rate).state_dict() for rate in (0.1, 0.2)]
    checkpoint = read(tmp_path, {"state_dict": net.state_dict(), "optimizer_states": states})
    assert of_parameters(checkpoint) == {}
    assert checkpoint.notes == (
        "several optimizers fit the same parameters: which one trained them is unclear",
    )


def test_the_search_is_bounded(tmp_path: Path) -> None:
    """Without buffers anything may be anywhere."""
    net = nn.LSTM(4, 4, num_layers=20)
    parameters = list(net.parameters())
    groups = [{"params": parameters[k::5], "weight_decay": 0.1 * k} for k in range(5)]
    started = time.perf_counter()
    checkpoint = saved(tmp_path, net, torch.optim.AdamW(groups), step=False)
    assert time.perf_counter() - started < 5
    assert checkpoint.notes == (
        "optimizer: its groups fit the model's parameters in too many ways to follow",
    )


@pytest.mark.parametrize("params", [None, 3, [[1], [2]], ["a", "b"]])
def test_odd_numbers_of_parameters(tmp_path: Path, params: Any) -> None:
    state = {"state": {0: 3}, "param_groups": [{"lr": 0.1, "params": params}]}
    checkpoint = read(tmp_path, {"state_dict": Net().state_dict(), "optimizer": state})
    assert checkpoint.content
    assert len(checkpoint.updates) == 0
