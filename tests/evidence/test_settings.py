"""Settings gathered from the file and the user, each with its source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import nn

from rnndiag import pipeline
from rnndiag.errors import BadOption
from rnndiag.evidence import context
from rnndiag.evidence.settings import gather
from rnndiag.records import (
    CheckpointReport,
    LayerReport,
    LayerSettings,
    Options,
    ProbeReport,
    Report,
    Setting,
    Settings,
    TrainingFact,
)

SAMPLES = Path(__file__).parents[2] / "samples"
ADAM = "training_config"
GROUP = "optimizer.param_groups[0]"
PLAIN: Mapping[str, Any] = {
    "kernel_regularizer": None,
    "recurrent_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "recurrent_constraint": None,
    "bias_constraint": None,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "use_bias": True,
    "stateful": False,
}
NAMES = {
    "kernel": ("rnn.weight_ih_l0",),
    "recurrent": ("rnn.weight_hh_l0",),
    "bias": ("rnn.bias_ih_l0", "rnn.bias_hh_l0"),
}


def fact(name: str, value: Any, source: str = ADAM, parameter: str | None = None) -> TrainingFact:
    return TrainingFact(name=name, value=value, source=source, parameter=parameter)


def layer(id: str = "rnn_l0", name: str = "rnn", index: int = 0, **known: Any) -> LayerReport:
    return LayerReport(
        name=name,
        id=id,
        kind="LSTM",
        direction="forward",
        index=index,
        input_size=3,
        hidden_size=4,
        analysed=True,
        **known,
    )


def report(
    framework: Literal["keras", "torch"], *facts: TrainingFact, layers: tuple[LayerReport, ...]
) -> Report:
    return Report(
        rnndiag_version="0",
        exit_code=0,
        checkpoint=CheckpointReport(
            path="m",
            format="f",
            framework=framework,
            framework_version=None,
            sha256="",
            bytes=0,
            parameters=0,
        ),
        probe=ProbeReport(
            source="file", batch=1, timesteps=1, seeds=1, device="cpu", wiring="exact"
        ),
        layers=layers,
        training=facts,
    )


def keras(*facts: TrainingFact, **arguments: Any) -> Report:
    return report("keras", *facts, layers=(layer(arguments={**PLAIN, **arguments}),))


def pytorch(*facts: TrainingFact) -> Report:
    return report("torch", *facts, layers=(layer(parameters=NAMES),))


def only(settings: Settings) -> LayerSettings:
    (own,) = settings.layers.values()
    return own


def values(settings: Settings | LayerSettings) -> dict[str, Any]:
    return {
        name: setting.value
        for name, setting in vars(settings).items()
        if isinstance(setting, Setting)
    }


def decays(settings: Settings, id: str = "rnn_l0") -> tuple[float | None, ...]:
    own = settings.layers[id]
    found = (own.kernel_decay, own.recurrent_decay, own.bias_decay)
    return tuple(None if setting is None else setting.value for setting in found)


def told(folder: Path, text: str) -> context.Context:
    (folder / "run.toml").write_text(text, encoding="utf-8")
    return context.read(folder / "run.toml")


# ---------------------------------------------------------------- nothing known


def test_a_bare_state_dict_tells_nothing() -> None:
    bare = report("torch", layers=(layer(),))
    assert gather(bare) == Settings(layers={"rnn_l0": LayerSettings()})


def test_a_weights_file_of_keras_tells_nothing() -> None:
    bare = report("keras", layers=(layer(),))
    assert gather(bare) == Settings(layers={"rnn_l0": LayerSettings()})


def test_no_layers() -> None:
    assert gather(report("torch", layers=())) == Settings()


# ---------------------------------------------------------------- Keras


def test_what_is_null_in_keras_is_known_to_be_absent() -> None:
    found = gather(keras(fact("optimizer", "Adam"), fact("learning_rate", 0.004999999888241291)))
    assert values(found) == {
        "optimizer": "Adam",
        "learning_rate": 0.005,
        "weight_decay": 0.0,
        "clipping": "",
    }
    assert values(only(found)) == {
        **{f"{part}_decay": 0.0 for part in ("kernel", "recurrent", "bias")},
        **{f"{part}_constraint": "" for part in ("kernel", "recurrent", "bias")},
        "penalty": False,
        "dropout": 0.0,
        "recurrent_dropout": 0.0,
        "activity": "",
        "use_bias": True,
        "stateful": False,
    }


@pytest.mark.parametrize("optimizer", [None, "MyOptimizer", "AdamW"])
def test_an_optimizer_that_may_decay_leaves_the_decay_unknown(optimizer: str | None) -> None:
    facts = [fact("optimizer", optimizer)] if optimizer else []
    found = gather(keras(*facts))
    assert found.weight_decay is None
    assert decays(found) == (None, None, None)
    assert found.clipping is None


def test_keras_decays_every_weight_beside_the_gradient() -> None:
    found = gather(keras(fact("optimizer", "Custom>adam_w"), fact("weight_decay", 0.004)))
    assert values(found)["optimizer"] == "AdamW"
    assert decays(found) == (0.004, 0.004, 0.004)
    assert values(found)["decoupled"] is True
    assert values(only(found))["penalty"] is False


def test_plain_adam_of_keras_decays_so_too() -> None:
    found = gather(keras(fact("optimizer", "Adam"), fact("weight_decay", 1e-4)))
    assert values(found)["decoupled"] is True
    assert decays(found) == (1e-4, 1e-4, 1e-4)


REGULARIZERS: list[tuple[Any, float | None]] = [
    (None, 0.0),
    ({"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.009999999776482582}}, 0.01),
    ({"class_name": "L2", "config": {"l2": 0.02}, "module": "keras.regularizers"}, 0.02),
    ({"class_name": "L2", "l2": 9.999999747378752e-05}, 1e-4),
    ({"class_name": "l1_l2", "config": {"l1": 0.1, "l2": 0.03}}, 0.03),
    ({"class_name": "keras_x>L2", "config": {"l2": 0.04}}, 0.04),
    ({"name": "WeightRegularizer", "l1": 0.0, "l2": 0.05}, 0.05),
    ({"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.0}}, 0.0),
    ("l2", 0.01),
    ("L2", 0.01),
    ("l1", None),
    ({"class_name": "L1", "config": {"l1": 0.01}}, None),
    ({"class_name": "L1L2", "config": {"l1": 0.01, "l2": 0}}, None),
    ({"class_name": "OrthogonalRegularizer", "config": {"factor": 0.01}}, None),
    ({"class_name": "function", "config": "mine"}, None),
    ({"class_name": "L2", "config": {"l2": "much"}}, None),
    ({"class_name": "L2", "config": {"l2": float("nan")}}, None),
    ({"class_name": "L2", "config": {"l2": 1e300}}, None),
    (3, None),
]


@pytest.mark.parametrize(("stored", "expected"), REGULARIZERS)
def test_regularizers_in_all_spellings(stored: Any, expected: float | None) -> None:
    found = gather(keras(fact("optimizer", "SGD"), kernel_regularizer=stored))
    assert decays(found) == (expected, 0.0, 0.0)
    penalty = values(only(found)).get("penalty")
    assert penalty is (None if expected is None else expected > 0)


def test_an_l2_penalty_counts_before_the_optimizers_decay() -> None:
    l2 = {"class_name": "L2", "config": {"l2": 0.01}}
    facts = (fact("optimizer", "AdamW"), fact("weight_decay", 0.1))
    found = gather(keras(*facts, recurrent_regularizer=l2))
    assert decays(found) == (0.1, 0.01, 0.1)
    own = only(found)
    assert own.recurrent_decay == Setting(value=0.01, source="config")
    assert own.kernel_decay == Setting(value=0.1, source=ADAM)
    assert values(own)["penalty"] is True


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({"class_name": "MaxNorm", "config": {"max_value": 3, "axis": 0}}, "MaxNorm 3"),
        ({"class_name": "max_norm", "config": {"max_value": 0.5}}, "MaxNorm 0.5"),
        ({"name": "MaxNorm", "m": 2, "axis": 0}, "MaxNorm 2"),
        (
            {"class_name": "MinMaxNorm", "config": {"min_value": 0.0, "max_value": 1.0}},
            "MinMaxNorm 0 1",
        ),
        ({"class_name": "UnitNorm", "config": {"axis": 0}}, "UnitNorm"),
        ("non_neg", "NonNeg"),
        ({"class_name": "function", "config": "mine"}, "mine"),
    ],
)
def test_constraints_by_name(stored: Any, expected: str) -> None:
    own = only(gather(keras(recurrent_constraint=stored)))
    assert (values(own)["kernel_constraint"], values(own)["recurrent_constraint"]) == ("", expected)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({"class_name": "L2", "config": {"l2": 0.01}}, "L2 0.01"),
        ({"class_name": "L1L2", "config": {"l1": 0.5, "l2": 0.25}}, "L1 0.5, L2 0.25"),
        ({"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.0}}, ""),
        ({"class_name": "Mine", "config": {"rate": 3}}, "Mine"),
    ],
)
def test_activity_regularizers(stored: Any, expected: str) -> None:
    assert values(only(gather(keras(activity_regularizer=stored))))["activity"] == expected


def test_a_cell_tells_for_the_layer_around_it() -> None:
    l2 = {"class_name": "L2", "config": {"l2": 0.01}}
    cell = {"class_name": "GRUCell", "config": {**PLAIN, "recurrent_regularizer": l2}}
    arguments = {"cell": cell, "stateful": True, "activity_regularizer": None}
    wrapped = report("keras", layers=(layer(arguments=arguments),))
    own = values(only(gather(wrapped)))
    assert own["recurrent_decay"] == 0.01
    assert own["dropout"] == 0.0
    assert own["activity"] == ""


def test_keras_clipping_and_schedules() -> None:
    schedule = {"class_name": "ExponentialDecay", "initial_learning_rate": 0.01, "decay_rate": 0.9}
    found = gather(
        keras(
            fact("optimizer", "nadam"),
            fact("learning_rate", schedule),
            fact("clipnorm", 1.0),
            fact("clipvalue", 0.5),
        )
    )
    assert values(found) == {
        "optimizer": "Nadam",
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "clipping": "clipnorm 1, clipvalue 0.5",
    }


def test_the_highest_rate_of_other_schedules() -> None:
    pieces = {"class_name": "PiecewiseConstantDecay", "values": [0.1, 0.5, 0.2]}
    warm = {
        "class_name": "CosineDecay",
        "config": {"initial_learning_rate": 0.0, "warmup_target": 0.3},
    }
    assert values(gather(keras(fact("learning_rate", pieces))))["learning_rate"] == 0.5
    assert values(gather(keras(fact("learning_rate", warm))))["learning_rate"] == 0.3
    assert gather(keras(fact("learning_rate", {"class_name": "Mine"}))).learning_rate is None


# ---------------------------------------------------------------- PyTorch


def adam(decay: float, *more: TrainingFact, kind: str = "Adam") -> Report:
    return pytorch(
        fact("optimizer", kind, "optimizer"),
        fact("learning_rate", 1e-3, GROUP),
        fact("weight_decay", decay, GROUP),
        *more,
    )


@pytest.mark.parametrize(
    ("kind", "decay", "decoupled", "penalty"),
    [
        ("Adam", 0.01, False, True),
        ("SGD", 0.01, False, True),
        ("NAdam", 0.01, False, True),
        ("AdamW", 0.01, True, False),
        ("Adam or AdamW", 0.01, None, None),
        ("Adam or AdamW", 0, None, False),
        ("Adam", 0, False, False),
    ],
)
def test_whose_decay_is_a_penalty(
    kind: str, decay: float, decoupled: bool | None, penalty: bool | None
) -> None:
    found = gather(adam(decay, kind=kind))
    assert decays(found) == (decay, decay, decay)
    assert values(found).get("decoupled") is decoupled
    assert values(only(found)).get("penalty") is penalty
    assert values(found)["optimizer"] == kind.replace("NA", "Na")


def test_the_file_tells_nadam_apart() -> None:
    found = gather(adam(0.01, fact("decoupled_weight_decay", True, GROUP), kind="NAdam"))
    assert (values(found)["decoupled"], values(only(found))["penalty"]) == (True, False)


def test_hyper_parameters_settle_what_the_state_leaves_open() -> None:
    chosen = fact("optimizer", "torch.optim.adamw", "hyper_parameters")
    found = gather(adam(0.01, chosen, kind="Adam or AdamW"))
    assert found.optimizer == Setting(value="AdamW", source="hyper_parameters")
    assert values(found)["decoupled"] is True
    found = gather(adam(0.01, chosen, kind="SGD"))
    assert found.optimizer == Setting(value="SGD", source="optimizer")


def per_parameter(**decay: float) -> list[TrainingFact]:
    groups = [
        fact("weight_decay", value, f"optimizer.param_groups[{place}]")
        for place, value in enumerate(sorted(set(decay.values())))
    ]
    own = [
        fact("weight_decay", value, "optimizer.param_groups[9]", f"rnn.{name}_l0")
        for name, value in decay.items()
    ]
    return [fact("optimizer", "AdamW", "optimizer"), *groups, *own]


def test_decay_by_parameter() -> None:
    facts = per_parameter(weight_ih=0.1, weight_hh=0.01, bias_ih=0.0, bias_hh=0.0)
    found = gather(pytorch(*facts))
    assert decays(found) == (0.1, 0.01, 0.0)
    assert values(found)["weight_decay"] == 0.1
    assert only(found).recurrent_decay == Setting(value=0.01, source="optimizer.param_groups[9]")


def test_what_parameters_do_not_agree_on_is_unknown() -> None:
    facts = per_parameter(weight_ih=0.1, bias_ih=0.0, bias_hh=0.1)
    assert decays(gather(pytorch(*facts))) == (0.1, None, None)
    half = per_parameter(weight_ih=0.1, weight_hh=0.0, bias_ih=0.0)
    assert decays(gather(pytorch(*half))) == (0.1, 0.0, None)


def test_groups_that_differ_leave_the_decay_unknown() -> None:
    facts = [f for f in per_parameter(weight_ih=0.1, weight_hh=0.0) if f.parameter is None]
    found = gather(pytorch(*facts))
    assert decays(found) == (None, None, None)
    assert values(found)["weight_decay"] == 0.1
    assert "penalty" not in values(only(found))


@pytest.mark.parametrize(("decay", "bias"), [(0.0, 0.0), (0.1, None)])
def test_hyper_parameters_tell_of_matrices_but_not_of_biases(
    decay: float, bias: float | None
) -> None:
    found = gather(pytorch(fact("optim.wd", decay, "hparams")))
    assert decays(found) == (decay, decay, bias)
    assert only(found).kernel_decay == Setting(value=decay, source="hparams")


def test_the_rate_before_a_schedule_lowered_it() -> None:
    found = gather(
        pytorch(
            fact("learning_rate", 1e-4, GROUP),
            fact("initial_lr", 0.014, GROUP),
            fact("learning_rate", 0.5, "hyper_parameters"),
        )
    )
    assert found.learning_rate == Setting(value=0.014, source=GROUP)


@pytest.mark.parametrize(
    ("name", "value", "setting", "expected"),
    [
        ("learning_rate", 0.1, "learning_rate", 0.1),
        ("optim.lr", 0.1, "learning_rate", 0.1),
        ("weight-decay", 0.1, "weight_decay", 0.1),
        ("optimizer_name", "sgd", "optimizer", "SGD"),
        ("batch_size", 32, "batch_size", 32),
        ("data.batch_size", 32.0, "batch_size", 32),
        ("max_epochs", 9, "epochs", 9),
        ("max_epochs", -1, "epochs", None),
        ("max_steps", 9, "steps", 9),
        ("max_steps", -1, "steps", None),
        ("num_steps", 35, "steps", None),
        ("shuffle", False, "shuffle", False),
        ("clip", 1.0, "clipping", "clip 1"),
        ("max_grad_norm", 0.25, "clipping", "max_grad_norm 0.25"),
        ("gradient_clip_val", 0, "clipping", ""),
        ("grad_clip", -1, "clipping", ""),
        ("grad_clip", False, "clipping", ""),
        ("grad_clip", True, "clipping", "grad_clip"),
        ("batch_size", True, "batch_size", None),
        ("learning_rate", "auto", "learning_rate", None),
    ],
)
def test_hyper_parameters_by_their_usual_names(
    name: str, value: Any, setting: str, expected: Any
) -> None:
    found = gather(pytorch(fact(name, value, "hyper_parameters")))
    assert values(found).get(setting) == expected
    if expected is not None:
        assert getattr(found, setting).source == "hyper_parameters"


def test_progress_counts_before_plans() -> None:
    found = gather(
        pytorch(
            fact("epoch", 20, "checkpoint"),
            fact("global_step", 5, "checkpoint"),
            fact("optimizer_step", 960, "optimizer"),
            fact("max_epochs", 100, "hyper_parameters"),
        )
    )
    assert found.epochs == Setting(value=20, source="checkpoint")
    assert found.steps == Setting(value=960, source="optimizer")


def test_epochs_beside_the_weights_are_a_plan() -> None:
    planned = gather(pytorch(fact("epochs", 90, "checkpoint"))).epochs
    assert planned == Setting(value=90, source="checkpoint, planned")
    both = pytorch(fact("epochs", 90, "checkpoint"), fact("epoch", 20, "checkpoint"))
    assert gather(both).epochs == Setting(value=20, source="checkpoint")


@pytest.mark.parametrize(
    ("name", "dropouts"),
    [
        ("dropout", {}),
        ("rnn_dropout", {}),
        ("model.input_dropout", {"dropout": 0.3}),
        ("recurrent_dropout", {"recurrent_dropout": 0.3}),
        ("wdrop", {"recurrent_dropout": 0.3}),
    ],
)
def test_only_dropout_that_says_where_is_told(name: str, dropouts: dict[str, float]) -> None:
    own = values(only(gather(pytorch(fact(name, 0.3, "hyper_parameters")))))
    assert {key: own[key] for key in own if "dropout" in key} == dropouts


def test_input_dropout_is_of_the_first_layer() -> None:
    stack = (layer("rnn_l0"), layer("rnn_l1", index=1))
    found = gather(report("torch", fact("input_dropout", 0.3, "args"), layers=stack))
    assert [own.dropout is not None for own in found.layers.values()] == [True, False]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"arguments": {"bias": False}}, False),
        ({"parameters": {**NAMES, "bias": ()}}, False),
        ({"parameters": NAMES}, True),
        ({}, None),
    ],
)
def test_whether_torch_layers_have_biases(known: dict[str, Any], expected: bool | None) -> None:
    own = only(gather(report("torch", layers=(layer(**known),))))
    assert values(own).get("use_bias") is expected


# ---------------------------------------------------------------- the context


def test_the_user_fills_in(tmp_path: Path) -> None:
    text = "epochs = 4\nsamples = 100\nbatch_size = 32\n[layers.rnn]\nkernel_decay = 1e-3\n"
    run = told(tmp_path, text)
    found = gather(pytorch(), run)
    assert decays(found) == (1e-3, None, None)
    assert only(found).kernel_decay == Setting(value=1e-3, source=run.source)
    assert found.conflicts == ()
    # ⌈100 / 32⌉ = 4 batches an epoch.
    assert found.steps == Setting(value=16, source="epochs · samples / batch_size")


def test_a_conflict_is_said_and_the_user_is_believed(tmp_path: Path) -> None:
    run = told(tmp_path, "learning_rate = 0.01\n[layers]\nkernel_decay = 0.5\nuse_bias = false")
    found = gather(adam(0.1), run)
    assert values(found)["learning_rate"] == 0.01
    assert values(only(found))["kernel_decay"] == 0.5
    path = run.source
    assert found.conflicts == (
        f"learning_rate is 0.001 by {GROUP}, 0.01 by {path}; taken: {path}",
        f"rnn_l0: kernel_decay is 0.1 by {GROUP}, 0.5 by {path}; taken: {path}",
        f"rnn_l0: use_bias is True by tensors, False by {path}; taken: {path}",
    )


def test_what_is_said_twice_alike_is_no_conflict(tmp_path: Path) -> None:
    found = gather(adam(0.1), told(tmp_path, "learning_rate = 0.001\noptimizer = 'adam'"))
    assert found.conflicts == ()
    assert found.learning_rate == Setting(value=1e-3, source=GROUP)


def test_a_run_that_went_on_is_no_conflict(tmp_path: Path) -> None:
    counted = pytorch(fact("epoch", 19, "checkpoint"))
    on = gather(counted, told(tmp_path, "epochs = 20"))
    assert (values(on)["epochs"], on.conflicts) == (20, ())
    back = gather(counted, told(tmp_path, "epochs = 3"))
    assert values(back)["epochs"] == 3
    assert len(back.conflicts) == 1


def test_the_user_settles_what_the_state_leaves_open(tmp_path: Path) -> None:
    found = gather(adam(0.1, kind="Adam or AdamW"), told(tmp_path, "optimizer = 'AdamW'"))
    assert found.conflicts == ()
    assert (values(found)["decoupled"], values(only(found))["penalty"]) == (True, False)


def test_another_optimizer_decays_in_its_own_way(tmp_path: Path) -> None:
    stored = adam(0.1, fact("decoupled_weight_decay", True, GROUP), kind="AdamW")
    found = gather(stored, told(tmp_path, "optimizer = 'Adam'"))
    assert (values(found)["decoupled"], values(only(found))["penalty"]) == (False, True)
    assert len(found.conflicts) == 1


def test_a_weight_decay_of_the_user_is_on_every_matrix(tmp_path: Path) -> None:
    run = told(tmp_path, "optimizer = 'AdamW'\nweight_decay = 0.1\n[layers]\nbias_decay = 0\n")
    found = gather(pytorch(), run)
    assert decays(found) == (0.1, 0.1, 0.0)
    # The layer's own word is no conflict with what the same file says of all.
    assert found.conflicts == ()
    assert decays(gather(keras(), run)) == (0.1, 0.1, 0.0)


def test_what_the_file_keeps_from_decay_stays_so(tmp_path: Path) -> None:
    facts = per_parameter(weight_ih=0.1, weight_hh=0.1, bias_ih=0.0, bias_hh=0.0)
    found = gather(pytorch(*facts), told(tmp_path, "weight_decay = 0.5"))
    assert decays(found) == (0.5, 0.5, 0.0)
    none = gather(adam(0.0), told(tmp_path, "weight_decay = 0.5"))
    assert decays(none) == (0.5, 0.5, 0.5)


def test_the_kind_of_a_decay_that_only_the_user_knows_is_his_to_say(tmp_path: Path) -> None:
    found = gather(adam(0.0), told(tmp_path, "[layers]\nkernel_decay = 1e-3\n"))
    assert only(found).penalty is None
    text = "[layers]\nkernel_decay = 1e-3\npenalty = true\n"
    assert values(only(gather(adam(0.0), told(tmp_path, text))))["penalty"] is True
    same = gather(adam(0.1), told(tmp_path, "[layers]\nkernel_decay = 0.1\n"))
    assert values(only(same))["penalty"] is True


def test_names_of_modules_and_of_their_layers(tmp_path: Path) -> None:
    stack = (layer("rnn_l0"), layer("rnn_l1", index=1), layer("other", "other"))
    text = (
        "[layers]\ndropout = 0.1\n[layers.rnn]\ndropout = 0.2\n[layers.rnn_l1]\ndropout = 0.3\n"
        "recurrent_dropout = 0.4\n"
    )
    found = gather(report("torch", layers=stack), told(tmp_path, text))
    assert {key: values(own) for key, own in found.layers.items()} == {
        "rnn_l0": {"dropout": 0.2},
        "rnn_l1": {"dropout": 0.3, "recurrent_dropout": 0.4},
        "other": {"dropout": 0.1},
    }


def test_an_unknown_layer(tmp_path: Path) -> None:
    run = told(tmp_path, "steps = 3\n\n[layers.rnn_10]\ndropout = 0.2\n")
    with pytest.raises(BadOption, match=r"run.toml, line 3: .*'rnn_10'") as caught:
        gather(pytorch(), run)
    assert "did you mean rnn_l0" in caught.value.hint
    with pytest.raises(BadOption) as caught:
        gather(pytorch(), told(tmp_path, "[layers.zzz]"))
    assert caught.value.hint == "known: rnn, rnn_l0"


# ---------------------------------------------------------------- real files


def test_facts_may_have_been_to_json_and_back() -> None:
    facts = per_parameter(weight_ih=0.1, weight_hh=0.01, bias_ih=0.0, bias_hh=0.0)
    listed = json.loads(json.dumps(NAMES))
    saved = report("torch", *facts, layers=(layer(parameters=listed),))
    assert gather(saved) == gather(pytorch(*facts))


def diagnosed(path: Path) -> Report:
    options = Options(probe=str(path.with_suffix(".probe.npz")), probe_key=("x",))
    return pipeline.diagnose(str(path), options)


def test_a_sample_of_pytorch() -> None:
    found = gather(diagnosed(SAMPLES / "recall_chrono.pt"))
    assert values(found) == {
        "optimizer": "Adam",
        "learning_rate": 0.002,
        "weight_decay": 0.0,
        "decoupled": False,
        "clipping": "clip 1",
        "steps": 1280,
        "epochs": 10,
    }
    (own,) = found.layers.values()
    assert values(own)["kernel_decay"] == 0.0


def test_a_sample_of_keras() -> None:
    found = gather(diagnosed(SAMPLES / "brackets_bidirectional.h5"))
    expected = {"optimizer": "Adam", "learning_rate": 0.005, "clipping": "clipnorm 1"}
    assert {key: values(found)[key] for key in expected} == expected
    assert decays(found, "bidirectional") == (0.0, 0.0, 0.0)
    assert values(found.layers["bidirectional"])["recurrent_constraint"] == ""


def test_lightning_groups_reach_the_matrices(tmp_path: Path) -> None:
    module = nn.LSTM(3, 4)
    weights = [p for n, p in module.named_parameters() if "weight" in n]
    biases = [p for n, p in module.named_parameters() if "bias" in n]
    groups = [
        {"params": weights, "weight_decay": 0.1},
        {"params": biases, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3)
    module(torch.ones(2, 1, 3))[0].sum().backward()
    optimizer.step()
    value = {
        "state_dict": {f"lstm.{name}": tensor for name, tensor in module.state_dict().items()},
        "optimizer_states": [optimizer.state_dict()],
        "hyper_parameters": {"gradient_clip_val": 0.5, "dropout": 0.4, "batch_size": 8},
        "pytorch-lightning_version": "2.1.3",
    }
    torch.save(value, tmp_path / "m.ckpt")
    options = Options(batch=1, seeds=1, timesteps=3)
    found = gather(pipeline.diagnose(str(tmp_path / "m.ckpt"), options))
    assert values(found)["clipping"] == "gradient_clip_val 0.5"
    assert values(only(found)) == {
        "kernel_decay": 0.1,
        "recurrent_decay": 0.1,
        "bias_decay": 0.0,
        "penalty": False,
        "use_bias": True,
    }
