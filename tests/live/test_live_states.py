"""A cell's state on its way from call to call: handed on, changed in place, viewed, detached."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rnndiag import pipeline
from rnndiag.records import Options, ProbeRun
from tests.live import live_in_place

BATCH, STEPS, FEATURES, UNITS = 4, 9, 3, 5
State = tuple[Tensor, Tensor]
Change = Callable[[State], State]


class Loop(nn.Module):
    """A cell in a loop; `change` is what happens to its state before each call."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(FEATURES, UNITS)
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        zeros = x.new_zeros(len(x), UNITS)
        state, steps = (zeros, zeros), []
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], self.change(state))
            steps.append(state[0].clone())
        return torch.stack(steps, 1)


def shrunk(state: State) -> State:
    for part in state:
        part *= 0.5
    return state


def clamped(state: State) -> State:
    return state[0], state[1].clamp_(-0.01, 0.01)


def clamped_far_out(state: State) -> State:
    return state[0], state[1].clamp_(-1e3, 1e3)


def by_data(state: State) -> State:
    for part in state:
        part.data.mul_(0.5)
    return state


def viewed(state: State) -> State:
    h, c = state
    return h.view_as(h), c.reshape(1, *c.shape).squeeze(0).contiguous()


def detached(state: State) -> State:
    return state[0].detach(), state[1].detach()


def detached_in_place(state: State) -> State:
    return state[0].detach_(), state[1].detach_()


def detached_and_shrunk(state: State) -> State:
    return state[0].detach() * 0.5, state[1].detach() * 0.5


def half_detached(state: State) -> State:
    return state[0].detach(), state[1]


def with_another_gradient(state: State) -> State:
    h, c = state
    return h, c.detach() + 0.5 * (c - c.detach())


def untouched(state: State) -> State:
    return state


def made() -> nn.Module:
    """Set by the tests."""
    raise AssertionError


def run(change: Change, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ProbeRun:
    torch.manual_seed(0)
    network = Loop(change)
    torch.save(network.state_dict(), folder / "network.pt")
    x = np.random.default_rng(1).standard_normal((BATCH, STEPS, FEATURES)).astype(np.float32)
    np.save(folder / "probe.npy", x)
    monkeypatch.setattr(f"{__name__}.made", lambda: Loop(change))
    options = Options(
        model=f"{__name__}:made",
        probe=str(folder / "probe.npy"),
        loss="mean_square",
        device="cpu",
    )
    return pipeline.inspect(str(folder / "network.pt"), options, in_full=True).run


def gradients(change: Change, folder: Path) -> np.ndarray:
    """dL/dh (B, T, H) by autograd alone."""
    network = Loop(change).double()
    network.load_state_dict(torch.load(folder / "network.pt"))
    x = torch.from_numpy(np.load(folder / "probe.npy")).double()
    kept: list[Tensor] = []

    def keep(module: nn.Module, given: object, found: State) -> State:
        found[0].retain_grad()
        kept.append(found[0])
        return found[0] * 1, found[1] * 1

    network.cell.register_forward_hook(keep)
    network(x).square().mean().backward()
    return np.stack([np.asarray(own.grad) for own in kept], 1)


@pytest.mark.parametrize("change", [shrunk, clamped, by_data])
def test_a_state_changed_in_place_is_isolated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    found = run(change, tmp_path, monkeypatch)
    (layer,) = found.layers
    assert found.wiring == "isolated"
    assert "changes its state between the calls" in str(layer.isolated)
    assert layer.arrays.h.shape == (BATCH, STEPS, UNITS)


@pytest.mark.parametrize("change", [with_another_gradient, half_detached])
def test_a_state_with_another_gradient_is_isolated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    (layer,) = run(change, tmp_path, monkeypatch).layers
    assert "changes its state's gradient between the calls" in str(layer.isolated)


@pytest.mark.parametrize("change", [untouched, viewed, clamped_far_out])
def test_the_same_values_with_their_history_are_one_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    found = run(change, tmp_path, monkeypatch)
    (layer,) = found.layers
    assert (found.wiring, layer.isolated) == ("exact", None)
    assert not any("detaches" in note for note in found.notes)
    np.testing.assert_allclose(layer.arrays.dL_dh, gradients(change, tmp_path), rtol=0, atol=1e-8)


@pytest.mark.parametrize("change", [detached, detached_in_place])
def test_a_detached_state_is_one_sequence_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    found = run(change, tmp_path, monkeypatch)
    (layer,) = found.layers
    assert (layer.isolated, layer.arrays.h.shape) == (None, (BATCH, STEPS, UNITS))
    assert any("detaches its state between calls" in n and "1 timestep;" in n for n in found.notes)
    # The loss's gradient is the network's own, and ends at each call.
    reference = gradients(detached, tmp_path)
    np.testing.assert_allclose(layer.arrays.dL_dh, reference, rtol=0, atol=1e-8)
    np.testing.assert_allclose(layer.arrays.direct, reference, rtol=0, atol=1e-8)
    # The pulses go through the recurrence all the same.
    whole = run(untouched, tmp_path, monkeypatch).layers[0]
    np.testing.assert_allclose(layer.arrays.h, whole.arrays.h, rtol=0, atol=1e-6)
    assert np.isfinite(layer.pulse_log_norm).all()


def test_states_that_nothing_leads_to_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run(detached_and_shrunk, tmp_path, monkeypatch)
    assert len(found.layers) == STEPS
    assert any("states that no gradient leads to" in note for note in found.notes)


def test_a_fresh_start_at_each_call_is_no_detached_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fresh(state: State) -> State:
        return torch.zeros_like(state[0]), torch.zeros_like(state[1])

    found = run(fresh, tmp_path, monkeypatch)
    assert len(found.layers) == STEPS
    assert not any("cell: " in note for note in found.notes)


@pytest.mark.parametrize("name", ["Residual", "Buffered"])
def test_what_a_network_writes_to_afterwards_changes_nothing(name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(3).normal(size=(8, 60, 4)).astype("f4"))
    found = []
    for factory in (name, f"Plain{name}"):
        torch.save(getattr(live_in_place, factory)().state_dict(), tmp_path / "file.pt")
        options = Options(
            model=f"{live_in_place.__name__}:{factory}", probe=str(tmp_path / "x.npy"), device="cpu"
        )
        (layer,) = pipeline.inspect(str(tmp_path / "file.pt"), options).run.layers
        found.append(layer)
    written, plain = found
    for name_of, gate in plain.activity.gates.items():
        np.testing.assert_allclose(
            written.activity.gates[name_of].mean, gate.mean, rtol=0, atol=1e-6
        )
    np.testing.assert_allclose(written.pulse_log_norm, plain.pulse_log_norm, rtol=0, atol=1e-4)
