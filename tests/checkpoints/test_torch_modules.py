"""Whole pickled modules and foreign objects: read as they are stored, with no class at hand."""

from __future__ import annotations

import argparse
import enum
import sys
import zipfile
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rnndiag import checkpoints, pipeline
from rnndiag.evidence import settings
from rnndiag.records import Checkpoint, Options, StateDict
from tests.checkpoints.torch_pickles import saved

INPUTS, UNITS, BATCH, STEPS = 3, 4, 2, 6
SOURCE = """
from torch import nn
import torch

class Net(nn.Module):
    def __init__(self, *modules):
        super().__init__()
        self.scale = nn.Parameter(torch.arange(3.0))
        self.register_buffer("kept", torch.ones(2))
        self.register_buffer("passing", torch.ones(2), persistent=False)
        self.width = 0.5
        for place, module in enumerate(modules):
            setattr(self, "abcdef"[place], module)

class Cell(nn.LSTMCell):
    pass

class Attributes(dict):
    pass
"""


@pytest.fixture
def vanishing() -> Iterator[Callable[[], Any]]:
    """A module with classes, which cannot be imported any more once it was forgotten."""
    made = ModuleType("vanishing")
    exec(SOURCE, made.__dict__)
    sys.modules["vanishing"] = made
    yield lambda: made
    sys.modules.pop("vanishing", None)


def read(value: Any, path: Path, *, old: bool = False, protocol: int = 2) -> Checkpoint:
    """What is read of `value` once its classes are gone."""
    saved(value, path, old=old, protocol=protocol)
    sys.modules.pop("vanishing", None)
    found = checkpoints.read(path)
    assert "vanishing" not in sys.modules
    return found


def content(checkpoint: Checkpoint) -> StateDict:
    assert isinstance(checkpoint.content, StateDict)
    return checkpoint.content


def assert_same(checkpoint: Checkpoint, expected: dict[str, Tensor]) -> None:
    found = content(checkpoint)
    wanted = {name: tensor for name, tensor in expected.items() if tensor.is_floating_point()}
    assert list(found.tensors) == list(wanted)
    for name, tensor in wanted.items():
        np.testing.assert_array_equal(found.tensors[name], tensor.float().numpy())


def facts(checkpoint: Checkpoint) -> dict[str, Any]:
    return {fact.name: fact.value for fact in checkpoint.training}


# ---------------------------------------------------------------- modules


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
@pytest.mark.parametrize("protocol", [1, 2, 4, 5])
@pytest.mark.parametrize("old", [False, True])
def test_a_module_of_a_missing_class(
    tmp_path: Path, vanishing: Any, old: bool, protocol: int
) -> None:
    norm = nn.BatchNorm1d(3)
    net = vanishing().Net(nn.Sequential(nn.LSTM(3, 4), norm), nn.ModuleDict({"x": nn.GRU(2, 2)}))
    expected = net.state_dict()
    found = read(net, tmp_path / "m.pt", old=old, protocol=protocol)
    assert_same(found, expected)
    assert "passing" not in expected
    assert all(array.flags.aligned for array in content(found).tensors.values())
    # A module's own attributes are none of its training's settings.
    assert found.training == ()
    told = content(found).modules
    assert list(told) == ["", "a", "a.0", "a.1", "b", "b.x"]
    assert told[""].class_name == "vanishing.Net"
    assert told[""].settings == {"training": True, "width": 0.5}
    assert told["a.0"].class_name == "torch.nn.modules.rnn.LSTM"
    assert told["a.0"].settings["hidden_size"] == 4
    assert found.notes == (
        "the file holds objects of classes that were not loaded: vanishing.Net, "
        "torch.nn.modules.container.Sequential, torch.nn.modules.rnn.LSTM, "
        "torch.nn.modules.batchnorm.BatchNorm1d and 2 more",
    )


def test_a_module_in_two_places(tmp_path: Path) -> None:
    shared = nn.Linear(2, 2)
    net = nn.ModuleList([shared, nn.LSTM(2, 2), shared])
    assert_same(read(net, tmp_path / "m.pt"), net.state_dict())


def test_a_module_nested_with_its_training(tmp_path: Path, vanishing: Any) -> None:
    net = vanishing().Net(nn.LSTM(3, 4))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.25, weight_decay=0.5)
    net.a(torch.ones(2, 1, 3))[0].sum().backward()
    optimizer.step()
    value = {"net": net, "optimizer": optimizer.state_dict(), "epoch": 7}
    expected = net.state_dict()
    found = read(value, tmp_path / "m.pt")
    assert_same(found, expected)
    assert facts(found)["epoch"] == 7
    assert facts(found)["weight_decay"] == 0.5
    assert found.updates["a.weight_hh_l0"].update_rms is not None


def test_two_modules_side_by_side(tmp_path: Path, vanishing: Any) -> None:
    first, second = vanishing().Net(nn.RNN(2, 2, nonlinearity="relu")), nn.RNN(3, 3)
    found = read({"en": first, "de": second}, tmp_path / "m.pt")
    assert [path for path in content(found).modules if path.startswith("en")] == ["en", "en.a"]
    assert content(found).modules["de"].settings["mode"] == "RNN_TANH"
    assert "de.weight_hh_l0" in content(found).tensors


def test_an_optimizer_that_is_pickled_whole(tmp_path: Path) -> None:
    module = nn.LSTM(3, 4)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.25)
    module(torch.ones(2, 1, 3))[0].sum().backward()
    optimizer.step()
    whole = read({"m": module.state_dict(), "optimizer": optimizer}, tmp_path / "whole.pt")
    state = {"m": module.state_dict(), "optimizer": optimizer.state_dict()}
    plain = read(state, tmp_path / "plain.pt")
    assert_same(whole, module.state_dict())
    assert facts(whole)["optimizer"] == facts(plain)["optimizer"] == "Adam"
    assert facts(whole)["learning_rate"] == 0.25
    for name, update in plain.updates.items():
        assert whole.updates[name] == update


def test_numbers_that_were_on_a_gpu(tmp_path: Path) -> None:
    module = nn.LSTM(3, 4)
    path = saved(module, tmp_path / "m.pt")
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    gpu = {name: own.replace(b"\3\0\0\0cpu", b"\6\0\0\0cuda:0") for name, own in records.items()}
    assert gpu != records
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, own in gpu.items():
            archive.writestr(name, own)
    assert_same(checkpoints.read(path), module.state_dict())


def test_numbers_with_the_largest_byte_first(tmp_path: Path) -> None:
    module = nn.LSTM(3, 4).double()
    path = saved(module.state_dict(), tmp_path / "m.pt")
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, own in records.items():
            if "/data/" in name:
                own = np.frombuffer(own, "<f8").astype(">f8").tobytes()
            archive.writestr(name, b"big" if name.endswith("byteorder") else own)
    assert_same(checkpoints.read(path), module.state_dict())


# ---------------------------------------------------------------- what attributes tell


def diagnose(module: nn.Module, folder: Path, **options: Any) -> Any:
    path = saved(module, folder / "m.pt")
    x = torch.randn(BATCH, STEPS, INPUTS, generator=torch.Generator().manual_seed(1))
    np.savez(folder / "probe.npz", x=x.numpy())
    chosen = Options(probe=str(folder / "probe.npz"), device="cpu", seeds=1, **options)
    return pipeline.inspect(str(path), chosen, in_full=True), x


@pytest.mark.parametrize("assumed", ["tanh", "relu"])
@pytest.mark.parametrize("stored", ["tanh", "relu"])
def test_the_files_nonlinearity_before_the_options(
    tmp_path: Path, stored: str, assumed: str
) -> None:
    module = nn.RNN(INPUTS, UNITS, 2, nonlinearity=stored, batch_first=True)
    done, x = diagnose(module, tmp_path, nonlinearity=assumed)
    expected = module(x)[0].detach().numpy()
    np.testing.assert_allclose(done.run.outputs[0], expected, rtol=0, atol=1e-6)
    told = any("--nonlinearity does not count" in note for note in done.report.notes)
    assert told == (assumed != "tanh")
    assert {layer.arguments["nonlinearity"] for layer in done.report.layers} == {stored}


def test_cells_have_a_nonlinearity_too(tmp_path: Path) -> None:
    done, _ = diagnose(nn.RNNCell(INPUTS, UNITS, nonlinearity="relu"), tmp_path)
    (layer,) = done.report.layers
    assert layer.arguments["nonlinearity"] == "relu"
    assert (done.run.layers[0].arrays.h >= 0).all()


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_cells_are_analysed(tmp_path: Path, kind: str) -> None:
    done, _ = diagnose(getattr(nn, kind)(INPUTS, UNITS), tmp_path)
    (layer,) = done.report.layers
    assert layer.analysed
    assert layer.arguments["class_name"] == kind


def test_the_option_counts_where_the_file_does_not_tell(tmp_path: Path) -> None:
    module = nn.RNN(INPUTS, UNITS, nonlinearity="relu", batch_first=True)
    torch.save(module.state_dict(), tmp_path / "m.pt")
    options = Options(device="cpu", seeds=1, batch=2, timesteps=4, nonlinearity="relu")
    report = pipeline.diagnose(str(tmp_path / "m.pt"), options)
    assert [note for note in report.notes if "relu is assumed (--nonlinearity)" in note]
    assert "nonlinearity" not in report.layers[0].arguments


def test_dropout_between_the_layers_of_a_stack(tmp_path: Path) -> None:
    module = nn.LSTM(INPUTS, UNITS, 3, dropout=0.3, batch_first=True, bidirectional=True)
    done, _ = diagnose(module, tmp_path)
    first = done.report.layers[0].arguments
    assert (first["dropout"], first["batch_first"], first["bidirectional"]) == (0.3, True, True)
    known = settings.gather(done.report).layers
    assert known["lstm_l0"].dropout is None
    for name in ("lstm_l1", "lstm_l2"):
        assert (known[name].dropout.value, known[name].dropout.source) == (0.3, "module")


def test_classes_tell_what_names_do_not(tmp_path: Path, vanishing: Any) -> None:
    """Nothing in ``a``, ``b`` and ``c`` says which of them embeds, and which is a norm."""
    net = vanishing().Net(nn.Embedding(9, 3), nn.LayerNorm(3, eps=0.25), nn.LSTM(3, 4))
    del net.scale, net.kept, net.passing
    path = saved(net, tmp_path / "whole.pt")
    torch.save(net.state_dict(), tmp_path / "tensors.pt")
    sys.modules.pop("vanishing")
    options = Options(device="cpu", seeds=1, batch=2, timesteps=4)
    whole = pipeline.inspect(str(path), options)
    assert whole.report.probe.wiring == "assumed"
    assert [note for note in whole.report.notes if "input → a → b → c" in note]
    tensors = pipeline.diagnose(str(tmp_path / "tensors.pt"), options)
    assert tensors.probe.wiring == "isolated"


def test_the_epsilon_of_a_norm(tmp_path: Path, vanishing: Any) -> None:
    net = vanishing().Net(nn.LayerNorm(INPUTS, eps=0.25), nn.LSTM(INPUTS, UNITS, batch_first=True))
    del net.scale, net.kept, net.passing
    done, x = diagnose(net, tmp_path)
    expected = net.b(net.a(x))[0].detach().numpy()
    np.testing.assert_allclose(done.run.outputs[0], expected, rtol=0, atol=1e-6)


# ---------------------------------------------------------------- foreign objects


class Mode(enum.Enum):
    FAST = 1


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("old", [False, True])
def test_what_stands_beside_the_weights(
    tmp_path: Path, vanishing: Any, old: bool, protocol: int
) -> None:
    module = nn.LSTM(3, 4)
    value = {
        "model": module.state_dict(),
        "args": argparse.Namespace(lr=0.5, weight_decay=0.25, mode=Mode.FAST, out=Path("x")),
        "hyper_parameters": vanishing().Attributes(batch_size=np.int64(32), dropout=0.5),
        "best": np.float64(0.125),
        "half": np.float16(0.5),
        "flag": np.bool_(True),
        "epoch": np.int32(3),
        "big": np.dtype(">i4").type(7),
        "callbacks": {"stop": print, "names": {"a", "b"}, "frozen": frozenset({1})},
        "counts": [Counter("aab"), defaultdict(list, a=[1]), OrderedDict(a=1)],
        "array": np.arange(3),
        "device": torch.device("cpu"),
        "size": torch.Size([2, 3]),
        "kind": torch.float16,
    }
    found = read(value, tmp_path / "m.pt", old=old, protocol=protocol)
    assert_same(found, module.state_dict())
    told = facts(found)
    assert (told["learning_rate"], told["weight_decay"]) == (0.5, 0.25)
    assert (told["batch_size"], told["dropout"]) == (32, 0.5)
    assert (told["best"], told["half"], told["flag"], told["epoch"]) == (0.125, 0.5, True, 3)
    assert told["big"] == 7
    assert "mode" not in told
    assert "out" not in told
    (note,) = found.notes
    assert "argparse.Namespace" in note


def test_names_too_long_to_be_names(tmp_path: Path) -> None:
    module = nn.LSTM(3, 4)
    value = {"x" * 3000: torch.ones(2), **module.state_dict()}
    assert_same(read(value, tmp_path / "m.pt"), module.state_dict())


def test_parameters_and_subclasses_of_tensors(tmp_path: Path) -> None:
    module = nn.LSTM(3, 4)
    value = dict(module.named_parameters())
    value["odd"] = torch.ones(2).as_subclass(Subclass)
    found = read(value, tmp_path / "m.pt")
    assert_same(found, {name: tensor.detach() for name, tensor in value.items()})


class Subclass(Tensor):
    pass


def test_sparse_and_quantized_tensors_are_no_weights(tmp_path: Path) -> None:
    module = nn.LSTM(3, 4)
    value = {"sparse": torch.eye(3).to_sparse(), **module.state_dict()}
    assert_same(read(value, tmp_path / "m.pt"), module.state_dict())


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_types_without_storages_of_their_own(tmp_path: Path, name: str) -> None:
    tensor = torch.ones(4, 4).to(getattr(torch, name))
    found = read({"weight_hh_l0": tensor, "ids": torch.ones(3).to(torch.uint16)}, tmp_path / "m.pt")
    assert_same(found, {"weight_hh_l0": tensor})


def test_a_module_cut_off_anywhere(tmp_path: Path) -> None:
    whole = saved(nn.LSTM(2, 2), tmp_path / "m.pt", old=True).read_bytes()
    for length in range(60, len(whole), 53):
        (tmp_path / "cut.pt").write_bytes(whole[:length])
        with pytest.raises(checkpoints.UnreadableCheckpoint, match="damaged"):
            checkpoints.read(tmp_path / "cut.pt")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_wrappers_are_not_shown(tmp_path: Path, prefix: str) -> None:
    state = {prefix + "rnn." + name: own for name, own in nn.LSTM(3, 4).state_dict().items()}
    path = saved(state, tmp_path / "m.pt")
    options = Options(device="cpu", seeds=1, batch=2, timesteps=4)
    (layer,) = pipeline.diagnose(str(path), options).layers
    assert layer.id == "rnn"
    assert layer.parameters["kernel"] == (prefix + "rnn.weight_ih_l0",)
