"""Files that no reader takes: what they are is said, and soon."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rnndiag import checkpoints
from rnndiag.checkpoints._pickles.commands import is_command
from rnndiag.errors import RnndiagError, UnreadableCheckpoint
from rnndiag.saved import reports


class Hostile:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch owned",)


def refused(path: Path) -> RnndiagError:
    with pytest.raises(UnreadableCheckpoint) as caught:
        checkpoints.read(path)
    return caught.value


TENSORS = {"weight_hh_l0": torch.zeros(4, 4)}
ARRAYS = {"weight_hh_l0": np.zeros((4, 4))}


@pytest.mark.parametrize("content", [TENSORS, ARRAYS, [1, 2]], ids=["tensors", "arrays", "list"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickles(tmp_path: Path, content: Any, protocol: int) -> None:
    if protocol == 1:
        pytest.skip("its first bytes are those of anything")
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    error = refused(path)
    assert "a plain pickle, which pickle.dump wrote" in error.message
    assert "torch.save(state_dict" in error.hint


def test_a_plain_pickle_that_runs_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps({"state_dict": TENSORS, "extra": Hostile()}))
    error = refused(path)
    assert f"would run {os.system.__module__}.system(…); rnndiag did not" in error.message
    assert "torch.save" not in error.hint
    assert not Path("owned").exists()


def keras_archive(write: Callable[[zipfile.ZipFile], None]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        write(archive)
    return content.getvalue()


def test_half_an_archive(tmp_path: Path) -> None:
    whole = keras_archive(lambda archive: archive.writestr("metadata.json", "{}" * 500))
    path = tmp_path / "half.keras"
    path.write_bytes(whole[: len(whole) // 2])
    assert "damaged or incomplete: a .keras archive that breaks off" in refused(path).message
    whole = keras_archive(lambda archive: archive.writestr("readme.txt", "x" * 500))
    path.write_bytes(whole[: len(whole) // 2])
    assert "damaged or incomplete: a zip archive that breaks off" in refused(path).message


def test_every_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    assert "neither HDF5, nor a .keras archive, nor a PyTorch" in refused(path).message


TEXTS = {
    "text": "hello\n",
    "umlauts": "Größe\n" * 200,
    "csv": "epoch,loss\n1,0.5\n",
    "json": '{"layers": []}',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_waits_for_no_framework(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.pt"
    path.write_text(text, encoding="utf-8")
    code = (
        "import sys\nfrom pathlib import Path\nfrom rnndiag import checkpoints\n"
        "try:\n    checkpoints.read(Path(sys.argv[1]))\nexcept Exception as error:\n"
        "    assert 'not a checkpoint' in str(error), error\n"
        "sys.exit('torch' in sys.modules or 'h5py' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_is_text_and_a_checkpoint_all_the_same(tmp_path: Path) -> None:
    """Pickles of protocol 1 by torch.save, and indices of shards, go on to their readers."""
    old = tmp_path / "old.pt"
    torch.save(nn.RNN(2, 3).state_dict(), old, _use_new_zipfile_serialization=False)
    assert checkpoints.read(old).format == "torch-legacy"
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "gone.safetensors"}}')
    assert "gone.safetensors" in refused(index).message
    index = tmp_path / "model.weights.json"
    index.write_text("{}")
    assert "the index of shards has no weight_map" in refused(index).message


def test_a_saved_report_is_told_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"schema_version": 1, "layers": []}')
    with pytest.raises(UnreadableCheckpoint, match="is a saved report") as caught:
        reports.refuse(str(path))
    assert "serves advise, compare and plan" in caught.value.hint
    path.write_text('{"layers": []}')
    reports.refuse(str(path))


@pytest.mark.parametrize(
    "name",
    [
        *("posix.system", "nt.system", "os.popen", "subprocess.Popen", "builtins.exec"),
        *("builtins.eval", "builtins.__import__", "builtins.open", "io.open", "runpy.run_path"),
        *("importlib.import_module", "socket.socket", "shutil.rmtree", "ctypes.CDLL"),
        *("pickle.loads", "torch.serialization.os.system", "collections.sys.modules"),
    ],
)
def test_names_that_run_commands(name: str) -> None:
    assert is_command(name)


@pytest.mark.parametrize(
    "name",
    [
        *("__main__.Net", "argparse.Namespace", "pathlib.PosixPath", "torch.nn.modules.rnn.LSTM"),
        *("builtins.getattr", "builtins.complex", "project.code.Net", "numpy.dtype", "eval"),
        *("opensource.net.open", "copyreg extension 3", "model.eval", "os_model.Net"),
    ],
)
def test_names_of_ordinary_classes(name: str) -> None:
    assert not is_command(name)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_that_runs_commands_says_so(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "m.pt"
    content = {
        "state_dict": nn.LSTM(2, 3).state_dict(),
        "x": Hostile(),
        "at": [Path("a"), np.random.default_rng],
    }
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    found = checkpoints.read(path)
    warning, classes = found.notes[:2]
    assert warning.startswith("unpickling this file")
    assert f"would run {os.system.__module__}.system(…); rnndiag did not" in warning
    assert classes.startswith("the file holds objects of classes that were not loaded: pathlib")
    assert "system" not in classes
    assert found.unrun == (warning, classes)


def test_a_command_that_is_handed_on(tmp_path: Path) -> None:
    """A function among the values is imported, and not called."""
    path = tmp_path / "m.pt"
    torch.save({"state_dict": nn.LSTM(2, 3).state_dict(), "then": os.system}, path)
    (note,) = (note for note in checkpoints.read(path).notes if "unpickling" in note)
    assert f"would import {os.system.__module__}.system; rnndiag did not" in note
