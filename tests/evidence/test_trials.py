"""Trials from CSV and JSON: names, types, metrics, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from rnndiag.errors import BadOption
from rnndiag.evidence import trials
from rnndiag.records import Trial, Trials


def read(tmp_path: Path, value: Any) -> Trials:
    path = tmp_path / "trials"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return trials.read(path)


def test_csv(tmp_path: Path) -> None:
    text = "dropout,units,optimizer,val_loss\n0,64,adam,0.5\n0.1,64,,0.25\n,128, nadam ,0.75\n"
    assert read(tmp_path, text) == Trials(
        source=str(tmp_path / "trials"),
        trials=(
            Trial(settings={"dropout": 0.0, "units": 64.0, "optimizer": "adam"}, metric=0.5),
            Trial(settings={"dropout": 0.1, "units": 64.0}, metric=0.25),
            Trial(settings={"units": 128.0, "optimizer": "nadam"}, metric=0.75),
        ),
        metric="val_loss",
        lower_is_better=True,
    )


TWO = [{"recurrent_dropout": 0, "val_loss": 2}, {"recurrent_dropout": 0.2, "val_loss": 1}]


@pytest.mark.parametrize(
    "value",
    [
        TWO,
        {"trials": TWO},
        "\n".join(map(json.dumps, TWO)),
        [
            {"settings": {"recurrent_dropout": t["recurrent_dropout"]}, "val_loss": t["val_loss"]}
            for t in TWO
        ],
        "recurrent_dropout;val_loss\n0;2\n0,2;1\n",
        "recurrent_dropout\tval_loss\n0\t2\n0.2\t1\n",
    ],
    ids=str,
)
def test_the_same_trials_in_every_form(tmp_path: Path, value: Any) -> None:
    got = read(tmp_path, value)
    assert [(dict(trial.settings), trial.metric) for trial in got.trials] == [
        ({"recurrent_dropout": 0.0}, 2.0),
        ({"recurrent_dropout": 0.2}, 1.0),
    ]


@pytest.mark.parametrize(
    ("column", "name", "value"),
    [
        ("dropout", "dropout", 0.5),
        ("Dropout Rate", "dropout", 0.5),
        ("params_dropout", "dropout", 0.5),
        ("config/recurrent_dropout", "recurrent_dropout", 0.5),
        ("recurrentDropout", "recurrent_dropout", 0.5),
        ("kernel_decay", "kernel_decay", 0.5),
        ("kernel_l2", "kernel_decay", 0.5),
        ("recurrent_decay", "recurrent_decay", 0.5),
        ("recurrent_kernel_decay", "recurrent_decay", 0.5),
        ("recurrent_regularizer", "recurrent_decay", 0.5),
        ("bias_weight_decay", "bias_decay", 0.5),
        ("wd", "weight_decay", 0.5),
        ("lr", "learning_rate", 0.5),
        ("zoneout", "zoneout", 0.5),
        ("batch_normalization", "batch_normalization", True),
        ("use_batch_norm", "batch_normalization", True),
        ("BatchNormalisation", "batch_normalization", True),
        ("rbn", "recurrent_batch_normalization", True),
        ("recurrent_batch_norm", "recurrent_batch_normalization", True),
        ("layernorm", "layer_normalization", True),
        ("decoder_dropout", "decoder_dropout", 0.5),
        ("decay", "decay", 0.5),
    ],
)
def test_names_of_settings(tmp_path: Path, column: str, name: str, value: object) -> None:
    cell = "yes" if value is True else value
    (trial,) = read(tmp_path, f"{column},val_loss\n{cell},1\n").trials
    assert trial.settings == {name: value}


@pytest.mark.parametrize(
    "column", ["trial", "number", "id", "run", "index", "trial_id", "run_name", "Unnamed: 0"]
)
def test_what_numbers_the_trials_is_no_setting(tmp_path: Path, column: str) -> None:
    (trial,) = read(tmp_path, f"{column},units,val_loss\n7,64,1\n").trials
    assert trial.settings == {"units": 64.0}


OPTUNA = """\
number,val_loss,datetime_start,datetime_complete,duration,params_kernel_regularizer,params_units,\
user_attrs_host,system_attrs_nsga,state
0,0.5,2026-01-01 10:00:00,2026-01-01 10:01:00,0 days 00:01:00,1e-4,64,a,1,COMPLETE
1,0.4,2026-01-01 10:01:00,2026-01-01 10:02:00,0 days 00:01:00,1e-3,64,b,1,PRUNED
2,,2026-01-01 10:02:00,2026-01-01 10:03:00,0 days 00:01:00,1e-5,64,c,1,FAIL
3,,2026-01-01 10:03:00,,,1e-5,64,c,1,TrialState.RUNNING
"""


def test_optunas_export_counts_what_was_completed(tmp_path: Path) -> None:
    got = read(tmp_path, OPTUNA)
    assert got.trials == (Trial(settings={"kernel_decay": 1e-4, "units": 64.0}, metric=0.5),)
    assert got.notes == tuple(
        f"1 trial left out: {state}" for state in ("PRUNED", "FAIL", "RUNNING")
    )


def test_optunas_export_without_a_completed_trial(tmp_path: Path) -> None:
    lines = OPTUNA.splitlines()
    with pytest.raises(BadOption, match="no trials; 1 trial left out: PRUNED"):
        read(tmp_path, f"{lines[0]}\n{lines[2]}\n")


def test_the_hint_says_how_to_name_optunas_value(tmp_path: Path) -> None:
    with pytest.raises(BadOption) as caught:
        read(tmp_path, OPTUNA.replace("val_loss", "value"))
    assert "rename the column: val_loss where lower is better" in caught.value.hint


@pytest.mark.parametrize(
    ("cell", "on"), [("true", True), ("No", False), ("1", True), ("0.0", False), ("off", False)]
)
def test_switches(tmp_path: Path, cell: str, on: bool) -> None:
    (trial,) = read(tmp_path, f"bn,loss\n{cell},1\n").trials
    assert trial.settings == {"batch_normalization": on}


def test_values_of_json(tmp_path: Path) -> None:
    value = [{"dropout": False, "bn": True, "wd": None, "sizes": [1, 2], "units": 64, "loss": 1}]
    (trial,) = read(tmp_path, value).trials
    assert trial.settings == {
        **{"dropout": 0.0, "batch_normalization": True, "sizes": [1, 2], "units": 64.0}
    }


@pytest.mark.parametrize(
    ("columns", "metric", "lower"),
    [
        ("loss,val_loss,val_accuracy", "val_loss", True),
        ("loss,val_accuracy", "val_accuracy", False),
        ("accuracy,loss,train_loss", "loss", True),
        ("train_loss,val_acc", "val_acc", False),
        ("best_val_loss,test_loss", "best_val_loss", True),
        ("test_loss,accuracy", "accuracy", False),
        ("test_loss,units", "test_loss", True),
        ("user_attrs_val_loss,value", "user_attrs_val_loss", True),
        ("score,units", "score", False),
        ("val/perplexity,units", "val/perplexity", True),
        ("valF1,units", "valF1", False),
    ],
)
def test_which_metric(tmp_path: Path, columns: str, metric: str, lower: bool) -> None:
    cells = ",".join("1" for _ in columns.split(","))
    got = read(tmp_path, f"{columns}\n{cells}\n")
    assert (got.metric, got.lower_is_better) == (metric, lower)


def test_other_metrics_are_no_settings(tmp_path: Path) -> None:
    got = read(tmp_path, "train_loss,val_loss,val_acc,test_loss,units\n1,2,3,4,5\n")
    assert got.trials[0] == Trial(settings={"units": 5.0}, metric=2.0)


def test_json_can_say_what_counts(tmp_path: Path) -> None:
    listed = [{"bleurt": 0.5, "val_loss": 1}]
    said = {"metric": "bleurt", "lower_is_better": False, "trials": listed}
    got = read(tmp_path, said)
    assert (got.metric, got.lower_is_better, got.trials[0].metric) == ("bleurt", False, 0.5)
    named = {"lower_is_better": False, "trials": [{"value": 0.5}]}
    assert (read(tmp_path, named).metric, read(tmp_path, named).lower_is_better) == ("value", False)
    flipped = read(tmp_path, {"lower_is_better": False, "trials": listed})
    assert (flipped.metric, flipped.lower_is_better) == ("val_loss", False)


@pytest.mark.parametrize(
    ("column", "cell", "worst"),
    [("val_loss", "nan", math.inf), ("val_acc", "NaN", -math.inf), ("loss", "-inf", math.inf)],
)
def test_a_diverged_trial_is_the_worst(
    tmp_path: Path, column: str, cell: str, worst: float
) -> None:
    assert read(tmp_path, f"{column}\n{cell}\n").trials[0].metric == worst


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("dropout,units\n.1,2\n", "no metric among its columns: dropout, units"),
        ("dropout,train_loss\n.1,2\n", "no metric"),
        ("dropout,val_loss\n", "no trials"),
        ("dropout,val_loss\n.1,\n", "trial 1: has no val_loss"),
        ("dropout,val_loss\n.1,1\n.2,good\n", "trial 2: val_loss: could not convert"),
        ("dropout,val_loss\nmuch,1\n", "trial 1: dropout: could not convert"),
        ("dropout,val_loss\n20,1\n", "trial 1: dropout is 20"),
        ("dropout,val_loss\n1,1\n", "trial 1: dropout is 1"),
        ("dropout,val_loss\nnan,1\n", "trial 1: dropout is nan"),
        ("weight_decay,val_loss\n-1,1\n", "trial 1: weight_decay is -1"),
        ("lr,val_loss\ninf,1\n", "trial 1: learning_rate is inf"),
        ("bn,val_loss\nbefore,1\n", "trial 1: batch_normalization is 'before'"),
        ("l2,weight_decay,val_loss\n0,0,1\n", "'l2' and 'weight_decay' are the same"),
        ("dropout,val_loss\n.1,1,9\n", "1 rows have more or fewer cells"),
        ("val_loss,val_loss\n1,1\n", "2 columns are called 'val_loss'"),
        ("number,value,params_lr\n0,.9,.1\n", "a lower or a higher value is better"),
        ("val_metric,units\n.9,1\n", "a lower or a higher val_metric is better"),
        ("objective,units\n.9,1\n", "a lower or a higher objective is better"),
        ("result,units\n.9,1\n", "a lower or a higher result is better"),
        ('{"metric": "bleurt", "trials": [{"bleurt": 1}]}', "a lower or a higher bleurt"),
        ("0.1,0.2\n0.3,0.4\n", "no header"),
        ('[{"val_loss": 1}', "is not JSON"),
        ('{"val_loss": 1}\n{"val_loss": 2}\n{"val_lo', "the last line is cut off"),
        ("[]", "no metric"),
        ('[{"val_loss": 1}, 5]', "1 entries are no JSON objects"),
        ('[{"val_loss": true}]', "trial 1: val_loss: True is not a number"),
        ('[{"dropout": true, "val_loss": 1}]', "trial 1: dropout: True is not a number"),
        ('{"metric": "x", "trials": [{"val_loss": 1}]}', "no trial has the metric 'x'"),
        ('{"metric": 3, "trials": [{"val_loss": 1}]}', "no trial has the metric 3"),
        ('{"lower_is_better": "no", "trials": [{"val_loss": 1}]}', "lower_is_better is 'no'"),
    ],
)
def test_bad_trials(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadOption, match=message) as caught:
        read(tmp_path, text)
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="cannot be read: No such file"):
        trials.read(tmp_path / "nowhere.csv")
