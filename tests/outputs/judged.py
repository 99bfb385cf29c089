"""Judged outcomes built by hand, with names that every format has to survive."""

from __future__ import annotations

import math
from typing import Any

from rnndiag.records import (
    Advice,
    CheckpointReport,
    Finding,
    Judgement,
    LayerReport,
    Measured,
    NotJudged,
    Outcome,
    Passed,
    ProbeReport,
    Report,
    Unread,
)

LAYER = "l|`a`<b>&\"'\n::error::%0A,é{0}[x](y)\x1b[31m\x00\udcff"
"""A layer's name with something in it for each format to trip over."""
PATH = "runs/a b|<i>%41:\n::warning::,é`#1.h5"
DECAY = Advice(
    text="decay the recurrent kernel: 0.0001, then ten times that",
    source="A: weight decay 2",
    snippet="for group in groups:\n    group['weight_decay'] = 1e-4  # 100% of R",
)
NORMALIZE = Advice(text="normalize around the layer", source="A: what to do 11")
NAMES = {
    "RNN101": "vanishing-gradient",
    "RNN202": "extreme-activations",
    "RNN401": "no-weight-decay",
    "RNN410": "normalization-missing",
    "RNN601": "overfitting",
    "RNN999": "gone-since",
}
"""Names by code; the last is a rule that no catalogue has."""


def finding(rule: str = "RNN101", **changes: Any) -> Finding:
    """An error about one layer, unless `changes` say otherwise."""
    values = {
        "severity": "error",
        "confidence": "high",
        "message": "the gradient reaches 3 of 100 steps back, fewer than 4",
        "layer": "lstm",
        "direction": "forward",
        "evidence": {"span": 3, "half_life": None, "by_seed": [3, 2, 3]},
        "measured": Measured(name="span", value=3.0, worse="lower"),
        "advice": (DECAY, NORMALIZE),
    }
    return Finding(rule=rule, name=NAMES[rule], **{**values, **changes})


def layer(name: str, direction: str | None = "forward", reason: str | None = None) -> LayerReport:
    """A layer of four units; with a reason, one that was not analysed."""
    return LayerReport(
        name=name,
        id=name,
        kind="LSTM",
        direction=direction,  # type: ignore[arg-type]
        index=0,
        input_size=2,
        hidden_size=4,
        analysed=reason is None,
        reason=reason,
    )


def report(path: str, *findings: Finding, exit_code: int = 0, **changes: Any) -> Report:
    """A report of a Keras file with one layer, one pass and one rule that was skipped."""
    values: dict[str, Any] = {
        "layers": (layer("lstm"),),
        "judgement": Judgement(
            findings=findings,
            passed=(passed("RNN601"),),
            skipped=(skipped("RNN401", "the decay is not known: give --context FILE"),),
        ),
        "probe": probe("file"),
    }
    file = CheckpointReport(
        path=path,
        format="keras_h5",
        framework="keras",
        framework_version="3.15.1",
        sha256="ab" * 32,
        bytes=2048,
        parameters=112,
    )
    return Report(
        rnndiag_version="0.1.0", exit_code=exit_code, checkpoint=file, **{**values, **changes}
    )


def probe(source: str) -> ProbeReport:
    return ProbeReport(
        source=source,  # type: ignore[arg-type]
        batch=16,
        timesteps=100,
        seeds=1,
        device="cpu",
        wiring="exact",
    )


def passed(rule: str, layer: str | None = "lstm") -> Passed:
    return Passed(rule=rule, name=NAMES[rule], layer=layer, direction="forward")


def skipped(rule: str, reason: str, *, error: bool = False) -> NotJudged:
    return NotJudged(rule=rule, name=NAMES[rule], reason=reason, error=error)


def clean() -> Outcome:
    """One checkpoint without a finding."""
    return Outcome(reports=(report("model.h5"),))


def everything() -> Outcome:
    """Four files: healthy, full of findings, without a layer to analyse, and not readable."""
    return Outcome(
        reports=(report("runs/good.h5"), _broken(), _nothing()),
        unread=(Unread(path="gone.h5", message="gone.h5: no such file", hint="check the path"),),
    )


def _broken() -> Report:
    odd = {"ratio": math.nan, "largest": math.inf, "a|b": "<i>\n"}
    findings = (
        finding(layer=LAYER, call=1),
        finding(direction="backward"),
        finding("RNN202", known=True, layer="gru"),
        finding("RNN601", layer=None, direction=None, confidence="low", severity="warning"),
        finding("RNN202", severity="warning", evidence=odd, measured=None),
        finding("RNN410", severity="note", capped="warning by the numbers, but on made-up input"),
        finding("RNN999", severity="note", layer=None, direction=None, advice=(), evidence={}),
    )
    judgement = Judgement(
        findings=findings,
        passed=(passed("RNN202"), passed("RNN202", LAYER), passed("RNN601", None)),
        skipped=(
            skipped("RNN401", "the decay is not known: give --context FILE"),
            skipped("RNN410", "internal error: KeyError: 'a|b'\n::error::", error=True),
        ),
    )
    layers = (layer("lstm"), layer("custom", None, "a cell that rnndiag does not know"))
    return report(PATH, exit_code=1, judgement=judgement, layers=layers, probe=probe("synthetic"))


def _nothing() -> Report:
    return report(
        "/data/no rnn.pt",
        exit_code=3,
        layers=(),
        judgement=Judgement(findings=()),
    )
