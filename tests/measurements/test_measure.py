"""All measurements together: what is not finite, too short or broken stops none of the others."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from layer_runs import altered, arrays_of

from rnndiag import measurements
from rnndiag.measurements import non_finite
from rnndiag.outputs.reports.json import plain
from rnndiag.records import Failed, Options, Skipped

ALL = {
    "carried_context", "gate_activity", "gradient_span", "initial_growth", "loss_gradient",
    "lyapunov", "non_finite", "preactivation_budget", "state_dimension", "timescale",
    "training_step", "unit_activity", "weight_norms",
}  # fmt: skip
OF_WEIGHTS = {"initial_growth", "training_step", "weight_norms"}
OPTIONS = Options()


def spoilt(array, value, index=0):
    array = array.copy()
    array.flat[index] = value
    return array


def skipped(facts) -> set[str]:
    return {name for name, fact in facts.items() if isinstance(fact, Skipped)}


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_a_healthy_layer_has_every_fact_that_its_kind_can_have(make_run, kind):
    facts = measurements.measure(make_run(kind), OPTIONS)
    ungated = {"gate_activity", "timescale"} if kind == "SimpleRNN" else set()
    assert set(facts) == ALL
    assert skipped(facts) == {"carried_context"} | ungated


def test_the_keys_that_others_rely_on(make_run):
    run = make_run(stateful=True, timesteps=30)
    data = json.loads(
        json.dumps({k: plain(v) for k, v in measurements.measure(run, OPTIONS).items()})
    )
    span = {"span", "censored", "timesteps", "alpha", "half_life", "decay_per_step", "growth"}
    assert span | {"log10_profile"} <= set(data["gradient_span"])
    assert {"dead_share", "dead_units", "extreme_share"} <= set(data["unit_activity"])
    assert set(data["gate_activity"]) == {"input", "forget", "candidate", "output"}
    assert {"left_stuck_share", "right_stuck_share", "mean"} <= set(data["gate_activity"]["input"])
    assert {"p10", "p50", "p90"} <= set(data["timescale"])
    assert {"kernel", "recurrent", "bias"} <= set(data["preactivation_budget"])
    assert {"kernel", "recurrent", "bias", "recurrent_kernel_ratio", "bias_kernel_ratio"} <= set(
        data["weight_norms"]
    )
    assert data["carried_context"]["timesteps"] == 30
    assert "top" in measurements.measure(make_run(), OPTIONS)["lyapunov"].__dict__


def test_facts_are_plain_python(make_run):
    def check(value):
        if is_dataclass(value):
            for field in fields(value):
                check(getattr(value, field.name))
        elif isinstance(value, (tuple, list)):
            for item in value:
                check(item)
        elif hasattr(value, "items"):
            for item in value.values():
                check(item)
        else:
            assert value is None or type(value) in (int, float, bool, str), repr(value)

    for fact in measurements.measure(make_run(seeds=2), OPTIONS).values():
        check(fact)


# ---------------------------------------------------------------- not finite


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["kernel", "recurrent_kernel", "bias"])
def test_a_weight_that_is_not_finite_is_counted_and_the_rest_skipped(make_run, name, value):
    run = make_run()
    weights = replace(run.weights, **{name: spoilt(getattr(run.weights, name), value)})
    h = np.full_like(arrays_of(run).h, np.nan)
    facts = measurements.measure(altered(run, weights=weights, h=h), OPTIONS)
    assert skipped(facts) == ALL - {"non_finite"}
    assert all("not finite" in facts[x].reason for x in ALL - {"non_finite", "carried_context"})
    assert not any(isinstance(fact, Failed) for fact in facts.values())
    assert getattr(facts["non_finite"], name) == 1
    assert facts["non_finite"].tensors == (name, "states")
    assert facts["non_finite"].total == 1 + h.size


@pytest.mark.parametrize("name", ["h", "c"])
def test_states_that_overflow_leave_the_weights_measurable(make_run, name):
    run = make_run(**{name: spoilt(getattr(arrays_of(make_run()), name), np.inf, index=7)})
    facts = measurements.measure(run, OPTIONS)
    assert skipped(facts) == ALL - OF_WEIGHTS - {"non_finite"}
    assert facts["unit_activity"].reason == "the states are not finite"
    assert facts["non_finite"] == non_finite.NonFinite(
        kernel=0, recurrent_kernel=0, bias=0, states=1, total=1, tensors=("states",)
    )


def test_what_a_mask_hides_may_be_anything(make_run):
    run = make_run()
    mask = run.mask.copy()
    mask[:, -5:] = False
    h = np.where(mask[..., None], arrays_of(run).h, np.nan)
    facts = measurements.measure(altered(run, h=h, mask=mask, real=mask), OPTIONS)
    assert skipped(facts) == {"carried_context"}
    assert facts["non_finite"].total == 0


# ---------------------------------------------------------------- too little


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_a_probe_of_padding_only(make_run, kind):
    none = np.zeros((4, 60), bool)
    facts = measurements.measure(make_run(kind, mask=none, real=none), OPTIONS)
    assert skipped(facts) == ALL - OF_WEIGHTS - {"non_finite"}
    assert not any(isinstance(fact, Failed) for fact in facts.values())


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_one_timestep(make_run, kind, batch):
    facts = measurements.measure(make_run(kind, batch=batch, timesteps=1), OPTIONS)
    assert not any(isinstance(fact, Failed) for fact in facts.values())
    assert facts["gradient_span"].span == 1
    assert isinstance(facts["lyapunov"], Skipped)
    assert isinstance(facts["unit_activity"], Skipped) == (batch == 1)


def test_a_batch_of_one_and_a_single_unit(make_run):
    facts = measurements.measure(make_run(batch=1, units=1), OPTIONS)
    assert skipped(facts) == {"carried_context"}
    assert facts["state_dimension"].participation_ratio == pytest.approx(1)


# ---------------------------------------------------------------- broken


def test_a_measurement_that_breaks_fails_alone(make_run, monkeypatch):
    def broken(run, options):
        raise ZeroDivisionError("by nothing")

    table = {"good": non_finite, "bad": SimpleNamespace(measure=broken)}
    monkeypatch.setattr(measurements.registry, "modules", lambda _: table)
    facts = measurements.measure(make_run(), OPTIONS)
    assert facts["bad"] == Failed(reason="internal error: ZeroDivisionError: by nothing")
    assert facts["good"].total == 0
    assert isinstance(facts["bad"], Skipped)
