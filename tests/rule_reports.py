"""Reports built by hand: a healthy LSTM, of which a test changes what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rnndiag import judging, rule_docs, rules
from rnndiag.judging import REAL_DATA, UNPADDED
from rnndiag.measurements.gate_activity import Gate, GateActivity
from rnndiag.measurements.gradient_span import GradientSpan
from rnndiag.measurements.initial_growth import InitialGrowth
from rnndiag.measurements.lyapunov import Lyapunov
from rnndiag.measurements.non_finite import NonFinite
from rnndiag.measurements.preactivation_budget import PreactivationBudget
from rnndiag.measurements.state_dimension import StateDimension
from rnndiag.measurements.timescale import Timescale
from rnndiag.measurements.unit_activity import UnitActivity
from rnndiag.measurements.weight_norms import ArrayNorm, GateNorms, WeightNorms
from rnndiag.records import (
    CheckpointReport,
    Finding,
    LayerReport,
    NotJudged,
    Passed,
    Policy,
    ProbeReport,
    Report,
    Skipped,
    Trials,
)

GATES = ("input", "forget", "candidate", "output")
_NORM = ArrayNorm(norm=8.0, rms=0.1, max_abs=0.9)
_GATE = Gate(
    left_stuck_share=0.0,
    right_stuck_share=0.0,
    stuck_share=0.0,
    left_share=0.05,
    right_share=0.05,
    mean=0.5,
)


def span(**changes: Any) -> GradientSpan:
    """Reaches 60 of 100 steps."""
    healthy = GradientSpan(
        span=60,
        censored=False,
        timesteps=100,
        alpha=1e-2,
        half_life=9.0,
        decay_per_step=0.92,
        growth=1.0,
        log10_profile=(0.0,) * 60 + (-2.5,) * 40,
        by_seed=(60,),
        cotangent="output",
        why_isotropic=None,
        samples=16,
    )
    return replace(healthy, **changes)


def gate(**changes: Any) -> Gate:
    """A gate with no unit stuck."""
    return replace(_GATE, **changes)


def gates(**changes: Gate) -> GateActivity:
    """An LSTM's four gates, all healthy but for those given."""
    return GateActivity({**dict.fromkeys(GATES, _GATE), **changes})


def norms(**changes: Any) -> WeightNorms:
    """A kernel of norm 8 and a recurrent kernel of norm 10."""
    healthy = WeightNorms(
        kernel=8.0,
        recurrent=10.0,
        bias=2.0,
        recurrent_kernel_ratio=0.9,
        bias_kernel_ratio=0.8,
        rms_kernel=0.12,
        rms_recurrent=0.11,
        rms_bias=0.1,
        max_abs=1.2,
        gates={
            name: GateNorms(
                kernel=_NORM, recurrent=_NORM, bias=_NORM, spectral_radius=1.0, sigma_max=1.5
            )
            for name in GATES
        },
    )
    return replace(healthy, **changes)


HEALTHY: Mapping[str, Any] = {
    "carried_context": Skipped(reason="the layer is not stateful"),
    "gate_activity": gates(),
    "gradient_span": span(),
    "initial_growth": InitialGrowth(
        kernel=1.8, recurrent=1.5, bias=1.0, initialisation="Keras: glorot_uniform"
    ),
    "loss_gradient": Skipped(reason="no loss was sent back"),
    "lyapunov": Lyapunov(top=-0.05, standard_error=0.01, asymptotic_span=93.0, samples=16),
    "non_finite": NonFinite(kernel=0, recurrent_kernel=0, bias=0, states=0, total=0, tensors=()),
    "preactivation_budget": PreactivationBudget(
        kernel=0.45,
        recurrent=0.45,
        bias=0.1,
        rms_kernel=1.0,
        rms_recurrent=1.0,
        rms_bias=0.2,
        gates=("candidate", "output"),
    ),
    "state_dimension": StateDimension(
        top_unit=3, top_unit_share=0.06, participation_ratio=9.0, participation_share=0.14
    ),
    "timescale": Timescale(p10=1.0, p50=3.0, p90=12.0),
    "unit_activity": UnitActivity(
        dead_share=0.0,
        dead_units=(),
        constant_units=(),
        extreme_share=0.02,
        mean_abs=0.3,
        steps=1600,
        padding_share=0.0,
    ),
    "weight_norms": norms(),
}
"""Measurement → its fact, in the middle of the healthy bands."""


def layer(
    kind: str = "LSTM", measurements: Mapping[str, Any] | None = None, **changes: Any
) -> LayerReport:
    """One recurrent layer of 64 units; `measurements` take the place of healthy ones."""
    healthy = LayerReport(
        name="lstm",
        id="lstm",
        kind=kind,
        direction="forward",
        index=0,
        input_size=16,
        hidden_size=64,
        analysed=True,
        arguments={"class_name": kind, "units": 64, "return_sequences": True},
        parameters={
            "kernel": ("lstm/kernel",),
            "recurrent": ("lstm/recurrent_kernel",),
            "bias": ("lstm/bias",),
        },
        measurements={**HEALTHY, **(measurements or {})},
    )
    return replace(healthy, **changes)


def report(*layers: LayerReport, framework: str = "keras", **changes: Any) -> Report:
    """A checkpoint that a real probe was run through, with exact wiring."""
    healthy = Report(
        rnndiag_version="0",
        exit_code=0,
        checkpoint=CheckpointReport(
            path="model.h5",
            format="keras-h5",
            framework=framework,
            framework_version="3.15.1",
            sha256="0" * 64,
            bytes=100_000,
            parameters=25_000,
        ),
        probe=ProbeReport(
            source="file", batch=16, timesteps=100, seeds=1, device="cpu", wiring="exact"
        ),
        layers=layers or (layer(),),
    )
    return replace(healthy, **changes)


def synthetic(made: Report) -> Report:
    """The same, as if the probe had been made up."""
    return replace(made, probe=replace(made.probe, source="synthetic", seeds=3))


def answers(
    rule: str, made: Report, trials: Trials | None = None, **policy: Any
) -> list[Finding | Passed | NotJudged]:
    """What one rule says of a report: an answer for each layer, or one for the network."""
    judgement = judging.judge(made, Policy(select=(rule,), **policy), trials).judgement
    assert judgement is not None
    assert not [item for item in judgement.skipped if item.error], judgement.skipped
    return [*judgement.findings, *judgement.passed, *judgement.skipped]


def answer(
    rule: str, made: Report, trials: Trials | None = None, **policy: Any
) -> Finding | Passed | NotJudged:
    """The only answer of a rule."""
    (only,) = answers(rule, made, trials, **policy)
    return only


def fires(rule: str, made: Report, trials: Trials | None = None, **policy: Any) -> Finding:
    """The finding of a rule that has to fire, and to give advice that says where from."""
    found = answer(rule, made, trials, **policy)
    assert isinstance(found, Finding), found
    assert found.advice
    assert all(step.text for step in found.advice)
    assert not _unsourced(found), _unsourced(found)
    assert (found.doubt is None) == (found.confidence == "high"), found
    return found


def _unsourced(found: Finding) -> list[str]:
    """The sources of steps that the rule does not name; of a paper its beginning is enough."""
    sources = rule_docs.of(rules.catalogue()[found.rule]).sources
    own = [step.source for step in found.advice if step not in (REAL_DATA, UNPADDED)]
    return [one for one in own if not one or not any(_begins(full, one) for full in sources)]


def _begins(full: str, source: str) -> bool:
    return full == source or full.startswith(f"{source},")


def quiet(rule: str, made: Report, trials: Trials | None = None, **policy: Any) -> None:
    """Assert that a rule was asked and has nothing to say."""
    found = answer(rule, made, trials, **policy)
    assert isinstance(found, Passed), found


def skips(rule: str, made: Report, trials: Trials | None = None, **policy: Any) -> str:
    """The reason of a rule that could not be asked."""
    found = answer(rule, made, trials, **policy)
    assert isinstance(found, NotJudged), found
    return found.reason
