"""Files that are small and yet would take for ever, or all of the memory: each is bounded."""

from __future__ import annotations

import gzip
import re
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rnndiag import checkpoints, memory, pipeline
from rnndiag.checkpoints._archives.tar_members import BrokenTar, TarStream
from rnndiag.checkpoints._hdf5 import check_storage, listing
from rnndiag.checkpoints._keras import architectures, sidecar
from rnndiag.checkpoints._pickles.budget import Budget
from rnndiag.checkpoints._pickles.objects import HugePickle
from rnndiag.checkpoints._torch import load
from rnndiag.errors import BadProbe, TooLarge, UnsafeCheckpoint
from rnndiag.layers import _sizes
from rnndiag.layers.base import Signal, build
from rnndiag.probe.array_files import open_arrays
from rnndiag.records import LayerSpec, Options, Shape, Writer
from rnndiag.wiring import _state_dict_chain as chain
from rnndiag.wiring._state_dict_foreign import alteration
from rnndiag.wiring._state_dict_modules import find
from rnndiag.wiring._state_dict_specs import labels

SHAPES: dict[str, Shape] = {
    f"lstm.{name}": tuple(array.shape) for name, array in nn.LSTM(2, 3).state_dict().items()
}


# ---------------------------------------------------------------- names in state dicts


def test_layers_of_two_readings_each(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0
    goes_on = chain._goes_on

    def counting(line: tuple[chain.Unit, ...], unit: chain.Unit) -> bool:
        nonlocal tried
        tried += 1
        return goes_on(line, unit)

    monkeypatch.setattr(chain, "_goes_on", counting)
    shapes = {**SHAPES, **{f"block.{k}.q.weight": (3, 3) for k in range(60)}}
    with pytest.raises(chain.NoChain, match="in no way"):
        chain.find_chain(shapes, find(shapes), {}, ordered=True)
    assert tried < 500


@pytest.mark.parametrize("path", ["1" * 60 + "x", "rnn1" * 200 + "x", "lstmcell" * 60 + "x"])
def test_names_that_can_be_split_in_many_ways(path: str) -> None:
    assert alteration(path) is None
    assert alteration(f"zoneout_lstm_cell{'1' * 60}") == "Zoneout"


def test_thousands_of_cells() -> None:
    names = [f"c{k}.weight_{part}" for k in range(5000) for part in ("ih", "hh")]
    found = find(dict.fromkeys(names, (4, 1)))
    assert len(found) == 5000
    assert not any(module.problem for module in found)


def test_norms_of_cells_that_stand_beside_each_other() -> None:
    shapes: dict[str, Shape] = {f"a.c.weight_{part}": (4, 1) for part in ("ih", "hh")}
    shapes |= {"a.ln_ih.weight": (4,), "b.ln_hh.weight": (4,)}
    (cell,) = find(shapes)
    assert cell.problem == "a custom cell, which also holds a.ln_ih.weight"


def test_more_layers_than_are_run(tmp_path: Path) -> None:
    weight = torch.zeros(4, 1)
    path = tmp_path / "cells.pt"
    names = [f"c{k}.weight_{part}" for k in range(300) for part in ("ih", "hh")]
    torch.save(dict.fromkeys(names, weight), path)
    report = pipeline.inspect(str(path), Options(device="cpu")).report
    assert sum(layer.analysed for layer in report.layers) == 256
    left = [layer for layer in report.layers if not layer.analysed]
    assert len(left) == 44
    why = "no more than 256 recurrent layers of a file are run"
    assert all(layer.reason and why in layer.reason for layer in left)


def test_wrapped_names_of_one_label() -> None:
    paths = [f"{'module.' * k}a" for k in range(400)]
    found = labels((), paths)
    assert len(set(found.values())) == len(paths)
    assert max(map(len, found.values())) < 10


# ---------------------------------------------------------------- HDF5


@pytest.mark.parametrize(("side", "refused"), [(200, False), (300, True)])
def test_chunks_of_which_none_is_stored(side: int, refused: bool, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        held = file.create_dataset("a", shape=(side, side), dtype="f4", chunks=(1, 1))
        if not refused:
            check_storage(held)
            return
        with pytest.raises(UnsafeCheckpoint, match="claims 90000 chunks"):
            check_storage(held)
    with pytest.raises(BadProbe, match="claims 90000 chunks"):
        open_arrays(tmp_path / "a.h5").load("a")


def nested(path: Path, depth: int) -> Path:
    with h5py.File(path, "w") as file:
        group: h5py.Group = file
        for _ in range(depth):
            group = group.create_group("a")
        group["x"] = np.zeros(2)
    return path


def test_groups_in_groups(tmp_path: Path) -> None:
    with h5py.File(nested(tmp_path / "60.h5", 60)) as file:
        assert [own.shape for own in listing.stored(file)] == [(2,)]
    path = nested(tmp_path / "100.h5", 100)
    with h5py.File(path) as file, pytest.raises(UnsafeCheckpoint, match="more than 64 deep"):
        listing.stored(file)
    with pytest.raises(BadProbe, match="more than 64 deep"):
        open_arrays(path)


def test_a_long_way_round_through_links(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for k in range(100):
            file.create_group(f"{k:03}")["x"] = np.zeros(k)
        for k in range(99):
            file[f"{k:03}/next"] = file[f"{k + 1:03}"]
        assert len(listing.stored(file)) == 100


# ---------------------------------------------------------------- pickles


def test_one_budget_for_several_files(tmp_path: Path) -> None:
    torch.save([[] for _ in range(1000)], tmp_path / "a.pt")
    with memory.bounded("1MB", "a.pt"):
        budget = Budget()
        load.load(tmp_path / "a.pt", zipped=True, budget=budget)
        budget.charge(memory.left())
        with pytest.raises(TooLarge, match="what its pickle describes"):
            load.load(tmp_path / "a.pt", zipped=True, budget=budget)


def test_what_pickles_describe_counts_as_taken(tmp_path: Path) -> None:
    torch.save([[] for _ in range(1000)], tmp_path / "a.pt")
    with memory.bounded("100MB", "a.pt"):
        load.load(tmp_path / "a.pt", zipped=True)
        assert 100e6 - memory.left() > 1000 * 64


def test_a_budget_follows_what_is_stored() -> None:
    with memory.bounded("8GB", "a"):
        with pytest.raises(HugePickle):
            Budget().charge(300 << 20)
        Budget(stored=100 << 20).charge(300 << 20)


# ---------------------------------------------------------------- archives


def tar(records: bytes, headers: int = 1) -> bytes:
    """An archive of one empty file with extended headers before it."""
    before = b""
    for _ in range(headers):
        header = tarfile.TarInfo("p")
        header.size, header.type = len(records), tarfile.XHDTYPE
        before += header.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512)
    return before + tarfile.TarInfo("a.pt").tobuf(tarfile.USTAR_FORMAT) + bytes(1024)


@pytest.mark.parametrize(
    ("records", "headers", "why"),
    [
        (b"5 a=\n" * 2000, 1, "more than 1000 records"),
        (b"5 a=\n", 9, "more headers"),
        (b"a=", 1, "an extended header is damaged"),
        (b"99 a=\n", 1, "an extended header is damaged"),
        (b"1 a=\n", 1, "an extended header is damaged"),
    ],
)
def test_headers_before_a_member(records: bytes, headers: int, why: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(tar(records, headers)))
    with TarStream(path, 1 << 20) as stream, pytest.raises(BrokenTar, match=why):
        list(stream)


def test_records_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar(b"5 a=\n" * 999 + b"15 path=b/c.pt\n"))
    with TarStream(path, 1 << 20) as stream:
        assert [member.name for member in stream] == ["b/c.pt"]


def test_more_members_than_memory(tmp_path: Path) -> None:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        for k in range(2000):
            archive.writestr(f"a/{k}", b"")
    path = tmp_path / "many.pt"
    path.write_bytes(content.getvalue())
    with memory.bounded("1MB", "many.pt"), pytest.raises(TooLarge, match="list of its members"):
        checkpoints.read(path)


# ---------------------------------------------------------------- JSON and links


def test_architectures_and_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(f"[{'[],' * 50_000}[]]")
    (tmp_path / "a.h5").touch()
    with memory.bounded("1MB", "a.h5"):
        with pytest.raises(TooLarge, match=re.escape("reading a.json")):
            architectures.read(path)
        with pytest.raises(TooLarge, match=re.escape("reading a.json")):
            sidecar.beside(tmp_path / "a.h5")


def test_an_architecture_that_is_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a.h5").touch()
    (tmp_path / "secret.json").write_text('{"class_name": "Sequential", "config": []}')
    (folder / "a.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(UnsafeCheckpoint, match="leads out of the folder"):
        sidecar.beside(folder / "a.h5")
    assert sidecar.find(folder / "b.h5", ()) is None


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_an_unpacked_archive_with_a_link(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    source = Path(__file__).parent / "data" / "networks" / "keras-3.0.5"
    with zipfile.ZipFile(next(iter(sorted(source.glob("*.keras"))))) as archive:
        archive.extractall(folder)
    checkpoints.read(folder)
    (folder / name).rename(tmp_path / "secret")
    (folder / name).symlink_to(tmp_path / "secret")
    with pytest.raises(UnsafeCheckpoint, match="leads out of the folder"):
        checkpoints.read(folder)


# ---------------------------------------------------------------- layers


def tiled(repeats: list[int], x: Tensor) -> None:
    spec = LayerSpec(
        name="tile",
        kind="UpSampling3D",
        config={"size": repeats},
        writer=Writer(framework="keras", version="3.0.5"),
    )
    _sizes.check(build(spec), [Signal(x)], [x])


def test_a_layer_that_grows_its_input_along_three_axes() -> None:
    x = torch.zeros(1, 2, 2, 2, 1)
    with memory.bounded("100MB", "a"):
        tiled([3, 3, 3], x)
        with pytest.raises(TooLarge, match="layer 'tile'"):
            tiled([300, 300, 300], x)
