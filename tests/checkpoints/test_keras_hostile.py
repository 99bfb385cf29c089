"""Keras files that reach for other files, or for memory: refused before anything is read."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from hdf5_attacks import SECRET, external_link, external_storage, soft_link

from rnndiag import checkpoints
from rnndiag.errors import RnndiagError, UnsafeCheckpoint

MODEL = Path(__file__).parents[1] / "data" / "keras" / "tf-keras-2.15" / "lstm_basic.h5"
KERNEL = "model_weights/lstm/lstm/lstm_cell/kernel:0"


def external_group(file: h5py.File, other: Path, kernel: str) -> None:
    with h5py.File(other, "w") as source:
        source["lstm_cell/kernel:0"] = SECRET
    del file["model_weights/lstm/lstm"]
    file["model_weights/lstm/lstm"] = h5py.ExternalLink(str(other), "/")


def virtual_dataset(file: h5py.File, other: Path, kernel: str) -> None:
    with h5py.File(other, "w") as source:
        source["secret"] = SECRET
    layout = h5py.VirtualLayout(shape=SECRET.shape, dtype="f4")
    layout[:] = h5py.VirtualSource(str(other), "secret", shape=SECRET.shape)
    file.create_virtual_dataset(kernel, layout)


def shape_bomb(file: h5py.File, other: Path, kernel: str) -> None:
    file.create_dataset(kernel, shape=(1 << 21, 1 << 21), dtype="f4")


def compressed_bomb(file: h5py.File, other: Path, kernel: str) -> None:
    shape = (1 << 20, 1 << 20)
    file.create_dataset(kernel, shape=shape, dtype="f4", chunks=True, compression="gzip")


def absolute_name(file: h5py.File, other: Path, kernel: str) -> None:
    file["elsewhere"] = SECRET
    file[kernel] = SECRET
    names = ["/elsewhere", *file["model_weights/lstm"].attrs["weight_names"][1:]]
    file["model_weights/lstm"].attrs["weight_names"] = names


@pytest.mark.parametrize(
    "attack",
    [
        external_link,
        external_group,
        soft_link,
        external_storage,
        virtual_dataset,
        shape_bomb,
        compressed_bomb,
        absolute_name,
    ],
)
def test_what_is_not_in_the_file_is_refused(
    tmp_path: Path, attack: Callable[[h5py.File, Path, str], None]
) -> None:
    path = tmp_path / "model.h5"
    shutil.copy(MODEL, path)
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        attack(file, tmp_path / "other", KERNEL)
    with pytest.raises(UnsafeCheckpoint, match=r"model\.h5") as caught:
        checkpoints.read(path)
    assert caught.value.exit_code == 2


def test_a_loop_of_hard_links_ends(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    shutil.copy(MODEL, path)
    with h5py.File(path, "r+") as file:
        file["model_weights/loop"] = file["/"]
        names = list(file["model_weights"].attrs["layer_names"])
        file["model_weights"].attrs["layer_names"] = [*names, "loop/model_weights/loop"]
    with contextlib.suppress(RnndiagError):
        checkpoints.read(path)
