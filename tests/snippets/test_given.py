"""Lines that come after others keep what those have set: run, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras
import pytest
import torch
from rule_reports import layer, norms, report
from torch import nn

from rnndiag import planning, snippets
from rnndiag.records import Judgement, LayerSettings, Report, Setting, Settings, Trial, Trials
from rnndiag.records.plan import Step
from rnndiag.snippets.given import with_settings
from tests.snippet_runs import known, run

NAMES = {
    "kernel": ("rnn.weight_ih_l0",),
    "recurrent": ("rnn.weight_hh_l0",),
    "bias": ("rnn.bias_ih_l0", "rnn.bias_hh_l0"),
}
SMALL_KERNEL = {"weight_norms": norms(kernel=2.0)}


def network(framework: str, **more: Any) -> Report:
    """An LSTM whose kernel is a fifth of its recurrent kernel's size; no rule says anything."""
    own = layer(parameters=NAMES, measurements=SMALL_KERNEL, **more)
    bare = {name: Setting(value=0.0, source="config") for name in ("dropout", "recurrent_dropout")}
    bare |= {f"{part}_decay": Setting(value=0.0, source="config") for part in NAMES}
    settings = Settings(layers={own.id: LayerSettings(**bare)})  # type: ignore[arg-type]
    made: Report = report(own, framework=framework, settings=settings)
    return replace(made, judgement=Judgement(findings=()))


def steps(made: Report, trials: Trials | None = None) -> Mapping[str, Step]:
    return {own.setting: own for own in planning.planned(made, trials).steps}


def built(snippet: str) -> Any:
    """The Keras layer that the lines make."""
    (value,), _ = run(snippet, keras=keras)
    return value


def decays_of(made: Any) -> list[Any]:
    found = (made.kernel_regularizer, made.recurrent_regularizer, made.bias_regularizer)
    return [own and pytest.approx(float(own.l2)) for own in found]


# ---------------------------------------------------------------- a plan's steps


def test_keras_layers_of_later_steps_keep_the_decays_and_rates() -> None:
    """‖K‖ is a fifth of ‖R‖: 2e-5 and 1e-4, and biases get the smaller of the two."""
    found = steps(network("keras"))
    assert list(found)[:4] == ["kernel_decay", "recurrent_decay", "dropout", "recurrent_dropout"]
    assert decays_of(built(found["kernel_decay"].snippet)) == [2e-5, None, None]
    assert decays_of(built(found["recurrent_decay"].snippet)) == [2e-5, 1e-4, 2e-5]
    last = built(found["recurrent_dropout"].snippet)
    assert decays_of(last) == [2e-5, 1e-4, 2e-5]
    assert (last.dropout, last.recurrent_dropout) == (0.1, 0.2)


def test_torch_groups_of_the_second_decay_keep_the_first() -> None:
    model = nn.Module()
    model.rnn = nn.LSTM(3, 4)
    found = steps(network("torch"))
    own = {"torch": torch, "nn": nn, "model": model}
    decayed = [
        [group["weight_decay"] for group in run(found[name].snippet, **own)[1]["groups"]]
        for name in ("kernel_decay", "recurrent_decay")
    ]
    assert decayed == [[2e-5, 0, 0, 0], [2e-5, 1e-4, 2e-5, 0]]


def test_lines_begin_with_the_best_trial() -> None:
    """The neighbour on the ladder is tried with the other settings of the best trial."""
    rows = ((1e-5, 1e-4, 0.7), (1e-4, 1e-3, 0.8))
    done = tuple(
        Trial(settings={"kernel_decay": kernel, "recurrent_decay": recurrent}, metric=metric)
        for kernel, recurrent, metric in rows
    )
    trials = Trials(source="", trials=done, metric="val_acc", lower_is_better=False)
    found = steps(network("keras"), trials)
    assert found["kernel_decay"].value == 1e-3
    assert decays_of(built(found["kernel_decay"].snippet)) == [1e-3, 1e-3, 1e-3]
    space = {own.name: own for own in planning.planned(network("keras"), trials).space}
    assert space["kernel_decay"].ladder == (1e-4, 1e-3)
    assert space["recurrent_decay"].ladder == (1e-3, 3e-3)
    assert space["recurrent_dropout"].ladder == (0.0, 0.2, 0.3, 0.4, 0.5)
    assert space["normalization"].ladder == ("none", "batch")


def test_a_first_decay_is_the_first_layers_and_names_those_that_it_does_not_fit() -> None:
    made = network("keras")
    other = layer(id="top", measurements={"weight_norms": norms(kernel=10.0, recurrent=2.0)})
    both = replace(made, layers=(*made.layers, other))
    found = steps(both)
    assert (found["kernel_decay"].value, found["recurrent_decay"].value) == (2e-5, 1e-4)
    assert "(1e-4 would fit top)" in found["kernel_decay"].text
    assert "(2e-5 would fit top)" in found["recurrent_decay"].text
    assert "would fit" not in steps(made)["kernel_decay"].text


# ---------------------------------------------------------------- one setting after another


def after(
    given: Mapping[str, float | str], settings: Settings | None = None, **arguments: Any
) -> Any:
    made = replace(network("keras", arguments=arguments), settings=settings)
    return snippets.for_(with_settings(made, given), None)


def test_a_bound_and_units_stay() -> None:
    found = built(after({"max_norm": 1.5, "units": 5}).dropout(0.1))
    assert (found.units, found.dropout) == (5, 0.1)
    assert [found.cell.kernel_constraint.max_value, found.cell.recurrent_constraint.max_value] == [
        1.5
    ] * 2
    assert found.cell.kernel_constraint.axis == 0
    assert "keras.layers.Dense(5, " in after({"units": 5}).residual()


def test_an_l1_penalty_stays_and_biases_that_are_not_there_get_none() -> None:
    own: dict[str, Any] = {
        "kernel_regularizer": {"class_name": "L1", "config": {"l1": 0.25}},
        "use_bias": False,
    }
    given = {"kernel_decay": 0.5, "recurrent_decay": 0.125, "bias_decay": 0.125}
    found = built(after(given, **own).dropout(0.1))
    assert (float(found.kernel_regularizer.l1), float(found.kernel_regularizer.l2)) == (0.25, 0.5)
    assert found.bias_regularizer is None


def test_clipping_learning_rate_and_optimizer_add_up() -> None:
    given = {"clipping": 1.0, "learning_rate": 3e-4}
    text = after(given, known(optimizer="Adam", learning_rate=1e-3)).optimizer("Nadam", None, None)
    assert "Nadam(learning_rate=3e-4, global_clipnorm=1.0)" in text
    rate = after({"optimizer": "Nadam"}, known(optimizer="Adam")).learning_rate(3e-4)
    assert "keras.optimizers.Nadam(learning_rate=3e-4)" in rate


def test_torch_normalizes_as_many_units_as_it_has_then() -> None:
    made = with_settings(network("torch"), {"units": 5})
    assert "nn.LayerNorm(5)" in snippets.for_(made, None).layer_normalization()


def test_what_was_not_analysed_is_left_alone() -> None:
    made = network("keras")
    bare = tuple(replace(own, analysed=False, hidden_size=None) for own in made.layers)
    assert with_settings(replace(made, layers=bare), {"units": 5}).layers == bare
