"""Arrays from files of every kind, whole, damaged and hostile."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from test_probe_files import Trap

from rnndiag.errors import BadProbe, RnndiagError
from rnndiag.probe.array_files import ArrayFile, open_arrays
from rnndiag.records import Array

X = np.arange(24, dtype=np.float32).reshape(2, 4, 3)


def read(path: Path) -> dict[str, Array]:
    file = open_arrays(path)
    return {name: file.load(name) for name in file.loaders}


def save_npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, X)


def save_npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, x=X)


def save_npz_compressed(path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, x=X)


def save_torch(path: Path) -> None:
    torch.save({"x": torch.from_numpy(X), "step": 3}, path)


def save_torch_legacy(path: Path) -> None:
    torch.save({"x": torch.from_numpy(X)}, path, _use_new_zipfile_serialization=False)


def save_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = X


def save_csv(path: Path) -> None:
    rows = "\n\n".join("\n".join(",".join(map(str, row)) for row in sample) for sample in X)
    path.write_text(f"a,b,c\n{rows}\n", encoding="utf-8")


SAVERS = [
    save_npy,
    save_npz,
    save_npz_compressed,
    save_torch,
    save_torch_legacy,
    save_hdf5,
    save_csv,
]
BINARY = SAVERS[:-1]


@pytest.mark.parametrize("save", SAVERS)
def test_the_content_tells_the_kind(tmp_path: Path, save: Callable[[Path], None]) -> None:
    path = tmp_path / "probe.any"
    save(path)
    found = read(path)
    assert list(found) == ["x"]
    np.testing.assert_array_equal(found["x"], X)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("save", BINARY)
def test_a_cut_file_is_one_message(
    tmp_path: Path, save: Callable[[Path], None], share: float
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    save(whole)
    content = whole.read_bytes()
    cut.write_bytes(content[: max(1, int(share * len(content)))])
    with pytest.raises(BadProbe, match="cut") as raised:
        read(cut)
    assert raised.value.hint
    assert "\n" not in raised.value.message


@pytest.mark.parametrize("save", BINARY)
def test_no_flipped_byte_escapes_as_another_error(
    tmp_path: Path, save: Callable[[Path], None]
) -> None:
    path = tmp_path / "probe"
    save(path)
    content = path.read_bytes()
    refused = []
    for place in range(0, len(content), max(1, len(content) // 150)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            read(path)
        except BadProbe as error:
            refused.append(error.message)
    assert refused
    assert all(str(path) in message for message in refused)


def test_a_single_tensor_and_a_list_of_tensors(tmp_path: Path) -> None:
    torch.save(torch.ones(2, 3), tmp_path / "one.pt")
    assert list(read(tmp_path / "one.pt")) == ["x"]
    torch.save([torch.ones(2, 3), torch.zeros(2)], tmp_path / "two.pt")
    assert list(read(tmp_path / "two.pt")) == ["x0", "x1"]


def test_tensors_that_numpy_does_not_know(tmp_path: Path) -> None:
    odd = {
        "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "sparse": torch.tensor([0.0, 3.0]).to_sparse(),
        "learned": torch.nn.Parameter(torch.ones(2)),
    }
    torch.save(odd, tmp_path / "odd.pt")
    found = read(tmp_path / "odd.pt")
    np.testing.assert_array_equal(found["half"], [1.5, -2.0])
    np.testing.assert_array_equal(found["sparse"], [0.0, 3.0])
    np.testing.assert_array_equal(found["learned"], [1.0, 1.0])


def test_hdf5_groups(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "deep.h5", "w") as file:
        file["train/x"] = X
        file["empty"] = h5py.Empty("f4")
        file["loop"] = file["/train"]
    assert list(read(tmp_path / "deep.h5")) == ["loop/x"]


# ---------------------------------------------------------------- CSV


def table(tmp_path: Path, text: str) -> Array:
    path = tmp_path / "probe.csv"
    path.write_text(text, encoding="utf-8")
    return read(path)["x"]


def test_rows_are_timesteps_and_columns_features(tmp_path: Path) -> None:
    np.testing.assert_array_equal(table(tmp_path, "1,2\n3,4\n5,6\n"), [[[1, 2], [3, 4], [5, 6]]])


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_header_and_other_delimiters(tmp_path: Path, mark: str) -> None:
    text = f"\ufefftime{mark}value\r\n1{mark}-2.5e-3\r\n"
    np.testing.assert_array_equal(table(tmp_path, text), [[[1, -2.5e-3]]])


def test_shorter_samples_are_filled_up_with_zeros(tmp_path: Path) -> None:
    found = table(tmp_path, "\n1\n2\n\n\n3\n\n")
    np.testing.assert_array_equal(found, [[[1], [2]], [[3], [0]]])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1,2\n3\n", "line 2 has 1 columns, not 2"),
        ("a,b\n1,2\n\n3,x\n", "line 4 is not a row of numbers"),
        ("1,2\n3,\n", "line 2 is not a row of numbers"),
        ("a,b\nc,d\n", "line 2 is not a row of numbers"),
        ("a,b\n", "text without a row of numbers"),
        ("\n\n", "text without a row of numbers"),
        ("It was a dark night.\nAnd stormy.", "line 2 is not"),
    ],
)
def test_text_that_is_no_table(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadProbe, match=told) as raised:
        table(tmp_path, text)
    assert raised.value.hint


def test_neither_binary_format_nor_text(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(b"\xff\xd8\xff\xe0 JFIF")
    with pytest.raises(BadProbe, match=r"neither \.npy, \.npz, \.pt, \.h5 nor text"):
        read(tmp_path / "photo")


# ---------------------------------------------------------------- no file, hostile files


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadProbe, match="cannot be opened: No such file"):
        open_arrays(tmp_path / "none.npz")
    with pytest.raises(BadProbe, match="cannot be opened: Is a directory"):
        open_arrays(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(BadProbe, match="the file is empty"):
        open_arrays(tmp_path / "empty")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    save_npz(tmp_path / "secret.npz")
    (tmp_path / "secret.npz").chmod(0)
    with pytest.raises(BadProbe, match="cannot be opened: Permission denied"):
        open_arrays(tmp_path / "secret.npz")


def test_pickles_are_not_run(tmp_path: Path) -> None:
    trap = Trap(tmp_path / "sprung")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"x": trap}))
    torch.save({"x": trap}, tmp_path / "zip.pt")
    torch.save({"x": trap}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    np.save(tmp_path / "objects.npy", np.array([trap, 1], dtype=object))
    for name in ("plain.pkl", "zip.pt", "old.pt", "objects.npy"):
        with pytest.raises(BadProbe):
            read(tmp_path / name)
    assert not (tmp_path / "sprung").exists()
    pickle.loads((tmp_path / "plain.pkl").read_bytes())
    assert (tmp_path / "sprung").exists(), "the trap does not work"


def test_hdf5_does_not_reach_into_other_files(tmp_path: Path) -> None:
    np.full(6, 7, np.float32).tofile(tmp_path / "secret")
    save_hdf5(tmp_path / "other.h5")
    layout = h5py.VirtualLayout((2, 4, 3), "f4")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (2, 4, 3))
    with h5py.File(tmp_path / "probe.h5", "w") as file:
        file["link"] = h5py.ExternalLink("other.h5", "x")
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("raw", (6,), "f4", external=[(str(tmp_path / "secret"), 0, 24)])
    file = open_arrays(tmp_path / "probe.h5")
    assert set(file.loaders) == {"raw", "virtual"}
    for name in file.loaders:
        with pytest.raises(BadProbe, match="lies in another file"):
            file.load(name)


def test_arrays_that_claim_terabytes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("x", (10**6, 10**6), "f4", chunks=(1000, 1000), compression="gzip")
    with pytest.raises(BadProbe, match=r"claims 3725\.3 GiB"):
        read(tmp_path / "bomb.h5")
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, "
    header += b"'shape': (1000000, 1000000), }"
    content = header.ljust(127) + b"\n" + bytes(100)
    (tmp_path / "bomb.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("x.npy", content)
    torch.save({"x": torch.ones(1).expand(10**6, 10**6)}, tmp_path / "bomb.pt")
    for name in ("bomb.npy", "bomb.npz", "bomb.pt"):
        with pytest.raises(BadProbe):
            read(tmp_path / name)


def test_an_archive_of_other_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(BadProbe):
        open_arrays(tmp_path / "texts.zip")
    np.savez(tmp_path / "nothing.npz")
    assert open_arrays(tmp_path / "nothing.npz").listing == "none"


def test_an_array_is_read_when_it_is_asked_for() -> None:
    def fail() -> Array:
        raise OSError("disk on fire")

    file = ArrayFile(path=Path("p"), loaders={"x": lambda: X, "y": fail})
    assert file.load("x") is X
    with pytest.raises(BadProbe, match="p: array 'y' cannot be read: disk on fire"):
        file.load("y")


def test_tensors_beside_objects_of_any_class(tmp_path: Path) -> None:
    """Nothing is made of the others, and nothing is run."""
    trap = Trap(tmp_path / "sprung")
    for old in (False, True):
        path = tmp_path / "both.pt"
        content = {"x": torch.ones(2, 3), "y": trap}
        torch.save(content, path, _use_new_zipfile_serialization=not old)
        assert list(read(path)) == ["x"]
    assert not (tmp_path / "sprung").exists()


def test_torchs_own_unpickler_is_not_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_torch(tmp_path / "x.pt")
    monkeypatch.delattr(torch, "load")
    np.testing.assert_array_equal(read(tmp_path / "x.pt")["x"], X)


@pytest.mark.parametrize("size", [(10**6, 10**6), (1,)])
def test_sparse_tensors_that_claim_more_or_less_than_they_have(
    tmp_path: Path, size: tuple[int, ...]
) -> None:
    places = torch.tensor([[5], [5]][: len(size)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = torch.sparse_coo_tensor(places, torch.ones(1), size, check_invariants=False)
        torch.save({"x": x}, tmp_path / "x.pt")
    with pytest.raises(RnndiagError):
        read(tmp_path / "x.pt")
