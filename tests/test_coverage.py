"""Every array in a file is accounted for, once: as many as h5py and torch themselves find there."""

from __future__ import annotations

import json
import os
import pickle
from collections import Counter
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import prune

import rnndiag
from rnndiag import pipeline
from rnndiag.errors import BadOption
from rnndiag.outputs.reports import markdown, table
from rnndiag.records import Coverage, Outcome, Report
from tests import keras_files
from tests.published import catalogue

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests/data"
KINDS = (".h5", ".keras", ".pt", ".ckpt")
FIXTURES = sorted(
    path
    for folder in (DATA, ROOT / "samples")
    for path in folder.rglob("*")
    # No public function lists the constants of a traced network.
    if path.suffix in KINDS and not path.name.endswith("_traced.script.pt")
)
FETCHED = os.environ.get("RNNDIAG_PUBLISHED")
KERAS = DATA / "keras/keras-3.15/lstm_stacked_dropout.keras"


def report_of(path: Path, **options: Any) -> Report:
    small = {"batch": 1, "seeds": 1, "device": "cpu", **options}
    try:
        return rnndiag.diagnose(str(path), timesteps=2, **small)
    except BadOption:
        return rnndiag.diagnose(str(path), **small)


def roles(report: Report) -> dict[str, int]:
    return dict(Counter(array.role for array in report.coverage))


def by_name(report: Report) -> dict[str, Coverage]:
    return {array.name: array for array in report.coverage}


# ---------------------------------------------------------------- as many as there are


def shapes_in(path: Path) -> list[tuple[int, ...]]:
    """The shape of every array in a file, as its own library lists them."""
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            return [tuple(file.get_slice(name).get_shape()) for name in file.keys()]  # noqa: SIM118
    if h5py.is_hdf5(path):
        return in_hdf5(path)
    if path.suffix == ".keras":
        return in_hdf5(BytesIO(keras_files.members(path)[keras_files.WEIGHTS]))
    if path.name.endswith(".script.pt"):
        script = torch.jit.load(path, map_location="cpu")
        return [tuple(tensor.shape) for tensor in script.state_dict().values()]
    found = torch.load(
        path, weights_only=False, map_location="cpu", pickle_module=SimpleNamespace(**FORGIVING)
    )
    return [tuple(tensor.shape) for tensor in tensors(found, set())]


class Forgiving(pickle.Unpickler):
    """Makes a module of each class whose code is not there."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except ModuleNotFoundError:
            return type(name, (nn.Module,), {})


FORGIVING = {**vars(pickle), "Unpickler": Forgiving}


def in_hdf5(path: Any) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []

    def look(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found.append(tuple(item.shape))

    with h5py.File(path) as file:
        file.visititems(look)
    return found


def tensors(value: Any, seen: set[int]) -> Iterator[torch.Tensor]:
    """Every tensor within what torch has loaded, once."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item, seen)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from tensors(item, seen)
    elif hasattr(value, "__dict__"):
        yield from tensors(vars(value), seen)


def accounts_for_all(path: Path) -> Report:
    """What the report says of a file, where it says as much as the file's own library."""
    report = report_of(path)
    assert Counter(array.shape for array in report.coverage) == Counter(shapes_in(path))
    assert len({array.name for array in report.coverage}) == len(report.coverage)
    # What is analysed is just what the layers say that they are made of.
    analysed = [layer for layer in report.layers if layer.analysed]
    owners = {a.owner for a in report.coverage if a.role == "analysed"}
    assert owners <= {layer.id for layer in analysed}
    # A layer that stands in two models has its arrays once: they are counted at one of them.
    made_of = {layer.id: str(layer.parameters) for layer in analysed}
    assert {made_of[owner] for owner in owners} == set(made_of.values())
    return report


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_array_of_every_fixture(path: Path) -> None:
    report = accounts_for_all(path)
    missing = [array for array in report.coverage if array.role == "not_analysed"]
    assert all(array.reason for array in missing)
    if all(layer.analysed for layer in report.layers):
        assert missing == []


@pytest.mark.skipif(not FETCHED, reason="set RNNDIAG_PUBLISHED=FOLDER")
@pytest.mark.parametrize("checkpoint", catalogue.checkpoints(), ids=lambda own: own.id)
def test_every_array_of_published_checkpoints(checkpoint: catalogue.Checkpoint) -> None:
    path = checkpoint.fetched(Path(str(FETCHED)))
    if path.suffix != ".jit":
        accounts_for_all(path)


# ---------------------------------------------------------------- whose they are


def test_a_keras_model(tmp_path: Path) -> None:
    path = ROOT / "samples/brackets_bidirectional.h5"
    report = report_of(path)
    analysed = [array for array in report.coverage if array.role == "analysed"]
    parts = {(array.direction, array.part) for array in analysed}
    assert parts == {
        (direction, part)
        for direction in ("forward", "backward")
        for part in ("kernel", "recurrent", "bias")
    }
    assert all(array.name.startswith("model_weights/") for array in analysed)
    moments = [array for array in report.coverage if array.role == "optimizer"]
    assert {array.owner for array in moments} == {"optimizer_weights"}


def test_weights_of_the_model_itself(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes((ROOT / "samples/adding_gru.h5").read_bytes())
    with h5py.File(path, "a") as file:
        file.require_group("model_weights/top_level_model_weights")["own:0"] = np.zeros((2, 3))
        file["seed_generator_3"] = np.zeros(2, dtype=np.uint32)
    found = by_name(accounts_for_all(path))
    assert found["model_weights/top_level_model_weights/own:0"].role == "not_analysed"
    assert found["seed_generator_3"].role == "bookkeeping"


def test_links_and_damaged_objects_are_no_reason_to_stop(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes((ROOT / "samples/adding_gru.h5").read_bytes())
    before = len(report_of(path).coverage)
    with h5py.File(path, "a") as file:
        file["elsewhere"] = h5py.ExternalLink("secret.h5", "/secret")
        file["soft"] = h5py.SoftLink("/model_weights")
        file["loop"] = file["/"]
    assert len(report_of(path).coverage) == before


def test_keras_weights_alone(tmp_path: Path) -> None:
    model = DATA / "keras/keras-3.15/embed_mask.h5"
    report = accounts_for_all(keras_files.weights_only(model, tmp_path / "alone.h5"))
    apart = [array for array in report.coverage if array.role == "surrounding"]
    assert apart
    assert all("where its layer stands" in str(array.reason) for array in apart)


def test_keras_numbered_weights(tmp_path: Path) -> None:
    weights, _ = keras_files.bare(KERAS, tmp_path)
    assert roles(accounts_for_all(weights)) == roles(report_of(KERAS))


class Net(nn.Module):
    """A recurrent module between others."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm1d(3)
        self.rnn = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
        self.head = nn.Linear(8, 2)


def trained(net: nn.Module) -> torch.optim.Optimizer:
    optimizer = torch.optim.AdamW(net.parameters())
    sum(own.square().sum() for own in net.parameters()).backward()  # type: ignore[union-attr]
    optimizer.step()
    return optimizer


def test_a_state_dict_within_a_larger_file(tmp_path: Path) -> None:
    net = Net()
    optimizer = trained(net)
    path = tmp_path / "model.ckpt"
    content = {
        "state_dict": net.state_dict(),
        "ema": {name: own.clone() for name, own in net.state_dict().items()},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [{"last_lr": torch.tensor([0.1, 0.2])}],
        "rng": torch.get_rng_state(),
        "mean": torch.zeros(5),
        "counts": {"seen": np.arange(6.0).reshape(2, 3)},
    }
    torch.save(content, path)
    found = by_name(report_of(path))
    listed = [array for array in found.values() if array.name != "counts.seen"]
    assert Counter(a.shape for a in listed) == Counter(shapes_in(path))
    assert found["counts.seen"].shape == (2, 3)
    kernel = found["state_dict.rnn.weight_ih_l1_reverse"]
    assert (kernel.role, kernel.owner, kernel.direction, kernel.part) == (
        *("analysed", "rnn_l1"),
        *("backward", "kernel"),
    )
    assert found["state_dict.head.weight"].role == "surrounding"
    assert found["state_dict.conv.weight"].role == "not_analysed"
    assert found["state_dict.norm.num_batches_tracked"].role == "bookkeeping"
    assert found["ema.rnn.weight_ih_l0"].role == "copied"
    assert found["ema.rnn.weight_ih_l0"].reason == "a copy: averaged weights"
    assert found["optimizer_states.0.state.3.exp_avg"].role == "optimizer"
    assert found["lr_schedulers.0.last_lr"].role == "bookkeeping"
    assert found["rng"].role == "bookkeeping"
    assert found["mean"].role == "not_analysed"


def test_a_pickled_module(tmp_path: Path) -> None:
    """Its list of flat weights holds the same tensors once more, which count once."""
    path = tmp_path / "module.pt"
    torch.save(Net(), path)
    report = accounts_for_all(path)
    assert roles(report)["analysed"] == 16


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_module(tmp_path: Path) -> None:
    net = nn.LSTM(3, 4)
    path = tmp_path / "scripted.pt"
    torch.jit.script(net).save(str(path))  # type: ignore[no-untyped-call]
    assert roles(report_of(path)) == {"analysed": len(net.state_dict())}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_traced_module_and_its_constants(tmp_path: Path) -> None:
    class Scaled(nn.Module):
        """Multiplies by a tensor that is no parameter."""

        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.rnn(x * torch.tensor([1.0, 2.0, 3.0]))[0]
            return out

    path = tmp_path / "traced.pt"
    torch.jit.trace(Scaled(), torch.zeros(2, 1, 3)).save(str(path))  # type: ignore[no-untyped-call]
    found = by_name(report_of(path))
    assert (found["constants.0"].role, found["constants.0"].shape) == ("not_analysed", (3,))
    assert sum(array.role == "analysed" for array in found.values()) == 4


def test_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(Net().state_dict(), path)
    report = accounts_for_all(path)
    assert roles(report)["bookkeeping"] == 1


@pytest.mark.parametrize("name", ["weight_norm", "pruned", "spectral_norm"])
def test_weights_in_pieces(tmp_path: Path, name: str) -> None:
    net = nn.LSTM(3, 4)
    if name == "weight_norm":
        nn.utils.parametrizations.weight_norm(net, "weight_hh_l0")
    elif name == "spectral_norm":
        nn.utils.parametrizations.spectral_norm(net, "weight_hh_l0")
    else:
        prune.random_unstructured(net, "weight_hh_l0", 0.5)  # type: ignore[no-untyped-call]
    path = tmp_path / "pieces.pt"
    torch.save(net.state_dict(), path)
    report = accounts_for_all(path)
    assert set(roles(report)) == {"analysed"}


# ---------------------------------------------------------------- nothing analysed


def renamed(config: dict[str, Any]) -> None:
    """Each recurrent layer is of a class that nobody knows."""
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "LSTM":
            layer.update(class_name="Forgetful", module="theirs", registered_name="theirs>It")
            layer["config"] = {"name": layer["config"]["name"], "novelty": 1}


@pytest.mark.parametrize("kind", [".keras", ".h5"])
def test_unknown_keras_layers_are_never_clean(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"own{kind}"
    if kind == ".keras":
        keras_files.reconfigured(KERAS, path, renamed)
    else:
        path.write_bytes(KERAS.with_suffix(kind).read_bytes())
        with h5py.File(path, "a") as file:
            config = json.loads(file.attrs["model_config"])
            renamed(config)
            file.attrs["model_config"] = json.dumps(config)
    report = accounts_for_all(path)
    assert report.exit_code == 3
    missing = [array for array in report.coverage if array.role == "not_analysed"]
    assert len(missing) == 6
    assert all(array.reason for array in missing)


@pytest.mark.parametrize("kind", ["pt", "safetensors", "module"])
def test_unknown_torch_layers_are_never_clean(tmp_path: Path, kind: str) -> None:
    weights = {
        "cell.weight_ih": torch.zeros(10, 3),
        "cell.weight_hh": torch.zeros(10, 2),
        "cell.inner.scale": torch.zeros(4),
        "head.weight": torch.zeros(1, 2),
    }
    path = tmp_path / f"odd.{kind}"
    if kind == "safetensors":
        save_file(weights, path)
    elif kind == "module":
        torch.save(odd_module(weights), path)
    else:
        torch.save(weights, path)
    report = report_of(path)
    assert report.exit_code == 3
    cell = [array for array in report.coverage if array.owner == "cell"]
    assert len(cell) == 3
    assert {array.role for array in cell} == {"not_analysed"}


def odd_module(weights: Mapping[str, torch.Tensor]) -> nn.Module:
    net = nn.Module()
    for name, tensor in weights.items():
        *path, last = name.split(".")
        place = net
        for part in path:
            if part not in dict(place.named_children()):
                place.add_module(part, nn.Module())
            place = getattr(place, part)
        setattr(place, last, nn.Parameter(tensor))
    return net


def test_no_recurrent_layer_at_all(tmp_path: Path) -> None:
    path = tmp_path / "linear.pt"
    torch.save(nn.Linear(3, 4).state_dict(), path)
    report = report_of(path)
    assert report.exit_code == 3
    assert "analysed" not in roles(report)
    assert len(report.coverage) == 2


# ---------------------------------------------------------------- as it is told


def test_it_is_told_in_one_line_and_listed_when_asked() -> None:
    report = report_of(ROOT / "samples/zen_overfit.ckpt")
    line = "44 arrays: 8 analysed, 3 surrounding, 33 optimizer"
    outcome = Outcome(reports=(report,))
    brief = table.render(outcome, width=100, color=False, verbose=False)
    full = table.render(outcome, width=100, color=False, verbose=True)
    assert line in brief
    assert "optimizer_states" not in brief
    assert "optimizer_states  optimizer       33" in full


def test_thousands_of_arrays_stay_readable_and_none_that_was_left_out_is_hidden() -> None:
    many = tuple(
        Coverage(name=f"layer{k}/w\x1b", shape=(k,), role="surrounding", owner=f"layer{k}")
        for k in range(5000)
    )
    odd = Coverage(name="odd", shape=(), role="not_analysed", reason="nobody knows it")
    report = report_of(ROOT / "samples/recall_default.pt")
    told = Report(**{**vars(report), "coverage": (*many, odd)})
    full = table.render(Outcome(reports=(told,)), width=100, color=False, verbose=True)
    assert "odd scalar: nobody knows it" in full
    assert "4961 more" in full
    assert "\x1b" not in full
    assert len(full.splitlines()) < 120


def test_markdown_lists_them_too() -> None:
    report = rnndiag.advise(
        str(ROOT / "samples/recall_default.pt"), batch=1, seeds=1, timesteps=2, device="cpu"
    )
    told = markdown.render(Outcome(reports=(report,)), width=80, color=False, verbose=True)
    assert "6 arrays: 4 analysed, 2 surrounding" in told


def test_numbers_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a state dict, the tensors of a layer that is not run stay in the file."""
    from rnndiag.checkpoints._torch.tensors import LazyArrays

    asked: list[str] = []
    get = LazyArrays.__getitem__
    monkeypatch.setattr(
        LazyArrays, "__getitem__", lambda self, name: (asked.append(name), get(self, name))[1]
    )
    done = pipeline.inspect(
        str(ROOT / "samples/zen_overfit.ckpt"), rnndiag.records.Options(batch=1, seeds=1)
    )
    assert {name for name in asked if "optim" in name} == set()
    assert done.report.coverage
