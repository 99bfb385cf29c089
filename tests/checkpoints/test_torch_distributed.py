"""Folders of torch.distributed.checkpoint: written by torch, and read without it."""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor, nn
from torch.distributed.checkpoint import filesystem
from torch.distributed.checkpoint.metadata import (
    BytesStorageMetadata,
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)

from rnndiag import checkpoints, pipeline
from rnndiag.checkpoints._torch import distributed
from rnndiag.errors import RnndiagError, TooLarge, UnreadableCheckpoint, UnsafeCheckpoint
from rnndiag.records import Checkpoint, Options, StateDict
from tests.checkpoints.torch_pickles import called, mapping, text

Chunks = Mapping[str, Sequence[tuple[tuple[int, ...], Tensor]]]
"""The chunks of each tensor, by where they are in it."""


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.LSTM(3, 4), nn.Linear(4, 2))


def saved(value: Any, folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save(value, checkpoint_id=folder, no_dist=True)
    return folder


def written(
    folder: Path, chunks: Chunks, sizes: Mapping[str, tuple[int, ...]], **info: Any
) -> Path:
    """What several processes write, one file for each chunk's place in the list."""
    folder.mkdir(exist_ok=True)
    files: dict[str, bytes] = {}
    data: dict[Any, Any] = {}
    for name, own in chunks.items():
        for rank, (offsets, tensor) in enumerate(own):
            file = f"__{rank}_0.distcp"
            stream = io.BytesIO()
            torch.save(tensor.clone(), stream)
            before = files.get(file, b"")
            place = {"relative_path": file, "offset": len(before), "length": len(stream.getvalue())}
            files[file] = before + stream.getvalue()
            at = MetadataIndex(name, torch.Size(offsets))
            data[at] = filesystem._StorageInfo(**{**place, **info})
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return described(folder, chunks, sizes, data)


def described(
    folder: Path, chunks: Chunks, sizes: Mapping[str, tuple[int, ...]], data: Mapping[Any, Any]
) -> Path:
    told = {
        name: TensorStorageMetadata(
            properties=TensorProperties(dtype=own[0][1].dtype if own else torch.float32),
            size=torch.Size(sizes[name]),
            chunks=[ChunkStorageMetadata(torch.Size(at), tensor.shape) for at, tensor in own],
        )
        for name, own in chunks.items()
    }
    metadata = Metadata(told, {name: (name,) for name in told}, dict(data))
    (folder / ".metadata").write_bytes(pickle.dumps(metadata))
    return folder


def tensors(checkpoint: Checkpoint) -> Mapping[str, Any]:
    assert isinstance(checkpoint.content, StateDict)
    return checkpoint.content.tensors


def assert_same(checkpoint: Checkpoint, expected: Mapping[str, Tensor]) -> None:
    assert list(tensors(checkpoint)) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(tensors(checkpoint)[name], tensor.float().numpy())


# ---------------------------------------------------------------- what torch writes


@pytest.mark.parametrize("named", ["folder", "metadata"])
def test_a_state_dict(tmp_path: Path, named: str) -> None:
    net = network()
    folder = saved(net.state_dict(), tmp_path / "d")
    read = checkpoints.read(folder / ".metadata" if named == "metadata" else folder)
    assert_same(read, net.state_dict())
    assert (read.format, read.notes) == ("torch-distributed", ())
    assert read.size_bytes == sum(file.stat().st_size for file in folder.iterdir())


def test_the_model_beside_its_training(tmp_path: Path) -> None:
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.25, weight_decay=0.5)
    net[0](torch.ones(2, 1, 3))[0].sum().backward()
    optimizer.step()
    value = {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    torch.save(value, tmp_path / "m.pt")
    read = checkpoints.read(saved(value, tmp_path / "d"))
    single = checkpoints.read(tmp_path / "m.pt")
    assert_same(read, net.state_dict())
    told = {fact.name: fact.value for fact in read.training}
    assert (told["epoch"], told["learning_rate"], told["weight_decay"]) == (3, 0.25, 0.5)
    assert read.updates.keys() == single.updates.keys() != set()
    assert all(read.updates[name] == update for name, update in single.updates.items())


def test_its_layers_are_analysed(tmp_path: Path) -> None:
    folder = saved({"model": network().state_dict()}, tmp_path / "d")
    options = Options(device="cpu", seeds=1, batch=2, timesteps=4)
    (layer,) = pipeline.diagnose(str(folder), options).layers
    assert (layer.name, layer.kind, layer.analysed) == ("0", "LSTM", True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_types(tmp_path: Path, dtype: torch.dtype) -> None:
    net = network().to(dtype)
    assert_same(checkpoints.read(saved(net.state_dict(), tmp_path / "d")), net.state_dict())


# ---------------------------------------------------------------- chunks


def rows(tensor: Tensor, *cuts: int) -> list[tuple[tuple[int, ...], Tensor]]:
    """The tensor cut before these rows."""
    bounds = [0, *cuts, len(tensor)]
    rest = (0,) * (tensor.dim() - 1)
    return [((a, *rest), tensor[a:b]) for a, b in pairwise(bounds)]


def test_tensors_are_put_together(tmp_path: Path) -> None:
    state = network().state_dict()
    chunks = {name: rows(tensor, 1) for name, tensor in state.items()}
    square = state["0.weight_hh_l0"]
    chunks["0.weight_hh_l0"] = [
        ((8 * k, 2 * j), square[8 * k : 8 * k + 8, 2 * j : 2 * j + 2])
        for k in (1, 0)
        for j in (0, 1)
    ]
    sizes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    assert_same(checkpoints.read(written(tmp_path / "d", chunks, sizes)), state)


WHOLE = torch.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("chunks", "what"),
    [
        ([], "do not make up"),
        (rows(WHOLE, 2)[:1], "do not make up"),
        ([*rows(WHOLE, 2), ((1, 0), WHOLE[:2])], "do not make up"),
        ([((0, 0), WHOLE[:2]), ((1, 0), WHOLE[2:])], "overlap"),
        ([((0, 0), WHOLE[:2]), ((3, 0), WHOLE[2:])], "reaches beyond the tensor"),
        ([((0, 0), WHOLE[:2]), ((2,), WHOLE[2:])], "other axes"),
        ([((0, 0), WHOLE[:2]), ((2, 0), WHOLE[2:].double())], "do not make up"),
        ([((0, 0), WHOLE[:2]), ((2, 0), WHOLE[2:].reshape(-1))], "other axes"),
    ],
)
def test_chunks_that_do_not_make_up_their_tensor(
    tmp_path: Path, chunks: list[tuple[tuple[int, ...], Tensor]], what: str
) -> None:
    folder = written(tmp_path / "d", {"weight_hh_l0": chunks}, {"weight_hh_l0": (4, 3)})
    with pytest.raises(UnreadableCheckpoint, match=what):
        checkpoints.read(folder)


def test_a_tensor_of_a_terabyte_takes_no_memory(tmp_path: Path) -> None:
    chunks = {"weight_hh_l0": rows(WHOLE, 2)}
    folder = written(tmp_path / "d", chunks, {"weight_hh_l0": (1 << 20, 1 << 20)})
    with pytest.raises(UnreadableCheckpoint, match="do not make up"):
        checkpoints.read(folder)


# ---------------------------------------------------------------- broken, or made to deceive


@pytest.mark.parametrize("file", ["../__0_0.distcp", "/etc/passwd", "a/../../x", "C:\\x"])
def test_files_elsewhere(tmp_path: Path, file: str) -> None:
    chunks = {"weight_hh_l0": rows(WHOLE, 2)}
    folder = written(tmp_path / "d", chunks, {"weight_hh_l0": (4, 3)}, relative_path=file)
    (tmp_path / "__0_0.distcp").write_bytes((folder / "__0_0.distcp").read_bytes())
    with pytest.raises(UnsafeCheckpoint, match="which is not in its folder"):
        checkpoints.read(folder)


def test_a_missing_file(tmp_path: Path) -> None:
    folder = saved(network().state_dict(), tmp_path / "d")
    (folder / "__0_0.distcp").unlink()
    with pytest.raises(UnreadableCheckpoint, match=r"'__0_0\.distcp', which it names, is missing"):
        checkpoints.read(folder)


@pytest.mark.parametrize(
    "info", [{"offset": 1 << 40}, {"length": 1 << 40}, {"offset": -1}, {"offset": 7}, {"length": 9}]
)
def test_places_that_are_wrong(tmp_path: Path, info: dict[str, int]) -> None:
    chunks = {"weight_hh_l0": rows(WHOLE, 2)}
    folder = written(tmp_path / "d", chunks, {"weight_hh_l0": (4, 3)}, **info)
    with pytest.raises(UnreadableCheckpoint, match="damaged or incomplete"):
        checkpoints.read(folder)


def test_chunks_of_an_extension(tmp_path: Path) -> None:
    chunks = {"weight_hh_l0": rows(WHOLE, 2)}
    sizes = {"weight_hh_l0": (4, 3)}
    folder = written(tmp_path / "d", chunks, sizes, transform_descriptors=["stream.zstd"])
    with pytest.raises(RnndiagError, match="packed by an extension") as caught:
        checkpoints.read(folder)
    assert "dcp_to_torch" in caught.value.hint


@pytest.mark.parametrize("file", [".metadata", "__0_0.distcp"])
def test_files_that_are_cut_off(tmp_path: Path, file: str) -> None:
    folder = saved({"model": network().state_dict(), "epoch": 3}, tmp_path / "d")
    whole = (folder / file).read_bytes()
    for length in range(0, len(whole), len(whole) // 40):
        (folder / file).write_bytes(whole[:length])
        with pytest.raises(UnreadableCheckpoint):
            checkpoints.read(folder)


def test_entries_without_a_place(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    metadata = Metadata({"epoch": BytesStorageMetadata()}, None, {})
    (folder / ".metadata").write_bytes(pickle.dumps(metadata))
    with pytest.raises(UnreadableCheckpoint, match="nothing tells how 'epoch' is stored"):
        checkpoints.read(folder)


@pytest.mark.parametrize(
    "paths",
    [
        {"a": ("x",), "b": ("x", "y")},
        {"a": ("x", "y"), "b": ("x",)},
        {"a": (), "b": ("x",)},
        {"a": tuple("x" * 100), "b": ("x",)},
        {"a": (("x",),), "b": ("x",)},
    ],
)
def test_paths_that_are_none(tmp_path: Path, paths: dict[str, Any]) -> None:
    folder = saved({"a": torch.ones(2), "b": torch.ones(2)}, tmp_path / "d")
    metadata = pickle.loads((folder / ".metadata").read_bytes())
    metadata.planner_data = paths
    (folder / ".metadata").write_bytes(pickle.dumps(metadata))
    with pytest.raises(UnreadableCheckpoint, match="damaged or incomplete"):
        checkpoints.read(folder)


def test_nothing_in_the_metadata_is_run(tmp_path: Path) -> None:
    folder = saved(network().state_dict(), tmp_path / "d")
    whole = (folder / ".metadata").read_bytes()
    target = tmp_path / "written"
    attack = called("builtins open", text(str(target)), text("w")) + b"0"
    framed = pickle.dumps(pickle.loads(whole), 2)
    (folder / ".metadata").write_bytes(framed[:2] + attack + framed[2:])
    assert_same(checkpoints.read(folder), network().state_dict())
    assert not target.exists()
    (folder / ".metadata").write_bytes(attack[:-1] + b".")
    with pytest.raises(UnreadableCheckpoint, match="its metadata has no state_dict_metadata"):
        checkpoints.read(folder)
    (folder / ".metadata").write_bytes(mapping(a=text("b")) + b".")
    with pytest.raises(UnreadableCheckpoint, match="its metadata has no state_dict_metadata"):
        checkpoints.read(folder)
    assert not target.exists()


def test_memory_is_asked_for_before_it_is_taken(tmp_path: Path) -> None:
    from rnndiag import memory

    large = torch.zeros(1 << 20)
    folder = written(tmp_path / "d", {"weight": rows(large, 5)}, {"weight": (1 << 20,)})
    with memory.bounded(1 << 20, "d"), pytest.raises(TooLarge, match="putting 'weight' together"):
        checkpoints.read(folder)


def pointing(folder: Path, places: Mapping[str, tuple[int, int]]) -> Path:
    """Entries that begin and end where `places` says, in a file of one saved tensor."""
    folder.mkdir()
    stream = io.BytesIO()
    torch.save(torch.ones(2), stream)
    content = stream.getvalue()
    (folder / "a.distcp").write_bytes(content)
    data = {
        MetadataIndex(name, torch.Size((0,))): filesystem._StorageInfo(
            "a.distcp", start, len(content) - end
        )
        for name, (start, end) in places.items()
    }
    chunks: Chunks = {name: [((0,), torch.ones(2))] for name in places}
    return described(folder, chunks, dict.fromkeys(places, (2,)), data)


def test_many_entries_at_one_place_are_followed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pointing(tmp_path / "a", {f"w{k}": (0, 0) for k in range(50)})
    seen: list[Any] = []
    followed = distributed.Folder._followed

    def counting(self: distributed.Folder, chunk: Any) -> Any:
        seen.append(chunk)
        return followed(self, chunk)

    monkeypatch.setattr(distributed.Folder, "_followed", counting)
    found = tensors(checkpoints.read(folder))
    assert len(found) == 50
    assert len(seen) == 1


def test_entries_that_overlap(tmp_path: Path) -> None:
    folder = pointing(tmp_path / "a", {"a": (0, 0), "b": (1, 0)})
    with pytest.raises(UnreadableCheckpoint, match="its chunks overlap"):
        checkpoints.read(folder)
