"""Checkpoints of one run: which files, in which order, and how large their weights are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rnndiag import pipeline
from rnndiag.errors import BadOption
from rnndiag.evidence import series
from rnndiag.records import Options, Series
from rnndiag.running import execution

KERAS = Path(__file__).parents[1] / "data" / "keras"
OPTIONS = Options(seeds=1, batch=2)


def net(scale: float = 1.0, units: int = 4) -> dict[str, torch.Tensor]:
    """A state dict whose weights are all `scale`."""
    state = nn.LSTM(3, units).state_dict()
    return {name: torch.full_like(tensor, scale) for name, tensor in state.items()}


def save(path: Path, scale: float = 1.0, **facts: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": net(scale), **facts} if facts else net(scale), path)
    return path


def read(*paths: Path | str) -> Series:
    return series.read([str(path) for path in paths], OPTIONS)


def files(found: Series) -> list[str]:
    return [Path(path).name for path in found.checkpoints]


# ---------------------------------------------------------------- norms


def test_norms_of_each_checkpoint(tmp_path: Path) -> None:
    for k in (1, 2):
        save(tmp_path / f"{k}.pt", float(k), epoch=k)
    found = read(tmp_path)
    assert found.steps == (1, 2)
    assert found.notes == ()
    (name,) = found.layers
    assert name == "lstm/forward"
    sizes = found.layers[name]
    assert sizes.kernel == pytest.approx((48**0.5, 2 * 48**0.5))
    assert sizes.recurrent == pytest.approx((8, 16))
    # The two biases are summed before their norm is taken.
    assert sizes.bias == pytest.approx((2 * 4, 4 * 4))


@pytest.mark.parametrize(
    "name", ["bidi_concat_sum", "lstm_stacked_dropout", "gru_reset_after", "hard_sigmoid"]
)
def test_the_same_layers_and_norms_as_a_diagnosis(tmp_path: Path, name: str) -> None:
    source = KERAS / "tf-keras-2.15" / f"{name}.h5"
    copies = [shutil.copy(source, tmp_path / f"{k}.h5") for k in (1, 2)]
    found = read(*copies)
    report = pipeline.diagnose(str(source), OPTIONS)
    norms = {f"{y.id}/{y.direction}": y.measurements["weight_norms"] for y in report.layers}
    assert found.layers.keys() == norms.keys()
    for layer, sizes in found.layers.items():
        fact = norms[layer]
        for told, expected in (
            (sizes.kernel, fact.kernel),
            (sizes.recurrent, fact.recurrent),
            (sizes.bias, fact.bias),
        ):
            assert told == pytest.approx((expected, expected), rel=1e-12)


def test_no_probe_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "run", None)
    monkeypatch.setattr("rnndiag.running.network.Network.run", None)
    assert len(read(save(tmp_path / "a.pt"), save(tmp_path / "b.pt")).checkpoints) == 2


def test_weights_that_are_not_finite_and_a_layer_without_biases(tmp_path: Path) -> None:
    for k in (1, 2):
        state = nn.GRU(3, 4, bias=False).state_dict()
        state["weight_hh_l0"][0, 0] = np.nan if k == 2 else 0.0
        torch.save(state, tmp_path / f"{k}.pt")
    sizes = read(tmp_path).layers["gru/forward"]
    assert sizes.bias == ()
    assert sizes.recurrent[0] is not None
    assert sizes.recurrent[1] is None
    assert None not in sizes.kernel


# ---------------------------------------------------------------- order


@pytest.mark.parametrize("clock", ["epoch", "global_step", "step"])
def test_order_by_what_the_files_tell(tmp_path: Path, clock: str) -> None:
    for name, time_ in (("a", 30), ("b", 9), ("c", 100)):
        save(tmp_path / f"{name}.pt", **{clock: time_})
    found = read(tmp_path)
    assert files(found) == ["b.pt", "a.pt", "c.pt"]
    assert found.steps == (9, 30, 100)


def test_steps_order_what_epochs_do_not_tell_apart(tmp_path: Path) -> None:
    for name, step in (("a", 300), ("b", 200)):
        save(tmp_path / f"{name}.pt", epoch=1, global_step=step)
    found = read(tmp_path)
    assert files(found) == ["b.pt", "a.pt"]
    assert found.steps == (200, 300)


def test_an_epoch_among_settings_is_no_clock(tmp_path: Path) -> None:
    for k in (1, 2):
        save(tmp_path / f"{k}.pt", hparams={"epoch": 10 - k}, flag=True)
    found = read(tmp_path)
    assert files(found) == ["1.pt", "2.pt"]
    assert found.steps == (None, None)


@pytest.mark.parametrize("odd", [True, float("nan"), "9", [1]])
def test_odd_epochs_tell_no_time(tmp_path: Path, odd: Any) -> None:
    save(tmp_path / "a.pt", epoch=odd)
    save(tmp_path / "b.pt", epoch=odd)
    assert read(tmp_path).steps == (None, None)


def test_steps_of_the_optimizer(tmp_path: Path) -> None:
    for name, steps in (("a", 3), ("b", 1)):
        module = nn.LSTM(3, 4)
        optimizer = torch.optim.Adam(module.parameters())
        for _ in range(steps):
            module(torch.ones(2, 1, 3))[0].sum().backward()
            optimizer.step()
        content = {"model": module.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(content, tmp_path / f"{name}.pt")
    found = read(tmp_path)
    assert (files(found), found.steps) == (["b.pt", "a.pt"], (1, 3))


def test_natural_order_of_names(tmp_path: Path) -> None:
    names = ["ckpt-10.pt", "ckpt-9.pt", "ckpt-9b.pt", "ckpt-100.pt"]
    found = read(*(save(tmp_path / name) for name in names))
    assert files(found) == ["ckpt-9.pt", "ckpt-9b.pt", "ckpt-10.pt", "ckpt-100.pt"]


def test_the_judged_checkpoint_ends_a_series_that_names_order(tmp_path: Path) -> None:
    epochs = [str(save(tmp_path / name)) for name in ("epoch_2.pt", "epoch_1.pt")]
    found = series.read(epochs, Options(), last=str(save(tmp_path / "best.pt")))
    assert files(found) == ["epoch_1.pt", "epoch_2.pt", "best.pt"]


def test_names_order_where_only_some_files_tell(tmp_path: Path) -> None:
    save(tmp_path / "1.pt", epoch=7)
    save(tmp_path / "2.pt")
    save(tmp_path / "3.pt", epoch=1)
    found = read(tmp_path)
    assert files(found) == ["1.pt", "2.pt", "3.pt"]
    assert found.steps == (7, None, 1)


# ---------------------------------------------------------------- which files


def test_files_patterns_and_folders_each_file_once(tmp_path: Path) -> None:
    for k in (1, 2, 3):
        save(tmp_path / "run" / f"{k}.pt")
    save(tmp_path / "run" / "deep" / "4.pt")
    save(tmp_path / "run" / ".hidden.pt")
    found = read(tmp_path / "run" / "1.pt", tmp_path / "run", str(tmp_path / "**" / "*.pt"))
    assert sorted(files(found)) == ["1.pt", "2.pt", "3.pt", "4.pt"]


def test_a_name_with_brackets_is_a_file_first(tmp_path: Path) -> None:
    odd = save(tmp_path / "loss[0.5].pt")
    assert len(read(odd, save(tmp_path / "b.pt")).checkpoints) == 2


def test_gaps_are_told_by_reason(tmp_path: Path) -> None:
    for k in (1, 2):
        save(tmp_path / f"{k}.pt")
    for k in range(5):
        (tmp_path / f"notes{k}.txt").write_text("nothing to see here")
    whole = (tmp_path / "1.pt").read_bytes()
    (tmp_path / "3.pt").write_bytes(whole[: len(whole) // 2])
    torch.save(net(units=7), tmp_path / "4.pt")
    torch.save({"weight": torch.ones(2, 2)}, tmp_path / "5.pt")
    found = read(tmp_path)
    assert files(found) == ["1.pt", "2.pt"]
    damaged, bare, foreign, text = found.notes
    assert damaged.startswith(f"left out: {tmp_path / '3.pt'}: damaged or incomplete")
    assert bare == f"left out: {tmp_path / '5.pt'}: no recurrent layer that can be rebuilt"
    listed = ", ".join(str(tmp_path / f"notes{k}.txt") for k in range(3))
    assert text == f"5 files are no checkpoints: {listed} and 2 more"
    assert foreign == f"left out: {tmp_path / '4.pt'}: its recurrent layers are others"


def test_a_layer_that_some_files_lack(tmp_path: Path) -> None:
    """The network that most files hold decides; others count as far as they share its layers."""
    both = {f"{part}.{name}": t for part in ("a", "b") for name, t in net().items()}
    for k in (1, 2):
        torch.save(both, tmp_path / f"{k}.pt")
    torch.save({name: t for name, t in both.items() if name[0] == "a"}, tmp_path / "3.pt")
    changed = {f"b.{name}": t for name, t in net(units=9).items()}
    torch.save({**both, **changed}, tmp_path / "4.pt")
    found = read(tmp_path)
    assert files(found) == ["1.pt", "2.pt", "3.pt", "4.pt"]
    assert found.layers["a/forward"].kernel == pytest.approx([48**0.5] * 4)
    assert found.layers["b/forward"].kernel[2:] == (None, None)
    assert found.layers["b/forward"].bias == pytest.approx((8, 8, None, None))


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_checkpoints(tmp_path: Path, count: int) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see here")
    for k in range(count):
        save(tmp_path / f"{k}.pt")
    with pytest.raises(
        BadOption, match=f"needs 2 checkpoints .* has {count}; 1 file is no .*notes"
    ):
        read(tmp_path)


@pytest.mark.parametrize("path", ["missing.pt", "*.ckpt", "empty"])
def test_a_path_that_leads_to_nothing(tmp_path: Path, path: str) -> None:
    save(tmp_path / "1.pt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadOption, match="no files there"):
        read(tmp_path / "1.pt", tmp_path / path)


def test_no_paths() -> None:
    with pytest.raises(BadOption, match="needs 2 checkpoints"):
        read()


def test_progress_is_told(tmp_path: Path) -> None:
    heard: list[tuple[str, float]] = []
    paths = [str(save(tmp_path / name)) for name in ("a.pt", "b.pt")]
    series.read(paths, OPTIONS, lambda what, done: heard.append((what, done)))
    assert heard == [("reading a.pt", 0.0), ("reading b.pt", 0.5)]
