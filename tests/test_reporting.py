"""What the report tells of the file itself."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnndiag.cli import main
from rnndiag.pipeline import diagnose
from rnndiag.records import Options, Report
from rnndiag.saved import reports as saved

OPTIONS = Options(batch=2, seeds=1, timesteps=4)


class Tagger(nn.Module):
    """One line of layers, so that its state dict is rebuilt as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(9, 3)
        self.rnn = nn.LSTM(3, 4, bidirectional=True)
        self.head = nn.Linear(8, 2)


def network() -> Tagger:
    torch.manual_seed(0)
    return Tagger()


def read(folder: Path, made: nn.Module, **more: Tensor) -> Report:
    torch.save({**made.state_dict(), **more}, folder / "tagger.pt")
    return diagnose(str(folder / "tagger.pt"), OPTIONS)


def spoil(weight: Tensor, *values: float) -> None:
    with torch.no_grad():
        weight.view(-1)[: len(values)] = torch.tensor(values)


def test_a_sound_network_has_none(tmp_path: Path) -> None:
    assert read(tmp_path, network()).checkpoint.non_finite == {}


def test_values_outside_recurrent_layers_are_counted_by_array(tmp_path: Path) -> None:
    made = network()
    spoil(made.head.weight, math.nan)
    spoil(made.head.bias, math.inf, -math.inf)
    found = read(tmp_path, made)
    assert found.checkpoint.non_finite == {"head.weight": 1, "head.bias": 2}
    assert {layer.measurements["non_finite"].total for layer in found.layers} == {0}


def test_recurrent_layers_are_left_to_their_measurement(tmp_path: Path) -> None:
    made = network()
    spoil(made.rnn.weight_hh_l0, math.nan)
    spoil(made.rnn.bias_ih_l0_reverse, math.nan)
    assert read(tmp_path, made).checkpoint.non_finite == {}


def test_tensors_that_nothing_was_rebuilt_from_are_not_read(tmp_path: Path) -> None:
    found = read(tmp_path, network(), memory=torch.full((5, 5, 5), math.nan))
    assert found.checkpoint.non_finite == {}


def test_pieces_are_named_together(tmp_path: Path) -> None:
    made = network()
    nn.utils.parametrizations.weight_norm(made.head, "weight")
    spoil(made.head.parametrizations.weight.original1, math.nan)
    stem = "head.parametrizations.weight.original"
    # A row's norm is NaN where one of its numbers is.
    assert read(tmp_path, made).checkpoint.non_finite == {f"{stem}0, {stem}1": 8}


def test_nested_layers_of_keras_are_counted(tmp_path: Path) -> None:
    keras: Any = pytest.importorskip("keras")
    inner = keras.Sequential([keras.layers.Input((None, 3)), keras.layers.Dense(4, name="deep")])
    spread = keras.layers.TimeDistributed(keras.layers.Dense(2), name="spread")
    outer = [keras.layers.Input((None, 3)), inner, keras.layers.LSTM(3, return_sequences=True)]
    model = keras.Sequential([*outer, spread])
    for layer, count in ((inner.layers[0], 2), (spread, 3)):
        kernel, bias = layer.get_weights()
        kernel.reshape(-1)[:count] = math.nan
        layer.set_weights([kernel, bias])
    model.save(tmp_path / "model.keras")
    found = diagnose(str(tmp_path / "model.keras"), OPTIONS).checkpoint.non_finite
    assert sorted(found.values()) == [2, 3]


def test_the_note_is_told_and_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = network()
    spoil(made.head.weight, math.nan)
    read(tmp_path, made)
    path, printed = str(tmp_path / "tagger.pt"), tmp_path / "report.json"
    with pytest.raises(SystemExit):
        main(["advise", path, "--format", "json", "--select", "RNN301", "--timesteps", "4"])
    printed.write_text(capsys.readouterr().out)
    data = json.loads(printed.read_text())
    (note,) = data["findings"]
    assert (note["rule"], note["severity"]) == ("RNN301", "note")
    assert "1 in head.weight" in note["message"]
    (again,) = saved.read(printed)
    assert again.checkpoint.non_finite == {"head.weight": 1}


def test_reports_from_before_the_field_are_read(tmp_path: Path) -> None:
    from rnndiag.outputs.reports.json import report_data

    data = report_data(replace(read(tmp_path, network()), notes=()))
    del data["checkpoint"]["non_finite"]
    (tmp_path / "old.json").write_text(json.dumps(data))
    (old,) = saved.read(tmp_path / "old.json")
    assert old.checkpoint.non_finite == {}
