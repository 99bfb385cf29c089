"""The network has more parameters than its training set has timesteps.

What it means
    With fewer numbers to learn from than numbers to learn, a network can store its training set
    instead of finding what the sequences have in common. That it can does not mean that it did:
    most published networks are large, and regularization holds them. So this is a note.

Why it matters
    Storing is the easier way to a low training loss, and it is worth nothing on new data. The
    more parameters there are for each timestep of training data, the more regularization has to
    stand against it.

What to do
    1. More training data; parts of sequences and small changes to them count, too.
    2. Fewer units. Each is one more feature that can be told apart, so take as many as the data
    is complex, and see in validation how few will do.
    3. Early stopping; if the size has to stay, dropout and weight decay together with it.

ELI5
    You have a cupboard of a thousand drawers and twenty marbles. Every marble gets a drawer of
    its own, and you never have to think about them. With three drawers you must look: red ones
    here, blue ones there. And then you also know where a new marble goes.

Sources
    - B: core problem
    - B: example 1
    - B: tuning: overfits
    - A: learning 3
    - A: depth vs. width
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from rnndiag.records import Advice, Report, Settings, Skipped
from rnndiag.rules._losses import PATIENCE
from rnndiag.rules._sizes import known_timesteps, parameters_after, resized
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, step, worse
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN502", severity="note", rests_on="facts")


class Cuts(Thresholds):
    """How many parameters are many."""

    per_timestep = Cut(
        1, "parameters a training timestep", "own cut; B: core problem has 50,000 a pattern"
    )


def check(
    report: Report, settings: Settings, snippets: Snippets, cuts: Cuts
) -> Fired | Skipped | None:
    """Parameters for each timestep of the training set."""
    samples, parameters = settings.samples, report.checkpoint.parameters
    if samples is None or samples.value < 1:
        return Skipped(
            reason="the size of the training set is not known: samples in --context FILE.toml"
        )
    if parameters <= cuts.per_timestep * samples.value:
        return None
    steps = known_timesteps(report)
    if steps is None:
        return Skipped(reason="the length of real sequences is not known: give --probe FILE")
    each = parameters / (samples.value * steps)
    if each <= cuts.per_timestep:
        return None
    return Fired(
        message=(
            f"{parameters:,} parameters for {samples.value:,} sequences of {steps} timesteps: "
            f"{each:.3g} a timestep, more than {cuts.per_timestep:g}"
        ),
        confidence="medium",
        doubt="what a network can store depends on what its sequences have in common",
        evidence={
            "parameters": parameters,
            "samples": samples.value,
            "timesteps": steps,
            "source": samples.source,
        },
        measured=worse("parameters_per_timestep", each),
        advice=tuple(_advice(report, steps, snippets, cuts)),
    )


def _advice(report: Report, steps: int, snippets: Snippets, cuts: Cuts) -> Iterator[Advice]:
    parameters = report.checkpoint.parameters
    enough = math.ceil(parameters / steps / cuts.per_timestep)
    yield step(
        f"more training data: {enough:,} such sequences are one timestep for each parameter",
        "B: tuning: overfits",
    )
    words, snippet = resized(report, 0.5, snippets)
    left = parameters_after(report, 0.5)
    yield step(
        f"{words}: about {left:,} of {parameters:,} parameters are left; again, as long as "
        "validation does not suffer",
        "B: tuning: overfits",
        snippet,
    )
    yield step(
        f"early stopping, {PATIENCE} evaluations after the best",
        "B: example 1",
        snippets.early_stopping(PATIENCE),
    )
