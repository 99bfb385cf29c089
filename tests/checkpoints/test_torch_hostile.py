"""Files of PyTorch that were made to run code, or to exhaust memory or time."""

from __future__ import annotations

import copyreg
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnndiag import checkpoints
from rnndiag.errors import RnndiagError, UnreadableCheckpoint, UnsafeCheckpoint
from rnndiag.records import Checkpoint, StateDict
from tests.checkpoints.torch_pickles import (
    END,
    beside_weights,
    called,
    integer,
    legacy,
    lstm,
    mapping,
    numbers,
    saved,
    storage,
    tensor,
    text,
    zipped,
)


def assert_whole(read: Checkpoint) -> None:
    assert isinstance(read.content, StateDict)
    for name, expected in lstm().state_dict().items():
        np.testing.assert_array_equal(read.content.tensors[name], expected.numpy())


# ---------------------------------------------------------------- nothing is run


class Attack:
    """A pickled object that would make a folder if it were rebuilt."""

    def __init__(self, place: Path) -> None:
        self.place = str(place)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.place,)


@pytest.mark.parametrize("protocol", range(1, 6))
@pytest.mark.parametrize("old", [False, True])
def test_objects_of_every_protocol(tmp_path: Path, protocol: int, old: bool) -> None:
    place = tmp_path / "was-run"
    value = {"model": lstm().state_dict(), "x": Attack(place)}
    read = checkpoints.read(saved(value, tmp_path / "m.pt", old=old, protocol=protocol))
    assert_whole(read)
    assert [note for note in read.notes if f"{os.name}.mkdir" in note]
    assert not place.exists()


def commands(place: Path) -> dict[str, bytes]:
    """Every opcode that makes an object, each with a command that would make a folder."""
    line = f"mkdir {place}"
    system, word = b"cos\nsystem\n", text(line)
    return {
        "REDUCE": system + b"(" + word + b"tR",
        "text": b"cos\nsystem\n(S'" + line.encode() + b"'\ntR",
        "INST": b"(" + word + b"ios\nsystem\n",
        "OBJ": b"(" + system + word + b"o",
        "NEWOBJ": system + b"(" + word + b"t\x81",
        "NEWOBJ_EX": system + b"(" + word + b"t}\x92",
        "STACK_GLOBAL": text("os") + text("system") + b"\x93(" + word + b"tR",
        "Python 2": called("__builtin__ eval", text(f"__import__('os').mkdir({str(place)!r})")),
        "exec": called("builtins exec", text(f"import os; os.mkdir({str(place)!r})")),
        "_reconstructor": called("copyreg _reconstructor", system, system, word),
        "__newobj__": called("copyreg __newobj__", system, word),
        "getattr": called("builtins getattr", called("builtins __import__", text("os")), word),
        "a result that is called": called("functools partial", system) + b"(" + word + b"tR",
        "a tensor's rebuild": called(
            "torch._tensor _rebuild_from_type_v2", system, b"N", b"(" + word + b"t", b"N"
        ),
        "setstate": called("os path") + b"}(" + text("__setstate__") + system + b"ub" + word + b"b",
        "append": called("os path") + b"}(" + text("append") + system + b"ub" + word + b"a",
        "a key": b"}" + called("os system", word) + b"Ns",
        "nested pickle": called("torch.storage _load_from_bytes", b"C\x02x."),
    }


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", commands(Path()))
def test_every_opcode_that_makes_an_object(tmp_path: Path, name: str, old: bool) -> None:
    place = tmp_path / "was-run"
    path = beside_weights(commands(place)[name], tmp_path / "m.pt", old=old)
    assert_whole(checkpoints.read(path))
    assert not place.exists()


@pytest.mark.parametrize(
    "attack",
    [
        b"cplanted\nthing\n",
        called("planted thing"),
        called("planted.inner thing"),
        b"cplanted\nthing\n)\x81}b",
        called("importlib import_module", text("planted")),
        called("runpy run_module", text("planted")),
        text("planted") + text("thing") + b"\x93",
    ],
)
def test_nothing_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: bytes
) -> None:
    (tmp_path / "planted.py").write_text(f"open({str(tmp_path / 'was-run')!r}, 'w')\nthing = print")
    monkeypatch.syspath_prepend(tmp_path)
    path = beside_weights(attack, tmp_path / "m.pt")
    checkpoints.read(path)
    before = set(sys.modules)
    assert_whole(checkpoints.read(path))
    assert set(sys.modules) == before
    assert not (tmp_path / "was-run").exists()


def test_the_extension_registry_is_not_asked(tmp_path: Path) -> None:
    place = tmp_path / "was-run"
    copyreg.add_extension("os", "mkdir", 241)
    try:
        # Python's unpickler knows it from now on, by its number alone.
        pickle.loads(b"\x80\x02\x82\xf1.")
        path = beside_weights(b"\x82\xf1(" + text(str(place)) + b"tR", tmp_path / "m.pt")
        assert_whole(checkpoints.read(path))
    finally:
        copyreg.remove_extension("os", "mkdir", 241)
    assert not place.exists()


def test_what_is_known_cannot_be_changed(tmp_path: Path) -> None:
    """A state for a function or a class would change it for the whole process."""
    known = b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n"
    for build in known:
        state = b"N}(" + text("__defaults__") + b"(K\x01tu\x86b"
        before = torch._utils._rebuild_tensor_v2.__defaults__
        assert_whole(checkpoints.read(beside_weights(build + state, tmp_path / "m.pt")))
        assert torch._utils._rebuild_tensor_v2.__defaults__ == before


def test_names_are_shown_without_control_characters(tmp_path: Path) -> None:
    attack = b"(" + text("a\x1b[31m\n") + text("b" * 500) + b"\x93"
    path = beside_weights(attack[1:] + b")R", tmp_path / "m.pt")
    (note,) = checkpoints.read(path).notes
    assert "a?[31m?.bbb" in note
    assert "\x1b" not in note
    assert len(note) < 200


# ---------------------------------------------------------------- sizes


def weights(view: bytes) -> bytes:
    return b"\x80\x02" + mapping(weight_hh_l0=view) + END


HUGE = 2**50
VIEWS = {
    "a storage that is not there": tensor(HUGE, 0, numbers(HUGE), numbers(1)),
    "one number more than is there": tensor(17, 0, numbers(17), numbers(1)),
    "beyond the storage": tensor(16, 0, numbers(17), numbers(1)),
    "beyond by the offset": tensor(16, 1, numbers(16), numbers(1)),
    "beyond by the stride": tensor(16, 0, numbers(4, 4), numbers(5, 1)),
    "a negative size": tensor(16, 0, numbers(-4), numbers(1)),
    "negative sizes whose product is not": tensor(16, 0, numbers(-4, -4), numbers(1, 1)),
    "a negative stride": tensor(16, 15, numbers(16), numbers(-1)),
    "a negative offset": tensor(16, -4, numbers(4), numbers(1)),
    "a negative storage": tensor(-16, 0, numbers(0), numbers(1)),
    "repeated beyond measure": tensor(16, 0, numbers(2**20, 2**20), numbers(0, 0)),
    "a size beyond 64 bits": tensor(16, 0, numbers(2**70), numbers(0)),
    "a product beyond 64 bits": tensor(16, 0, numbers(2**40, 2**40, 0), numbers(0, 0, 0)),
    "many dimensions": tensor(16, 0, numbers(*[1] * 100), numbers(*[1] * 100)),
    "fewer strides than sizes": tensor(16, 0, numbers(4, 4), numbers(1)),
    "sizes that are texts": tensor(16, 0, b"(" + text("4") + b"t", numbers(1)),
    "sizes that are no tuple": tensor(16, 0, integer(16), integer(1)),
    "an unknown storage": tensor(16, 0, numbers(16), numbers(1), key="../../etc/passwd"),
    "no storage": called("torch._utils _rebuild_tensor_v2", b"N", b"K\x00", b")", b")"),
    "too few arguments": called("torch._utils _rebuild_tensor_v2", storage(16)),
    "a foreign type": called(
        "torch._utils _rebuild_tensor", storage(16, kind="os system"), b"K\x00", b")", b")"
    ),
}


@pytest.mark.parametrize("name", VIEWS)
def test_absurd_tensors(tmp_path: Path, name: str) -> None:
    content = np.arange(16, dtype=np.float32).tobytes()
    for path in (
        zipped(tmp_path / "m.pt", weights(VIEWS[name]), {"data/0": content}),
        legacy(tmp_path / "old.pt", weights(VIEWS[name]), s0=content),
    ):
        with pytest.raises((UnreadableCheckpoint, UnsafeCheckpoint)) as error:
            checkpoints.read(path)
        assert "\n" not in error.value.message


@pytest.mark.parametrize("name", ["plain", "legacy"])
def test_the_same_tensor_without_the_absurdity(tmp_path: Path, name: str) -> None:
    numbers_ = np.arange(16, dtype=np.float32)
    pickled = weights(tensor(16, 4, numbers(3, 4), numbers(4, 1)))
    if name == "plain":
        path = zipped(tmp_path / "m.pt", pickled, {"data/0": numbers_.tobytes()})
    else:
        path = legacy(tmp_path / "m.pt", pickled, s0=numbers_.tobytes())
    content = checkpoints.read(path).content
    assert isinstance(content, StateDict)
    np.testing.assert_array_equal(content.tensors["weight_hh_l0"], numbers_[4:].reshape(3, 4))


def test_a_storage_of_another_length_than_declared(tmp_path: Path) -> None:
    path = legacy(tmp_path / "m.pt", weights(tensor(16, 0, numbers(16), numbers(1))), s0=bytes(80))
    with pytest.raises(UnreadableCheckpoint, match="another length than declared"):
        checkpoints.read(path)


def test_numbers_of_an_old_file_that_no_tensor_has(tmp_path: Path) -> None:
    pickled = weights(tensor(16, 0, numbers(16), numbers(1)))
    for rows in ({"s0": bytes(64), "s1": bytes(4)}, {}):
        with pytest.raises(UnreadableCheckpoint, match=r"that no tensor has|is missing"):
            checkpoints.read(legacy(tmp_path / "m.pt", pickled, **rows))


def test_a_storage_declared_in_two_ways(tmp_path: Path) -> None:
    views = tensor(4, 0, numbers(4), numbers(1)), tensor(16, 0, numbers(16), numbers(1))
    content = b"\x80\x02" + mapping(a=views[0], b=views[1]) + END
    with pytest.raises(UnreadableCheckpoint, match="two ways"):
        checkpoints.read(zipped(tmp_path / "m.pt", content, {"data/0": bytes(64)}))


# ---------------------------------------------------------------- memory and time


def chain(count: int, start: bytes, around: tuple[bytes, bytes]) -> bytes:
    return around[0] * count + start + around[1] * count


DEEP = 100_000
BOMBS = {
    "a memo of four billion places": b"Nr\xff\xff\xff\xff0" * 3 + b"N",
    "a text of an exabyte": b"\x8d" + struct.pack("<Q", 2**60) + b"x",
    "bytes of an exabyte": b"\x8e" + struct.pack("<Q", 2**60) + b"x",
    "a byte array of an exabyte": b"\x96" + struct.pack("<Q", 2**60) + b"x",
    "an integer of two gigabytes": b"\x8b" + struct.pack("<i", 2**31 - 1) + b"x",
    "an integer of many digits": b"L" + b"9" * 100_000 + b"L\n",
    "an integer of many bytes": b"\x8b" + struct.pack("<i", 10**6) + b"\x01" * 10**6,
    "lists within lists": chain(DEEP, b"N", (b"]", b"a")),
    "tuples within tuples": chain(DEEP, b"N", (b"", b"\x85")),
    "tuples within tuples as a key": b"}" + chain(DEEP, b"N", (b"", b"\x85")) + b"Ns",
    "a set of tuples within tuples": b"\x8f(" + chain(DEEP, b"N", (b"", b"\x85")) + b"\x90",
    "calls within calls": chain(DEEP // 4, b"N", (b"cos\nx\n(", b"tR")),
    "objects within objects": b"N" + b"q\x010cos\nx\n(h\x01tR" * (DEEP // 10),
    "states within states": b"N" + b"q\x010cos\nx\n)Rh\x01b" * (DEEP // 10),
    "marks without end": b"(" * 10**5 + b"N",
    "dictionaries without number": b"}" * 3_200_000,
    "a tuple that doubles": b"N" + b"2\x86" * 10**5,
    "as a key": b"}" + b"N" + b"2\x86" * 1000 + b"Ns",
    "one list copied on and on": b"](" + b"N" * 10**5 + b"eq\x000"
    + called("builtins list", b"h\x00") * 10**4,
    "one dictionary copied on and on": b"](" + (b"N" * 2 + b"\x86") * 10**4 + b"eq\x000"
    + called("collections OrderedDict", b"h\x00") * 10**4,
    "one text encoded on and on": text("x" * 10**6) + b"q\x000"
    + called("_codecs encode", b"h\x00", text("latin1")) * 2000,
    "keys of one hash": b"}("
    + b"".join(integer(k * (2**61 - 1)) + b"N" for k in range(1, 100_000)) + b"u",
    "keys whose tuples have one hash": b"}("
    + b"".join(integer(k * (2**61 - 1)) + b"\x85N" for k in range(1, 30_000)) + b"u",
    "nothing on the stack": b"0" * 10,
    "no mark": b"Ne",
    "no memo": b"h\x07",
    "no end": b"N" * 100,
    "an unknown opcode": b"\xff",
    "a buffer from elsewhere": b"\x97",
    "a persistent number": b"K\x01Q",
    "a persistent line": b"P0\n",
}  # fmt: skip


def bombed(name: str) -> bytes:
    return b"\x80\x02" + BOMBS[name] + END


LARGE = (
    "dictionaries without number",
    "one dictionary copied on and on",
    "one text encoded on and on",
)
"""Bombs that would take gigabytes if nobody counted."""


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeCheckpoint if name in LARGE else RnndiagError) as error:
        checkpoints.read(zipped(tmp_path / "m.pt", bombed(name)))
    assert "\n" not in error.value.message


@pytest.mark.parametrize("bits", [2040, 2100])
def test_integers_that_nothing_prints(tmp_path: Path, bits: int) -> None:
    value = 2**bits - 1
    number = b"\x8b" + struct.pack("<i", bits // 8 + 1) + value.to_bytes(bits // 8 + 1, "little")
    path = beside_weights(number, tmp_path / "m.pt")
    if bits > 2040:
        with pytest.raises(UnreadableCheckpoint, match="2100 bits"):
            checkpoints.read(path)
    else:
        assert_whole(checkpoints.read(path))


def module(**children: bytes) -> bytes:
    """The opcodes of a pickled module."""
    parts = mapping(_parameters=b"}", _buffers=b"}", _modules=mapping(**children))
    return called("planted Net") + parts + b"b"


def test_modules_that_hold_one_another_without_end(tmp_path: Path) -> None:
    first = called("planted Net") + b"q\x00"
    endless = first + mapping(_parameters=b"}", _buffers=b"}", _modules=mapping(a=b"h\x00")) + b"b"
    doubling = module()
    for place in range(1, 40):
        again = b"h" + bytes([place])
        doubling = doubling + b"q" + bytes([place]) + b"0" + module(a=again, b=again)
    for content in (endless, doubling):
        with pytest.raises(UnreadableCheckpoint, match="without end"):
            checkpoints.read(zipped(tmp_path / "m.pt", b"\x80\x02" + content + END))


@pytest.mark.parametrize("where", ["pickle", "numbers"])
def test_archives_that_unpack_to_very_much(tmp_path: Path, where: str) -> None:
    """100 MB of zeros in 100 KB."""
    view = tensor(25_000_000, 0, numbers(5000, 5000), numbers(5000, 1))
    contents = {
        "pickle": (b"\x80\x02" + bytes(100_000_000) + END, {}),
        "numbers": (weights(view), {"data/0": bytes(100_000_000)}),
    }
    path = zipped(tmp_path / "m.pt", *contents[where], method=zipfile.ZIP_DEFLATED)
    with pytest.raises(UnsafeCheckpoint, match=r"unpacks to 0\.1 GiB"):
        checkpoints.read(path)


def test_members_that_overlap(tmp_path: Path) -> None:
    path = saved({"w": torch.zeros(100_000)}, tmp_path / "m.pt")
    with zipfile.ZipFile(path) as archive:
        biggest = max(archive.infolist(), key=lambda info: info.file_size)
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(50):
            copy = zipfile.ZipInfo(f"m/data/{number + 10}")
            for key in ("CRC", "compress_size", "file_size", "header_offset"):
                setattr(copy, key, getattr(biggest, key))
            archive.filelist.append(copy)
            archive.NameToInfo[copy.filename] = copy
        archive._didModify = True  # type: ignore[attr-defined]
    with pytest.raises(UnsafeCheckpoint, match="overlap"):
        checkpoints.read(path)


def test_a_name_that_stands_twice(tmp_path: Path) -> None:
    path = saved(lstm().state_dict(), tmp_path / "m.pt")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(archive.namelist()[0], b"N.")
    with pytest.raises(UnsafeCheckpoint, match="twice"):
        checkpoints.read(path)


MEASURE = """
import resource, sys
from pathlib import Path
from rnndiag import checkpoints
from rnndiag.errors import RnndiagError
for path in map(Path, sys.argv[1:]):
    try:
        checkpoints.read(path)
    except RnndiagError as error:
        pass
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts KiB of memory as Linux does")
def test_bombs_take_little_memory(tmp_path: Path) -> None:
    """Less than twice what a small valid file takes, one after the other."""
    paths = [saved(lstm().state_dict(), tmp_path / "small.pt")]
    chosen = [*LARGE, *(name for name in BOMBS if "four billion" in name or "byte" in name)]
    paths += [zipped(tmp_path / f"{k}.pt", bombed(name)) for k, name in enumerate(chosen)]
    paths += [
        zipped(tmp_path / f"view{k}.pt", weights(view), {"data/0": bytes(64)})
        for k, view in enumerate(VIEWS.values())
    ]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    small, *others = map(int, done.stdout.split())
    assert len(others) == len(chosen) + len(VIEWS)
    assert others[-1] < 2 * small
