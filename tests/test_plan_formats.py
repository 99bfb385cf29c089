"""What each format makes of a plan: the same in JSON and YAML, code that runs, lines that fit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import resources
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from jsonschema import Draft202012Validator

from rnndiag import registry
from rnndiag.evidence import trials as trial_files
from rnndiag.outputs.plans._words import least
from rnndiag.records.plan import (
    Best,
    Conflict,
    Parameter,
    Plan,
    Reason,
    Step,
    Tied,
    Unsearched,
)

SCHEMA = json.loads((resources.files("rnndiag.outputs.plans") / "schema.json").read_text("utf-8"))
HOSTILE = 'a\\b """\n\x00\x85\u2028 \N{PILE OF POO} "q" \x1b[31m # no: yes'


def parameter(name: str, argument: str, **more: Any) -> Parameter:
    told: dict[str, Any] = {"kind": "uniform", "use": "f(VALUE)", "why": "RNN601", "source": "A"}
    return Parameter(name=name, argument=argument, **{**told, **more})


PLAN = Plan(
    rnndiag_version="0",
    exit_code=0,
    checkpoint="runs/model.pt",
    framework="torch",
    parameters={
        "kernel": ("0.weight_ih_l0",),
        "recurrent": ("0.weight_hh_l0",),
        "bias": ("0.bias_ih_l0", "0.bias_hh_l0"),
    },
    summary="it follows from RNN601 overfitting",
    findings=1,
    steps=(
        Step(kind="repair", setting="start", text="initialise it", source="A paper"),
        Step(
            kind="try",
            setting="kernel_decay",
            value=1e-05,
            before=0.0,
            text="1e-5, then 1e-4",
            reasons=(Reason(rule="RNN601", name="overfitting", message="so it is", layer="rnn"),),
            source="A: what to do 1",
            watch="‖K‖ goes down",
            snippet="pasted = 1",
        ),
        Step(kind="last", setting="residual", text="add the input", source="A: what to do 8"),
    ),
    space=(
        parameter(
            "kernel_decay", "kernel_weight_decay", kind="log_uniform", low=1e-5, high=1e-4,
            ladder=(1e-5, 1e-4),
        ),
        parameter(
            "recurrent_decay", "recurrent_weight_decay", kind="log_uniform", low=1e-4, high=1e-3,
            ladder=(1e-4, 1e-3),
        ),
        parameter("recurrent_dropout", "recurrent_dropout", low=0.0, high=0.5, ladder=(0.2,)),
        parameter("units", "hidden_size", kind="int", low=20.0, high=40.0, ladder=(20,)),
        parameter(
            "normalization", "normalization", kind="categorical", choices=("none", "layer"),
            ladder=("layer",),
        ),
    ),
    tied=(
        Tied(
            name="bias_decay",
            argument="bias_weight_decay",
            use="f(VALUE)",
            least_of=("kernel_decay", "recurrent_decay"),
            why="no more than either",
            source="A: what to do 9",
        ),
    ),
    unsearched=(Unsearched(setting="optimizer", why="a name", source="A: what to do 13"),),
    conflicts=(Conflict(setting="units", taken="less", left="more", why="it is worse"),),
    best=Best(metric="val_loss", value=0.5, settings={"recurrent_dropout": 0.2}),
    notes=("made-up input",),
)  # fmt: skip
NOTHING = replace(PLAN, steps=(), space=(), tied=(), best=None, conflicts=(), exit_code=3)
ANYTHING = replace(
    PLAN,
    checkpoint=HOSTILE,
    summary=HOSTILE,
    space=(replace(PLAN.space[0], why=HOSTILE),),
    tied=(),
    parameters={"kernel": (HOSTILE,)},
    unsearched=(Unsearched(setting="x", why=HOSTILE, source=HOSTILE),),
    best=Best(metric=HOSTILE, value=None, settings={HOSTILE: HOSTILE, "1": float("nan")}),
    notes=(HOSTILE, "1e-5", "no", "null", "2020-01-01", "- a: b", ""),
)
PLANS = {"whole": PLAN, "nothing": NOTHING, "anything": ANYTHING}


def rendered(plan: Plan, format_: str, **more: Any) -> str:
    render: Callable[..., str] = registry.modules("rnndiag.outputs.plans")[format_].render
    return render(plan, **{"width": 80, "color": False, "verbose": False, **more})


def module(plan: Plan) -> dict[str, Any]:
    """The names that the Optuna module defines."""
    found: dict[str, Any] = {}
    exec(compile(rendered(plan, "optuna"), "space.py", "exec"), found)
    return found


class Stub:
    """A trial that takes the lowest of everything, and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        self.asked[name] = (low, high, log)
        return low

    def suggest_int(self, name: str, low: int, high: int) -> int:
        assert isinstance(low, int)
        assert isinstance(high, int)
        self.asked[name] = (low, high)
        return low

    def suggest_categorical(self, name: str, choices: list[str]) -> str:
        self.asked[name] = choices
        return choices[0]


# ---------------------------------------------------------------- data


@pytest.mark.parametrize("name", PLANS)
def test_json_follows_the_schema(name: str) -> None:
    Draft202012Validator(SCHEMA).validate(json.loads(rendered(PLANS[name], "json")))


def test_the_schema_is_strict() -> None:
    data = json.loads(rendered(PLAN, "json"))
    for broken in ({**data, "extra": 1}, {**data, "steps": [{}]}, {**data, "exit_code": 1}):
        assert not Draft202012Validator(SCHEMA).is_valid(broken)


def test_json_has_every_field() -> None:
    data = json.loads(rendered(PLAN, "json"))
    assert data["steps"][1]["value"] == 1e-5
    assert data["space"][4]["choices"] == ["none", "layer"]
    assert data["tied"][0]["least_of"] == ["kernel_decay", "recurrent_decay"]


@pytest.mark.parametrize("name", PLANS)
def test_yaml_is_the_same_data(name: str) -> None:
    """Numbers stay numbers: YAML 1.1 takes 1e-05 for a text; and texts stay texts."""
    plan = PLANS[name]
    assert yaml.safe_load(rendered(plan, "yaml")) == json.loads(rendered(plan, "json"))


# ---------------------------------------------------------------- code


def test_suggest_asks_for_the_ranges_and_answers_in_the_frameworks_words() -> None:
    trial = Stub()
    settings = module(PLAN)["suggest"](trial)
    assert trial.asked == {
        "kernel_decay": (1e-5, 1e-4, True),
        "recurrent_decay": (1e-4, 1e-3, True),
        "recurrent_dropout": (0.0, 0.5, False),
        "units": (20, 40),
        "normalization": ["none", "layer"],
    }
    assert settings == {
        "kernel_weight_decay": 1e-5,
        "recurrent_weight_decay": 1e-4,
        "recurrent_dropout": 0.0,
        "hidden_size": 20,
        "normalization": "none",
        "bias_weight_decay": 1e-5,
    }


def test_first_trials_change_one_setting_at_a_time() -> None:
    found = module(PLAN)
    start = found["START"]
    assert start["kernel_decay"] == 1e-5
    changed = [{k for k in own if own[k] != start[k]} for own in found["FIRST"]]
    assert changed == [set(), {"kernel_decay"}, {"recurrent_decay"}]


def test_groups_are_those_of_the_network() -> None:
    model = torch.nn.Sequential(torch.nn.LSTM(3, 4), torch.nn.Linear(4, 2))
    found = module(PLAN)
    groups = found["parameter_groups"](model, found["suggest"](Stub()))
    assert [group.get("weight_decay") for group in groups] == [1e-5, 1e-4, 1e-5, None]
    assert [len(group["params"]) for group in groups] == [1, 1, 2, 2]
    torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.0)


def test_keras_has_no_groups() -> None:
    assert "parameter_groups" not in module(replace(PLAN, framework="keras"))


@pytest.mark.parametrize("name", PLANS)
def test_code_runs_whatever_a_file_is_called(name: str) -> None:
    assert isinstance(module(PLANS[name])["suggest"](Stub()), dict)


def test_code_names_what_it_leaves_out() -> None:
    assert "optimizer: a name (A: what to do 13)" in module(PLAN)["__doc__"]


def test_a_bound_that_is_not_searched_holds_too() -> None:
    tied = replace(PLAN.tied[0], least_of=("recurrent_decay",), at_most=2e-4)
    assert least(tied) == "min(recurrent_decay, 2e-4)"
    plan = replace(PLAN, tied=(tied,))
    trial = SimpleNamespace(
        suggest_float=lambda name, low, high, log=False: high,
        suggest_int=lambda name, low, high: high,
        suggest_categorical=lambda name, choices: choices[-1],
    )
    assert module(plan)["suggest"](trial)["bias_weight_decay"] == 2e-4


def test_a_study_of_optunas_reads_back(tmp_path: Any) -> None:
    """A real study: every suggestion within its range, and its trials lead to the next plan."""
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = module(PLAN)

    def objective(trial: Any) -> float:
        settings: Mapping[str, Any] = found["suggest"](trial)
        assert 1e-5 <= settings["kernel_weight_decay"] <= 1e-4
        assert settings["bias_weight_decay"] <= settings["recurrent_weight_decay"]
        assert 20 <= settings["hidden_size"] <= 40
        return (float(settings["recurrent_dropout"]) - 0.3) ** 2

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    for known in found["FIRST"]:
        study.enqueue_trial(known)
    study.optimize(objective, n_trials=8)
    assert study.trials[0].params == {**found["START"]}
    path = tmp_path / "trials.json"
    path.write_text(json.dumps([{**own.params, "val_loss": own.value} for own in study.trials]))
    read = trial_files.read(path)
    assert read.metric == "val_loss"
    assert read.trials[0].settings["kernel_decay"] == 1e-5
    assert min(own.metric for own in read.trials) == study.best_value


# ---------------------------------------------------------------- the table


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("verbose", [False, True])
def test_the_table_fits_80_columns_and_is_plain(name: str, verbose: bool) -> None:
    text = rendered(PLANS[name], "table", verbose=verbose)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


def test_the_table_tells_everything_in_order() -> None:
    text = rendered(PLAN, "table")
    places = [
        text.index(part)
        for part in (
            *("runs/model.pt", "PyTorch: it follows", "best trial: val_loss", "First repair"),
            *(" 1. start", " 2. kernel_decay", "RNN601]", "watch: ‖K‖", " 3. residual"),
            *("1e-5 to 1e-4, log", "bias_decay = min(", "Not searched"),
            *("optimizer: a name", "units: less, not more: it is worse", "made-up input"),
        )
    ]
    assert places == sorted(places)


def test_lines_to_paste_are_for_those_who_ask() -> None:
    assert "pasted = 1" not in rendered(PLAN, "table")
    text = rendered(PLAN, "table", verbose=True)
    assert "RNN601: so it is (rnn)" in text
    assert "pasted = 1" in text


def test_colors_are_for_terminals() -> None:
    assert "\x1b[" in rendered(PLAN, "table", color=True)
