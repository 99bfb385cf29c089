"""Bad input through the command line: one message, the documented status, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from rnndiag import pipeline
from rnndiag.cli import main

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FAST = ("--batch", "2", "--seeds", "1", "--timesteps", "6")
X = np.random.default_rng(0).normal(size=(3, 9, 5)).astype(np.float32)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small checkpoints as their frameworks write them."""
    folder = tmp_path_factory.mktemp("models")
    layers = keras.layers
    series = keras.Sequential(
        [
            keras.Input((None, 5)),
            layers.LSTM(4, return_sequences=True, name="lstm"),
            layers.GRU(3, name="gru"),
            layers.Dense(1),
        ]
    )
    series.compile("adam", "mse")
    series.save(folder / "series.h5")
    kernel, *others = series.get_weights()
    kernel[1, 2] = np.nan
    series.set_weights([kernel, *others])
    series.save(folder / "nan.h5")
    fixed = keras.Sequential([keras.Input((9, 5)), layers.LSTM(4), layers.Dense(1)])
    fixed.compile("adam", "huber")
    fixed.save(folder / "fixed.h5")
    words = keras.Sequential([keras.Input((None,)), layers.Embedding(10, 3), layers.SimpleRNN(4)])
    words.save(folder / "words.h5")
    keras.Sequential([keras.Input((5,)), layers.Dense(2)]).save(folder / "dense.h5")
    torch.save(torch.nn.LSTM(5, 4).state_dict(), folder / "lstm.pt")
    torch.save(torch.nn.Linear(5, 4).state_dict(), folder / "linear.pt")
    return folder


def inspect(*args: object) -> Result:
    return CliRunner().invoke(main, ["inspect", *map(str, args)])


def complains(result: Result, *told: object, status: int = 2) -> None:
    """One message on stderr: what and where on the first line, what to try on the second."""
    assert result.exit_code == status, result.output
    assert not result.stdout
    first, second = result.stderr.splitlines()
    assert first.startswith("rnndiag: ")
    assert second.startswith("  ")
    assert "internal error" not in first
    for part in told:
        assert str(part) in first


def saved(tmp_path: Path, **arrays: Any) -> Path:
    path = tmp_path / "probe.npz"
    np.savez(path, **arrays)
    return path


# ---------------------------------------------------------------- the checkpoint


def test_a_missing_file(tmp_path: Path) -> None:
    complains(inspect(tmp_path / "none.h5"), tmp_path / "none.h5", "no such file")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.h5").touch()
    complains(inspect(tmp_path / "empty.h5"), tmp_path / "empty.h5", "empty")


def test_a_directory(tmp_path: Path) -> None:
    complains(inspect(tmp_path), tmp_path, "directory")


def test_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_text("not HDF5 at all\n" * 50, encoding="utf-8")
    complains(inspect(tmp_path / "model.h5"), tmp_path / "model.h5", "not a checkpoint")


@pytest.mark.parametrize("share", [0.001, 0.05, 0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("name", ["series.h5", "lstm.pt"])
def test_a_cut_file(models: Path, tmp_path: Path, name: str, share: float) -> None:
    content = (models / name).read_bytes()
    (tmp_path / name).write_bytes(content[: max(1, int(share * len(content)))])
    complains(inspect(tmp_path / name), tmp_path / name)


@pytest.mark.parametrize("name", ["series.h5", "lstm.pt"])
def test_flipped_bytes_are_never_an_internal_error(models: Path, tmp_path: Path, name: str) -> None:
    content, path = (models / name).read_bytes(), tmp_path / name
    statuses = set()
    for place in range(0, len(content), len(content) // 40):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        result = inspect(path, *FAST)
        statuses.add(result.exit_code)
        assert "internal error" not in result.stderr, (place, result.stderr)
        assert "Traceback" not in result.output
    assert statuses >= {0, 2}


def test_hdf5_without_a_model(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = X
    complains(inspect(tmp_path / "data.h5"), tmp_path / "data.h5", "no Keras model")


def test_tensors_without_a_model(tmp_path: Path) -> None:
    torch.save(torch.ones(3), tmp_path / "tensor.pt")
    result = inspect(tmp_path / "tensor.pt")
    complains(result, tmp_path / "tensor.pt", status=result.exit_code)
    assert result.exit_code in (2, 3)


@pytest.mark.parametrize("name", ["dense.h5", "linear.pt"])
def test_a_model_without_recurrence(models: Path, name: str) -> None:
    result = inspect(models / name, *FAST[:4])
    assert result.exit_code == 3
    assert "no recurrent layer" in result.output.lower()


def test_the_json_of_a_model_without_recurrence(models: Path) -> None:
    result = inspect(models / "dense.h5", "--format", "json")
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert report["exit_code"] == 3
    assert report["layers"] == []


def test_weights_that_are_no_numbers_are_a_result(models: Path) -> None:
    result = inspect(models / "nan.h5", *FAST)
    assert result.exit_code == 0
    assert "NaN or infinite" in result.stdout
    assert not result.stderr
    report = json.loads(inspect(models / "nan.h5", *FAST, "--format", "json").stdout)
    assert [layer["name"] for layer in report["layers"]] == ["lstm", "gru"]


# ---------------------------------------------------------------- the probe


@pytest.mark.parametrize(
    ("model", "array", "told"),
    [
        ("series.h5", np.ones((3, 9, 4)), "has shape (3, 9, 4), but input"),
        ("series.h5", np.ones((9, 5)), "has shape (9, 5), but input"),
        ("fixed.h5", np.ones((3, 8, 5)), "takes features of shape (batch, 9, 5)"),
        ("lstm.pt", np.ones((3, 9, 4)), "of shape (batch, any, 5)"),
        ("series.h5", np.full((3, 9, 5), "a"), "not real numbers"),
        ("series.h5", X + 1j, "not real numbers"),
        ("series.h5", np.where(X > 2, np.nan, X), "NaN or infinite at"),
        ("series.h5", np.ones((3, 0, 5)), "no timesteps"),
        ("series.h5", np.ones((0, 9, 5)), "no samples"),
        ("words.h5", np.full((3, 9), 10), "token id 10"),
        ("words.h5", np.full((3, 9), -1), "token id -1"),
        ("words.h5", np.full((3, 9), 0.5), "fractions"),
        ("words.h5", X, "takes token ids of shape (batch, any)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_probe_that_does_not_fit(
    models: Path, tmp_path: Path, model: str, array: Any, told: str
) -> None:
    probe = saved(tmp_path, x=array)
    complains(inspect(models / model, "--probe", probe), probe, "'x'", told)


def test_a_probe_is_checked_before_anything_runs(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*args: object) -> None:
        raise AssertionError("the network ran")

    monkeypatch.setattr("rnndiag.running.network.Network.run", run)
    probe = saved(tmp_path, x=X[..., :4])
    complains(inspect(models / "series.h5", "--probe", probe), "has shape")


def test_a_probe_file_that_cannot_be_read(models: Path, tmp_path: Path) -> None:
    whole = saved(tmp_path, x=X).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    for path, told in [
        (tmp_path / "none.npz", "cannot be opened"),
        (tmp_path, "cannot be opened"),
        (tmp_path / "cut.npz", "cannot be read"),
    ]:
        complains(inspect(models / "series.h5", "--probe", path), path, told)


def test_arrays_of_other_names(models: Path, tmp_path: Path) -> None:
    probe = saved(tmp_path, a=X, b=X)
    result = inspect(models / "series.h5", "--probe", probe)
    complains(result, probe, "it holds 'a', 'b'")
    assert "--probe-key NAME" in result.stderr


@pytest.mark.parametrize("shape", [(1, 9, 5), (3, 1, 5), (1, 1, 5)], ids=str)
@pytest.mark.parametrize("model", ["series.h5", "lstm.pt"])
def test_the_smallest_probes_are_measured(
    models: Path, tmp_path: Path, model: str, shape: tuple[int, ...]
) -> None:
    probe = saved(tmp_path, x=np.resize(X, shape))
    for format_ in ("table", "json"):
        result = inspect(models / model, "--probe", probe, "--format", format_)
        assert result.exit_code == 0, result.output
        assert not result.stderr
    report = json.loads(result.stdout)
    assert report["probe"]["batch"], report["probe"]["timesteps"] == shape[:2]


def test_the_smallest_made_up_probe_is_measured(models: Path) -> None:
    result = inspect(models / "series.h5", "--batch", 1, "--seeds", 1, "--timesteps", 1)
    assert result.exit_code == 0, result.output
    assert not result.stderr


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        ("series.h5", ["--loss", "cosine"], "--loss cosine: no loss"),
        ("series.h5", ["--loss", "mse"], "--loss mse needs targets"),
        ("series.h5", ["--targets", "y.npz"], "--targets without --probe"),
        ("fixed.h5", ["--timesteps", "50"], "always 9 timesteps"),
        ("series.h5", ["--probe-kind", "ids"], "--probe-kind ids"),
        ("words.h5", ["--probe-kind", "normal"], "--probe-kind normal"),
        ("series.h5", ["--timesteps", "1000000000"], "GiB"),
    ],
)
def test_an_option_that_makes_no_sense(
    models: Path, model: str, options: Sequence[str], told: str
) -> None:
    complains(inspect(models / model, *options), told)


def test_a_trained_loss_that_is_not_known(models: Path, tmp_path: Path) -> None:
    probe = saved(tmp_path, x=X, y=X[:, 0, :1])
    result = inspect(models / "fixed.h5", "--probe", probe, "--targets", probe)
    complains(result, "trained with huber")
    assert "--loss: mean_square, mse" in result.stderr


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        (np.ones((2, 1)), "the probe has 3 samples"),
        (np.ones((3, 2)), "loss mse takes (3, 1)"),
        (np.full((3, 1), np.nan), "NaN or infinite"),
    ],
    ids=["samples", "shape", "nan"],
)
def test_targets_that_do_not_fit(models: Path, tmp_path: Path, targets: Any, told: str) -> None:
    probe = saved(tmp_path, x=X, y=targets)
    complains(inspect(models / "series.h5", "--probe", probe, "--targets", probe), told)


@pytest.mark.parametrize(
    "arguments",
    [[], ["x.h5", "--timesteps", "0"], ["x.h5", "--batch", "-3"], ["x.h5", "--no-such-option"]],
    ids=" ".join,
)
def test_usage_errors(arguments: Sequence[str]) -> None:
    result = inspect(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")


# ---------------------------------------------------------------- what is written


@pytest.mark.parametrize("option", ["--output", "--save-arrays"])
@pytest.mark.parametrize("place", ["folder", "none/file", "text/file"])
def test_a_place_that_cannot_be_written(
    models: Path, tmp_path: Path, option: str, place: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").touch()
    other = {"--output": "--save-arrays", "--save-arrays": "--output"}[option]
    path = tmp_path / place
    result = inspect(models / "series.h5", *FAST, option, path, other, tmp_path / "good")
    complains(result, path, "cannot be written")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["folder", "text"]


def test_a_failure_leaves_older_files_as_they_are(models: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text("precious", encoding="utf-8")
    probe = saved(tmp_path, x=X[..., :4])
    inspect(models / "series.h5", "--probe", probe, "--output", old, "--save-arrays", old)
    assert old.read_text(encoding="utf-8") == "precious"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["old", "probe.npz"]


@pytest.mark.parametrize("option", ["--output", "--save-arrays"])
def test_input_is_not_overwritten(models: Path, tmp_path: Path, option: str) -> None:
    model, probe = tmp_path / "series.h5", saved(tmp_path, x=X)
    model.write_bytes((models / "series.h5").read_bytes())
    for path in (model, probe):
        before = path.read_bytes()
        complains(inspect(model, "--probe", probe, option, path), path)
        assert path.read_bytes() == before


# ---------------------------------------------------------------- rnndiag itself


def test_a_fault_of_its_own_is_one_message(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(pipeline, "inspect", fail)
    result = inspect(models / "series.h5")
    assert result.exit_code == 2
    assert not result.stdout
    first, second = result.stderr.splitlines()
    assert first == "rnndiag: internal error: ZeroDivisionError: division by zero"
    assert "--debug" in second
    shown = CliRunner().invoke(main, ["--debug", "inspect", str(models / "series.h5")])
    assert isinstance(shown.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["dense.h5"], 3, ""),
        (["none.h5"], 2, "none.h5: no such file"),
    ],
    ids=["nothing", "missing"],
)
def test_the_process_ends_with_the_status(
    models: Path, arguments: Sequence[str], status: int, told: str
) -> None:
    command = [sys.executable, "-m", "rnndiag", "inspect", *arguments]
    root = str(Path(__file__).parents[1])
    ended = subprocess.run(
        command,
        cwd=models,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == status
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
    assert bool(ended.stdout) == (status != 2)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.pt")
    result = inspect(tmp_path / "p.pt")
    assert result.exit_code == 2
    assert "is a pipe or a device" in result.stderr
