"""Archives made to do harm, or damaged: one message, before memory is taken or a file written."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
from hdf5_attacks import SECRET, external_link, external_storage, soft_link

from rnndiag import checkpoints, pipeline
from rnndiag.checkpoints._hdf5 import opened
from rnndiag.errors import RnndiagError, UnreadableCheckpoint, UnsafeCheckpoint
from rnndiag.records import Options
from tests.keras_files import (
    CONFIG,
    METADATA,
    WEIGHTS,
    Members,
    members,
    pack,
    reweighted,
    unpack,
)

DATA = Path(__file__).parents[1] / "data" / "keras"
MODEL = DATA / "keras-3.15" / "timedist.keras"
KERNEL = "layers/lstm/cell/vars/0"
Change = Callable[[Members, Path], Path]


# ---------------------------------------------------------------- archives


def twice(held: Members, path: Path) -> Path:
    pack(held, path)
    with zipfile.ZipFile(path, "a") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file.writestr(CONFIG, b"{}")
    return path


def named(name: str) -> Change:
    return lambda held, path: pack({**held, name: b"x"}, path)


def bomb(name: str) -> Change:
    """100 MiB of zeros in 100 KB."""

    def make(held: Members, path: Path) -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for own, content in held.items():
                file.writestr(own, bytes(100 << 20) if own == name else content)
        return path

    return make


def lying_size(held: Members, path: Path) -> Path:
    """The directory says 3.6 TiB."""
    pack(held, path)
    raw = bytearray(path.read_bytes())
    place = raw.index(WEIGHTS.encode(), raw.index(b"PK\x01\x02")) - 46
    struct.pack_into("<H", raw, place + 10, zipfile.ZIP_DEFLATED)
    struct.pack_into("<I", raw, place + 24, 0xFFFFFFF0)
    path.write_bytes(raw)
    return path


def flagged(bit: int, value: int, offset: int = 8) -> Change:
    """A bit or number in the directory's entry of the weights."""

    def make(held: Members, path: Path) -> Path:
        pack(held, path)
        raw = bytearray(path.read_bytes())
        place = raw.index(WEIGHTS.encode(), raw.index(b"PK\x01\x02")) - 46 + offset
        raw[place] = raw[place] ^ bit if bit else value
        path.write_bytes(raw)
        return path

    return make


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (twice, "twice"),
        (named("../elsewhere"), "leads out"),
        (named("/etc/elsewhere"), "leads out"),
        (named("assets/../../elsewhere"), "leads out"),
        (named("..\\elsewhere"), "leads out"),
        (named("C:/elsewhere"), "leads out"),
        (bomb(CONFIG), "more than 16 MiB"),
        (bomb(METADATA), "more than 16 MiB"),
        (bomb(WEIGHTS), "but the archive stores"),
        (lying_size, "4.0 GiB"),
    ],
)
def test_archives_that_are_unsafe(change: Change, told: str, tmp_path: Path) -> None:
    path = change(members(MODEL), tmp_path / "m.keras")
    before = set(tmp_path.iterdir())
    with pytest.raises(UnsafeCheckpoint, match=told) as error:
        checkpoints.read(path)
    assert "m.keras" in error.value.message
    assert error.value.hint
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (flagged(0x1, 0), "encrypted"),
        (flagged(0, 14, offset=10), "packed by method 14"),
        (flagged(0, 99, offset=10), "packed by method 99"),
        (flagged(0x80, 0, offset=16), "m.keras"),  # its checksum
    ],
)
def test_archives_that_cannot_be_read(change: Change, told: str, tmp_path: Path) -> None:
    path = change(members(MODEL), tmp_path / "m.keras")
    with pytest.raises(UnreadableCheckpoint, match=told):
        checkpoints.read(path)


def test_a_stream_that_is_longer_than_it_says(tmp_path: Path) -> None:
    """Read at once, it would be unpacked whole before anyone looks at its length."""
    held = members(MODEL)
    config = held.pop(CONFIG)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = packer.compress(config + bytes(200 << 20)) + packer.flush()
    path = pack({**held, CONFIG: config}, tmp_path / "m.keras", method=zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path) as file:
        info = file.getinfo(CONFIG)
    raw = path.read_bytes()
    start = info.header_offset + 30 + len(CONFIG)
    mended = bytearray(raw[:start] + stream + raw[start + info.compress_size :])
    shift = len(stream) - info.compress_size
    struct.pack_into("<I", mended, info.header_offset + 18, len(stream))
    directory = mended.index(b"PK\x01\x02")
    entry = mended.index(CONFIG.encode(), directory) - 46
    struct.pack_into("<I", mended, entry + 20, len(stream))
    end = mended.rindex(b"PK\x05\x06")
    (place,) = struct.unpack_from("<I", mended, end + 16)
    struct.pack_into("<I", mended, end + 16, place + shift)
    path.write_bytes(mended)
    assert peak_mib(path) < peak_mib(MODEL) + 40


@cache
def peak_mib(path: Path) -> float:
    """The most memory that reading takes, in a process of its own.

    Not by getrusage, which on Linux counts the process that started it, too.
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells")
    reader = "keras_archive" if path.suffix == ".keras" else "keras_weights"
    code = (
        "import re, sys\n"
        "from pathlib import Path\n"
        f"from rnndiag.checkpoints import {reader}\n"
        "from rnndiag.errors import RnndiagError\n"
        f"try:\n    {reader}.read(Path(sys.argv[1]))\n"
        "except RnndiagError as error:\n    print(error, file=sys.stderr)\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1])\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


@pytest.mark.parametrize("change", [bomb(WEIGHTS), bomb(CONFIG), lying_size])
def test_bombs_take_no_memory(change: Change, tmp_path: Path) -> None:
    path = change(members(MODEL), tmp_path / "m.keras")
    assert peak_mib(path) < peak_mib(MODEL) + 40


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize(
    "config",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"{",
        b"3",
        b"\xff\xfe",
        b'{"class_name": "Sequential", "config": {"layers": 3}}',
        b'{"class_name": "Sequential", "config": {"layers": [{"class_name": "LSTM"}]}}',
        b'{"class_name": 3, "config": {"layers": [{"config": {"layer": 3, "cells": {}}}]}}',
        b'{"class_name": "Functional", "config": {"layers": [{"class_name": "Bidirectional"}]}}',
        b'{"n": ' + b"9" * 10_000 + b"}",
    ],
)
def test_configurations_that_make_no_sense(config: bytes, folder: bool, tmp_path: Path) -> None:
    path = pack({**members(MODEL), CONFIG: config}, tmp_path / "m.keras")
    if folder:
        path = unpack(path, tmp_path / "folder")
    with pytest.raises(RnndiagError) as error:
        checked(path)
    assert str(path) in error.value.message


def checked(path: Path) -> None:
    """Diagnose a file; one without a recurrent layer is no success."""
    report = pipeline.diagnose(str(path), Options(batch=1, seeds=1))
    if report.exit_code == 3:
        raise UnreadableCheckpoint(f"{path}: nothing that can be analysed")


def test_a_folder_may_hold_no_endless_file(tmp_path: Path) -> None:
    folder = unpack(MODEL, tmp_path / "folder")
    with (folder / CONFIG).open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(UnsafeCheckpoint, match="larger than 16 MiB"):
        checkpoints.read(folder)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.95, 0.999])
def test_truncated_archives(share: float, tmp_path: Path) -> None:
    path, whole = tmp_path / "cut.keras", MODEL.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UnreadableCheckpoint, match=r"cut\.keras"):
        checkpoints.read(path)


# ---------------------------------------------------------------- the weights within


def external_group(file: h5py.File, other: Path, kernel: str) -> None:
    with h5py.File(other, "w") as source:
        source["cell/vars/0"] = SECRET
    del file["layers/lstm"]
    file["layers/lstm"] = h5py.ExternalLink(str(other), "/")


def shape_bomb(file: h5py.File, other: Path, kernel: str) -> None:
    file.create_dataset(kernel, shape=(1 << 20, 1 << 20), dtype="f4", chunks=True)


def many_bombs(file: h5py.File, other: Path, kernel: str) -> None:
    """None of them is large enough to be one."""
    file[kernel] = SECRET
    for k in range(20):
        file.create_dataset(f"layers/lstm/more/vars/{k}", shape=(15 << 20,), dtype="f4")


@pytest.mark.parametrize(
    "attack",
    [external_link, external_group, soft_link, external_storage, shape_bomb, many_bombs],
)
@pytest.mark.parametrize("alone", [False, True])
def test_weights_that_are_not_in_the_file(
    attack: Callable[[h5py.File, Path, str], None], alone: bool, tmp_path: Path
) -> None:
    def plant(file: h5py.File) -> None:
        del file[KERNEL]
        attack(file, tmp_path / "other", KERNEL)

    path = reweighted(MODEL, tmp_path / "m.keras", plant)
    if alone:
        bare = tmp_path / "m.weights.h5"
        bare.write_bytes(members(path)[WEIGHTS])
        path = bare
    if alone and attack is many_bombs:
        # Without a configuration only what a cell has is read, and no more is looked at.
        assert checkpoints.read(path).content
        return
    with pytest.raises(UnsafeCheckpoint, match=path.name.replace(".", r"\.")):
        checkpoints.read(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.__delitem__("layers"),
        lambda file: file.__delitem__("layers/lstm"),
        lambda file: file["layers/lstm/cell"].__delitem__("vars"),
        lambda file: file["layers/lstm/cell/vars"].__delitem__("1"),
        lambda file: file["layers/lstm/cell/vars"].move("1", "x"),
        lambda file: file["layers/lstm/cell/vars"].create_group("3"),
        lambda file: file["layers/lstm/cell/vars"].__setitem__("3", "text"),
        lambda file: file["layers/lstm/cell/vars"].__setitem__("3", h5py.Empty("f4")),
    ],
)
def test_weights_that_are_missing_or_no_numbers(
    damage: Callable[[h5py.File], None], tmp_path: Path
) -> None:
    with pytest.raises(RnndiagError, match=r"m\.keras"):
        checked(reweighted(MODEL, tmp_path / "m.keras", damage))


def test_stacked_cells_that_do_not_fit_are_not_run(tmp_path: Path) -> None:
    stack = DATA.parent / "networks" / "tf-keras-2.13" / "stacked_cells.keras"
    name = "_layer_checkpoint_dependencies/rnn/cell/cells/gru_cell/vars/0"

    def widen(file: h5py.File) -> None:
        shape = file[name].shape
        del file[name]
        file[name] = np.zeros((shape[0] + 1, shape[1]), np.float32)

    report = pipeline.diagnose(
        str(reweighted(stack, tmp_path / "m.keras", widen)), Options(batch=1, seeds=1)
    )
    assert report.exit_code == 3
    assert "do not fit one on the other" in str(report.layers[0].reason)


@pytest.mark.parametrize("shape", [[None, True, 3], [None, -1, 3], [None, 1.5, 3], "x", {"a": 3}])
def test_shapes_that_are_none(shape: object, tmp_path: Path) -> None:
    config = json.loads(members(MODEL)[CONFIG])
    config["config"]["layers"][0]["config"]["batch_shape"] = shape
    path = pack({**members(MODEL), CONFIG: json.dumps(config).encode()}, tmp_path / "m.keras")
    with pytest.raises(UnreadableCheckpoint, match="is not a shape"):
        pipeline.diagnose(str(path), Options(batch=1, seeds=1))


def test_bytes_that_were_exchanged_end_in_a_message_or_in_a_report(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    held = members(MODEL)
    path, messages = tmp_path / "m.keras", 0
    for _ in range(150):
        weights = bytearray(held[WEIGHTS])
        for place in rng.integers(0, len(weights), 5):
            weights[place] = rng.integers(0, 256)
        pack({**held, WEIGHTS: bytes(weights)}, path)
        try:
            checkpoints.read(path)
        except RnndiagError:
            messages += 1
    assert messages > 5


# ---------------------------------------------------------------- heaps without an end


def with_string(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = "lstm"
        file.attrs["backend"] = "torch"
    return path


def test_a_heap_on_which_hdf5_would_never_end(tmp_path: Path) -> None:
    """Its free space is of size 0; the library waits for the end of the heap."""
    path = with_string(tmp_path / "w.h5")
    raw = bytearray(path.read_bytes())
    heap = raw.index(b"GCOL")
    place = heap + 16
    while (index := struct.unpack_from("<H", raw, place)[0]) != 0:
        (size,) = struct.unpack_from("<Q", raw, place + 8)
        place += 16 + -(-size // 8) * 8
        assert index < 10
    struct.pack_into("<Q", raw, place + 8, 0)
    path.write_bytes(raw)
    with pytest.raises(UnreadableCheckpoint, match="has no end"):
        checkpoints.read(path)
    held = {**members(MODEL), WEIGHTS: bytes(raw)}
    with pytest.raises(UnreadableCheckpoint, match="has no end"):
        checkpoints.read(pack(held, tmp_path / "m.keras"))


def test_heaps_that_overlap_are_not_walked_for_ever(tmp_path: Path) -> None:
    path = with_string(tmp_path / "w.h5")
    # Each heap spans the rest of the file, and lies in an object of all heaps before it.
    heap = b"GCOL\x01\0\0\0" + struct.pack("<Q", 1 << 40)
    path.write_bytes(path.read_bytes() + (struct.pack("<H6xQ", 1, 16) + heap) * 100_000)
    with pytest.raises(UnreadableCheckpoint, match="has no end"):
        checkpoints.read(path)


def test_sound_heaps_are_opened(tmp_path: Path) -> None:
    with opened(with_string(tmp_path / "w.h5")) as file:
        assert file.attrs["backend"] == "torch"


def test_a_name_that_claims_gigabytes_is_not_read(tmp_path: Path) -> None:
    """HDF5 takes memory for the whole string before it looks for it."""
    path = tmp_path / "m.weights.h5"
    path.write_bytes(members(MODEL)[WEIGHTS])
    raw = bytearray(path.read_bytes())
    place = raw.index(b"name\0", raw.index(b"GCOL") + 1)
    changed = 0
    while place >= 0:
        # The attribute's name, type, dataspace, and then the string's length.
        at = raw.find(struct.pack("<I", 4), place, place + 64)
        if at > 0 and raw[at + 4 : at + 12] != bytes(8):
            struct.pack_into("<I", raw, at, 0xFFFFFFF0)
            changed += 1
        place = raw.find(b"name\0", place + 1)
    assert changed
    path.write_bytes(raw)
    assert peak_mib(path) < peak_mib(MODEL) + 40


@pytest.mark.parametrize("length", [0, 0xFFFFFFF0])
def test_attributes_that_claim_more_than_the_file_has(length: int, tmp_path: Path) -> None:
    path = with_string(tmp_path / "w.h5")
    raw = bytearray(path.read_bytes())
    place = raw.index(struct.pack("<I", len("torch")), raw.index(b"backend\0") + 24)
    struct.pack_into("<I", raw, place, max(length, 2 * len(raw)))
    path.write_bytes(raw)
    with pytest.raises(UnsafeCheckpoint, match="claims to be longer than the file"):
        checkpoints.read(path)
