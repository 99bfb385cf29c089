"""Training facts of PyTorch and Lightning checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rnndiag import checkpoints
from rnndiag.checkpoints._torch.training import training_facts
from rnndiag.checkpoints.base import facts_of
from rnndiag.records import Checkpoint


def read(folder: Path, value: Any) -> Checkpoint:
    torch.save(value, folder / "m.ckpt")
    return checkpoints.read(folder / "m.ckpt")


def facts(checkpoint: Checkpoint) -> dict[tuple[str, str], Any]:
    """The value of each fact that is of no single parameter, by where it was read and its name."""
    told = [fact for fact in checkpoint.training if fact.parameter is None]
    found = {(fact.source, fact.name): fact.value for fact in told}
    assert len(found) == len(told)
    json.dumps(list(found.values()))
    return found


def stepped(optimizer: torch.optim.Optimizer, module: nn.Module, steps: int = 3) -> Any:
    for _ in range(steps):
        module(torch.ones(2, 1, 3))[0].sum().backward()
        optimizer.step()
    return optimizer.state_dict()


def test_lightning(tmp_path: Path) -> None:
    module = nn.LSTM(3, 4)
    decayed = [p for n, p in module.named_parameters() if "weight" in n]
    others = [p for n, p in module.named_parameters() if "bias" in n]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=1e-3,
        betas=(0.8, 0.9),
    )
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
    checkpoint = read(
        tmp_path,
        {
            "epoch": 7,
            "global_step": 900,
            "pytorch-lightning_version": "2.1.3",
            "state_dict": {f"model.{n}": t for n, t in module.state_dict().items()},
            "loops": {"fit_loop": {"state_dict": {"weight_hh_l0": torch.zeros(2, 2)}}},
            "callbacks": {"EMA": {"weight_hh_l0": torch.zeros(2, 2)}},
            "optimizer_states": [stepped(optimizer, module)],
            "lr_schedulers": [scheduler.state_dict()],
            "hparams_name": "kwargs",
            "hyper_parameters": {
                "learn_rate": 1e-3,
                "dropout": 0.25,
                "loss": "mse",
                "sizes": [3, 4],
                "nothing": None,
                "data": {"batch_size": 32},
            },
        },
    )
    assert checkpoint.format == "lightning-ckpt"
    assert checkpoint.notes == ("written by Lightning 2.1.3",)
    assert checkpoint.content.tensors.keys() == {f"model.{n}" for n in module.state_dict()}  # type: ignore[union-attr]
    found = facts(checkpoint)
    groups = [f"optimizer_states[0].param_groups[{k}]" for k in (0, 1)]
    expected = {
        ("checkpoint", "epoch"): 7,
        ("checkpoint", "global_step"): 900,
        ("optimizer_states[0]", "optimizer"): "AdamW",
        ("optimizer_states[0]", "optimizer_buffers"): ["exp_avg", "exp_avg_sq"],
        ("optimizer_states[0]", "optimizer_step"): 3,
        (groups[0], "learning_rate"): 1e-3,
        (groups[0], "weight_decay"): 0.1,
        (groups[1], "weight_decay"): 0.0,
        (groups[1], "betas"): [0.8, 0.9],
        (groups[1], "parameters"): 2,
        ("hyper_parameters", "learning_rate"): 1e-3,
        ("hyper_parameters", "dropout"): 0.25,
        ("hyper_parameters", "loss"): "mse",
        ("hyper_parameters", "sizes"): [3, 4],
        ("hyper_parameters", "data.batch_size"): 32,
    }
    assert {key: found.get(key) for key in expected} == expected
    schedule = found["lr_schedulers[0]", "lr_scheduler"]
    assert (schedule["step_size"], schedule["gamma"]) == (5, 0.5)
    assert ("hyper_parameters", "nothing") not in found
    assert ("checkpoint", "hparams_name") not in found


OPTIMIZERS: list[tuple[str, Any]] = [
    ("SGD", lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
    ("Adam", lambda p: torch.optim.Adam(p, 0.1)),
    ("AdamW", lambda p: torch.optim.AdamW(p, 0.1)),
    ("NAdam", lambda p: torch.optim.NAdam(p, 0.1)),
    ("RMSprop", lambda p: torch.optim.RMSprop(p, 0.1)),
    ("Adagrad", lambda p: torch.optim.Adagrad(p, 0.1)),
    ("Adadelta", lambda p: torch.optim.Adadelta(p, 0.1)),
]


@pytest.mark.parametrize(("name", "make"), OPTIMIZERS)
def test_optimizers_are_told_by_their_settings(tmp_path: Path, name: str, make: Any) -> None:
    module = nn.GRU(3, 4)
    state = stepped(make(module.parameters()), module)
    found = facts(read(tmp_path, {"model": module.state_dict(), "optim": state}))
    assert found["optim", "optimizer"] == name
    assert found["optim.param_groups[0]", "learning_rate"] == 0.1
    assert found["optim.param_groups[0]", "parameters"] == 4


def test_adam_of_older_torch_may_be_adamw(tmp_path: Path) -> None:
    group = {"lr": 0.1, "betas": (0.9, 0.99), "amsgrad": False, "params": [0]}
    state = {"state": {}, "param_groups": [group]}
    value = {"model": nn.GRU(3, 4).state_dict(), "optimizer": state}
    assert facts(read(tmp_path, value))["optimizer", "optimizer"] == "Adam or AdamW"


def test_an_unknown_optimizer_is_not_guessed(tmp_path: Path) -> None:
    state = {"state": {}, "param_groups": [{"lr": 0.1, "temper": 3, "params": [0]}]}
    found = facts(read(tmp_path, {"model": nn.GRU(3, 4).state_dict(), "optimizer": state}))
    assert ("optimizer", "optimizer") not in found
    assert found["optimizer.param_groups[0]", "temper"] == 3


def test_progress_beside_the_weights(tmp_path: Path) -> None:
    value = {
        "net": nn.GRU(3, 4).state_dict(),
        "step": torch.tensor(12),
        "best_loss": 0.25,
        "arch": "gru",
        "history": [0.5] * 3,
        "source": "x" * 5000,
        "config": {"lr": 0.5},
    }
    assert facts(read(tmp_path, value)) == {
        ("checkpoint", "step"): 12,
        ("checkpoint", "best_loss"): 0.25,
        ("checkpoint", "arch"): "gru",
        ("config", "learning_rate"): 0.5,
    }


def test_settings_that_hold_themselves(tmp_path: Path) -> None:
    values: list[Any] = [1, 2]
    values.append(values)
    section: dict[str, Any] = {"units": 4, "values": values}
    section["self"] = section
    value = {"net": nn.GRU(3, 4).state_dict(), "hparams": section, "steps": values}
    value["lr_scheduler"] = {"step_size": 3, "values": values}
    assert facts(read(tmp_path, value)) == {
        ("hparams", "units"): 4,
        ("lr_scheduler", "lr_scheduler"): {"step_size": 3},
    }


def test_settings_in_many_places_or_far_down() -> None:
    section: Any = {"units": 4}
    values: Any = [1]
    for _ in range(40):
        section, values = {"a": section, "b": section}, [values] * 40
    deep_section: Any = {"units": 5}
    deep_values: Any = [1]
    for _ in range(5000):
        deep_section, deep_values = {"in": deep_section}, [deep_values]
    content = {"args": section, "cfg": deep_section, "config": {"a": values, "b": deep_values}}
    assert training_facts(content) == ()


def test_nested_settings_have_their_path() -> None:
    (fact,) = training_facts({"args": {"model": {"rnn": {"units": 4}}}})
    assert (fact.name, fact.value, fact.source) == ("model.rnn.units", 4, "args")


def test_a_bare_state_dict_tells_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, nn.GRU(3, 4).state_dict()).training == ()


@pytest.mark.parametrize(
    "odd", [{"param_groups": 3}, {"param_groups": [{"lr": [[1], "x"]}], "state": 1}]
)
def test_odd_facts_do_not_keep_the_weights_from_being_read(tmp_path: Path, odd: Any) -> None:
    state = torch.nn.GRU(2, 3).state_dict()
    torch.save({"state_dict": state, "optimizer": odd}, tmp_path / "model.pt")
    assert checkpoints.read(tmp_path / "model.pt").content


def test_facts_that_break_are_told_as_unreadable() -> None:
    (fact,) = facts_of(lambda: [][1])
    assert (fact.name, fact.value) == ("unreadable", "IndexError: list index out of range")
