"""What the fuzzer found, in its smallest form: each file once broke the program."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from rnndiag.cli import main
from tests.fuzz.seeds import DATA, ROOT

MODEL = DATA / "keras" / "tf-keras-2.15" / "lstm_basic.h5"
_TEXT_OF_ANY_LENGTH = b"\x19\x01\x00\x00\x10\x00\x00\x00"
"""A type of HDF5: version 1, class 9 (variable length), of which 1 is text, 16 bytes."""
Damage = Callable[[Path], None]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], color=True)


def assert_refused(result: Result) -> None:
    assert result.exit_code == 2
    assert not result.stdout
    assert result.stderr.startswith("rnndiag: ")
    assert "internal error" not in result.stderr
    assert len(result.stderr.splitlines()) <= 2


# ---------------------------------------------------------------- HDF5


def _of_no_kind(name: bytes) -> Damage:
    """Makes an attribute's type one of variable length that is neither text nor a list."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        place = content.index(_TEXT_OF_ANY_LENGTH, content.index(name + b"\0"))
        content[place + 1] = 9
        path.write_bytes(content)

    return damage


def _array_for_group(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["model_weights/lstm"]
        names = h5py.string_dtype()
        file["model_weights/lstm"] = np.zeros(3)
        file["model_weights/lstm"].attrs.create("weight_names", ["a/b"], dtype=names)


def _type_for_group(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["model_weights/lstm"]
        file["model_weights/lstm"] = np.dtype("f4")
        file["model_weights/lstm"].attrs.create("weight_names", ["a/b"])


@pytest.mark.parametrize(
    "damage",
    [
        # HDF5 itself ends the process on these, if it is let.
        *(_of_no_kind(name) for name in (b"model_config", b"training_config", b"layer_names")),
        _array_for_group,
        _type_for_group,
    ],
)
def test_damaged_keras_files(damage: Damage, tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    shutil.copy(MODEL, path)
    damage(path)
    assert_refused(run("inspect", path))


def test_texts_in_a_probe(tmp_path: Path) -> None:
    torch.save(torch.nn.LSTM(3, 4).state_dict(), tmp_path / "lstm.pt")
    with h5py.File(tmp_path / "probe.h5", "w") as file:
        file["x"] = ["a", "b"]
    result = run("inspect", tmp_path / "lstm.pt", "--probe", tmp_path / "probe.h5")
    assert_refused(result)
    assert "not numbers" in result.stderr


# ---------------------------------------------------------------- texts


@pytest.mark.parametrize("where", ["key", "value"])
def test_half_a_character_in_a_saved_report(where: str, tmp_path: Path) -> None:
    report = json.loads((ROOT / "tests" / "published" / "reports" / "T6.json").read_text())
    fact = report["layers"][0]["measurements"]["gradient_span"]
    fact["\ud800" if where == "key" else "span"] = "\ud800"
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    assert_refused(run("advise", path))


@pytest.mark.parametrize("name", ["weight_hh\x02_l0", "weight_hh\x1b[2J_l0", "weight_hh\u202e_l0"])
def test_names_cannot_fool_a_terminal(name: str, tmp_path: Path) -> None:
    state = {"rnn." + key: own for key, own in torch.nn.LSTM(3, 4).state_dict().items()}
    state["rnn." + name] = state.pop("rnn.weight_hh_l0")
    torch.save(state, tmp_path / "lstm.pt")
    result = run("inspect", tmp_path / "lstm.pt", "--timesteps", 4, "--verbose")
    assert "weight_hh\ufffd" in result.output
    assert set(result.output) & {"\x02", "\x1b", "\u202e"} == set()


def test_a_message_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a\nb\x1b[2J.pt"
    result = run("inspect", path)
    assert_refused(result)
    assert "a b\ufffd[2J.pt" in result.stderr


# ---------------------------------------------------------------- numbers


def test_infinite_biases_of_either_sign(tmp_path: Path) -> None:
    state = torch.nn.LSTM(2, 3).state_dict()
    state["bias_ih_l0"][0], state["bias_hh_l0"][0] = torch.inf, -torch.inf
    torch.save(state, tmp_path / "lstm.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = run("inspect", tmp_path / "lstm.pt", "--timesteps", 3, "--batch", 1)
    assert result.exit_code == 0, result.stderr


def test_a_mask_value_that_is_no_number(tmp_path: Path) -> None:
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [
        {"class_name": "Masking", "config": {
            "name": "m", "mask_value": [0], "batch_input_shape": [None, 6, 3]}},
        {"class_name": "LSTM", "config": {"name": "lstm", "units": 4}},
    ]}}  # fmt: skip
    shutil.copy(MODEL, tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        file.attrs["model_config"] = json.dumps(config)
    result = run("inspect", tmp_path / "model.h5")
    assert "internal error" not in result.stderr
