"""TensorBoard event files. Reading them needs the package; refusing them without it does not."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rnndiag.errors import BadOption
from rnndiag.evidence import histories

VERSION = b"\x09" + struct.pack("<d", 0.0) + b"\x1a\x0dbrain.Event:2"
"""An event that holds the time and the version, as every event file begins with."""


def first_record() -> bytes:
    """The version as a record: length, its checksum, content, its checksum."""
    return struct.pack("<QI", len(VERSION), 0) + VERSION + struct.pack("<I", 0)


def write(folder: Path, scalars: Iterable[tuple[str, int, float]], *, tensors: bool) -> Path:
    """An event file with scalars as torch writes them, or as tensors, as Keras does."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    folder.mkdir(parents=True, exist_ok=True)
    writer = EventFileWriter(str(folder))
    for tag, step, number in scalars:
        value: Any = {"tensor": make_tensor_proto(number)} if tensors else {"simple_value": number}
        summary = Summary(value=[Summary.Value(tag=tag, **value)])
        writer.add_event(Event(step=step, summary=summary, wall_time=float(step)))
    writer.close()
    return next(iter(sorted(folder.glob("*tfevents*"))))


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "anything"
    path.write_bytes(first_record())
    for name in [name for name in sys.modules if name.startswith("tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for place in (path, tmp_path):
        with pytest.raises(BadOption, match="need the package tensorboard") as caught:
            histories.read(place)
        assert "pip install tensorboard" in caught.value.hint


def test_a_folder_without_event_files(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,loss\n0,1\n", encoding="utf-8")
    with pytest.raises(BadOption, match="without TensorBoard event files"):
        histories.read(tmp_path)


@pytest.mark.parametrize("tensors", [False, True])
def test_the_folders_of_the_keras_callback(tmp_path: Path, tensors: bool) -> None:
    pytest.importorskip("tensorboard")
    rate = [("epoch_learning_rate", epoch, 0.1) for epoch in range(2)]
    train = [("epoch_loss", epoch, 2.0 - epoch) for epoch in range(2)]
    validation = [("epoch_loss", epoch, 3.0 - epoch) for epoch in range(2)]
    finer = [("evaluation_loss_vs_iterations", 100 * epoch, 9.0) for epoch in range(2)]
    write(tmp_path / "train", [*train, *rate], tensors=tensors)
    path = write(tmp_path / "validation", [*validation, *finer], tensors=tensors)
    got = histories.read(tmp_path)
    assert (got.train_column, got.validation_column) == (
        "train/epoch_loss",
        "validation/epoch_loss",
    )
    assert (got.axis, got.epochs) == ("epoch", (0, 1))
    assert (got.train, got.validation) == ((2, 1), (3, 2))
    for alone in (path, path.parent):
        only = histories.read(alone)
        assert (only.train, only.validation) == ((), (3, 2))


def test_tags_of_one_file(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    scalars = [("Loss/train", 10, 2.0), ("Loss/val", 10, 3.0), ("lr", 10, 0.1)]
    scalars += [("Loss/train", 20, 1.0), ("Loss/train", 30, float("nan"))]
    got = histories.read(write(tmp_path, scalars, tensors=False))
    assert (got.axis, got.epochs) == ("step", (10, 20, 30))
    assert (got.train, got.validation) == ((2, 1, None), (3, None, None))
    assert "1 of 3 training losses" in got.notes[0]


def test_the_epochs_of_lightning(tmp_path: Path) -> None:
    """It logs the epoch as a scalar beside each loss."""
    pytest.importorskip("tensorboard")
    scalars = [
        *(("train_loss", 49, 4.0), ("epoch", 49, 0.0), ("train_loss", 99, 2.0), ("epoch", 99, 0.0)),
        *(("val_loss", 99, 3.0), ("epoch", 99, 0.0)),
        *(("train_loss", 149, 1.0), ("epoch", 149, 1.0), ("train_loss", 199, 0.0)),
        *(("epoch", 199, 1.0), ("val_loss", 199, 2.0), ("epoch", 199, 1.0)),
    ]
    path = write(tmp_path / "lightning_logs" / "version_0", scalars, tensors=False)
    for place in (path, tmp_path):
        got = histories.read(place)
        assert (got.axis, got.epochs) == ("epoch", (0, 1))
        assert (got.train, got.validation) == ((3, 0.5), (3, 2))


def test_two_runs_are_not_mixed(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    for run in ("first", "second"):
        write(tmp_path / run, [("train_loss", 0, 1.0)], tensors=False)
    with pytest.raises(BadOption, match="first/train_loss, second/train_loss"):
        histories.read(tmp_path)
    got = histories.read(tmp_path, train_column="second/train_loss")
    assert got.train == (1,)


def test_a_file_that_is_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    path = write(tmp_path, [("loss", step, float(step)) for step in range(3)], tensors=False)
    path.write_bytes(path.read_bytes()[:-5])
    assert histories.read(path).train == (0, 1)


def test_a_file_of_nothing_but_its_version(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    path = tmp_path / "events"
    path.write_bytes(first_record())
    with pytest.raises(BadOption, match="no column with losses"):
        histories.read(path)
