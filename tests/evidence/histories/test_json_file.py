"""JSON histories: lists by name, records, JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rnndiag.errors import BadOption
from rnndiag.evidence import histories
from rnndiag.records import History

LISTS = {"loss": [3, 2, 1], "val_loss": [4, 3.5, 3]}
RECORDS = [{"epoch": e, "loss": 3 - e, "val_loss": 4 - e / 2} for e in range(3)]


def history(tmp_path: Path, value: Any) -> History:
    path = tmp_path / "history"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return histories.read(path)


@pytest.mark.parametrize(
    "value",
    [
        LISTS,
        {"history": LISTS, "params": {"epochs": 3}, "epoch": [0, 1, 2]},
        {"train": {"loss": [3, 2, 1]}, "val": {"loss": [4, 3.5, 3]}},
        {name: dict(zip("012", losses, strict=True)) for name, losses in LISTS.items()},
        {"loss": {"10": 1, "9": 2, "8": 3}, "val_loss": {"8": 4, "9": 3.5, "10": 3}},
        RECORDS,
        {"history": RECORDS},
        {"epochs": RECORDS},
        [
            {"epoch": r["epoch"], "train": {"loss": r["loss"]}, "val": {"loss": r["val_loss"]}}
            for r in RECORDS
        ],
        "\n".join(map(json.dumps, RECORDS)),
        "\ufeff" + "\n\n".join(map(json.dumps, RECORDS)) + "\n",
        json.dumps(LISTS, indent=2),
        {"loss": ["3", "2", "1"], "val_loss": ["4", "3.5", "3"]},
    ],
    ids=str,
)
def test_the_same_history_in_every_form(tmp_path: Path, value: Any) -> None:
    got = history(tmp_path, value)
    assert (got.axis, got.epochs, got.train, got.validation) == (
        *("epoch", (0, 1, 2)),
        *((3, 2, 1), (4, 3.5, 3)),
    )
    assert got.notes == ()


def test_hugging_face_trainer_state(tmp_path: Path) -> None:
    log = [
        {"epoch": 0.5, "loss": 3.0, "learning_rate": 1e-4, "step": 50},
        {"epoch": 1.0, "loss": 2.0, "step": 100},
        {"epoch": 1.0, "eval_loss": 2.5, "step": 100},
        {"epoch": 1.0, "train_loss": 2.5, "total_flos": 1, "step": 100},
    ]
    got = history(tmp_path, {"best_metric": None, "log_history": log})
    assert (got.train_column, got.validation_column) == ("loss", "eval_loss")
    assert (got.epochs, got.train, got.validation) == ((0.5, 1), (3, 2), (None, 2.5))


def test_validation_after_every_second_epoch(tmp_path: Path) -> None:
    """``validation_freq=2``: Keras validates after epochs 1 and 3, counted from 0."""
    got = history(tmp_path, {"loss": [5, 4, 3, 2, 1], "val_loss": [8, 6]})
    assert got.validation == (None, 8, None, 6, None)
    assert got.notes == ("val_loss has 2 entries for 5: taken as every 2 epochs",)


def test_a_shorter_list_that_fits_no_stride(tmp_path: Path) -> None:
    got = history(tmp_path, {"loss": [5, 4, 3, 2, 1], "val_loss": [8, 6, 7]})
    assert got.validation == (8, 6, 7, None, None)
    assert got.notes == ("val_loss has 3 entries for 5: taken as the first 3",)


def test_a_longer_list_of_something_else_does_not_stretch_the_losses(tmp_path: Path) -> None:
    got = history(tmp_path, {"loss": [2, 1], "val_loss": [], "lr": [0.1] * 50})
    assert (got.epochs, got.train, got.validation) == ((0, 1), (2, 1), ())


def test_nan_and_null(tmp_path: Path) -> None:
    """NaN is a loss that is no number, null is none."""
    got = history(tmp_path, '{"loss": [1, NaN, Infinity], "val_loss": [2, null, 1]}')
    assert (got.train, got.validation) == ((1, None, None), (2, None, 1))
    assert got.notes == (
        "2 of 3 training losses are not finite (NaN or infinite), the first at epoch 1",
    )


def test_what_is_no_record_is_left_out(tmp_path: Path) -> None:
    got = history(tmp_path, [{"loss": 2}, "done", {"loss": 1}])
    assert got.train == (2, 1)
    assert got.notes == ("1 entries are no JSON objects and were left out",)


def test_a_number_beyond_every_float(tmp_path: Path) -> None:
    got = history(tmp_path, f'{{"loss": [1, 1{"0" * 400}]}}')
    assert got.train == (1, None)


def test_a_last_line_that_is_cut_off(tmp_path: Path) -> None:
    got = history(tmp_path, '{"epoch": 0, "loss": 2}\n{"epoch": 1, "loss": 1}\n{"epoch": 2, "lo')
    assert got.train == (2, 1)
    assert got.notes == ("the last line is cut off and was left out",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"loss": [1, 2', "is not JSON"),
        ('{\n  "loss": [1,\n', "is not JSON"),
        ('{"loss": 1}\nnonsense\n{"loss": 1}\n', "is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 60 + "[1]" + "}" * 60, "nested too deeply"),
        ('{"loss": 1}\n{"loss": ' + "[" * 60 + "]" * 60 + "}\n", "nested too deeply"),
        ("[]", "without a table"),
        ("{}", "without a table"),
        ("[1, 2, 3]", "without a table"),
        ('{"loss": []}', "no column with losses"),
        ('{"loss": [[1], [2]]}', "no column with losses"),
        ('{"loss": [true, false]}', "no column with losses"),
        ('{"accuracy": [1, 2]}', "among: accuracy"),
    ],
)
def test_bad_json(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadOption, match=message) as caught:
        history(tmp_path, text)
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint
