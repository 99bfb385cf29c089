"""The loss's own profile, and the context that a stateful layer carries on."""

from __future__ import annotations

import numpy as np
import pytest

from rnndiag.measurements import carried_context, loss_gradient
from rnndiag.records import Options


def test_the_loss_has_a_profile_of_its_own(make_run):
    run = make_run(loss_log_norm=np.log(3) + np.log(0.8) * np.arange(60)[::-1] * np.ones((4, 1)))
    fact = loss_gradient.measure(run, Options())
    assert fact.decay_per_step == pytest.approx(0.8)
    assert fact.log10_norm == pytest.approx(np.log10(3))
    assert fact.span == 21


def test_without_a_loss_the_option_is_named(make_run):
    assert "--loss" in loss_gradient.measure(make_run(loss_log_norm=None), Options()).reason


def test_a_censored_stateful_span_is_carried_on(make_run):
    run = make_run(timesteps=20, stateful=True)
    fact = carried_context.measure(run, Options(windows=7))
    assert (fact.timesteps, fact.span, fact.windows) == (140, 20, 7)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stateful": False, "timesteps": 20}, "not stateful"),
        ({"stateful": True, "timesteps": 60}, "whole window"),
        ({"stateful": True, "pulse_log_norm": np.full((1, 4, 60), np.nan)}, "not finite"),
    ],
)
def test_no_context_is_carried_otherwise(make_run, changes, reason):
    assert reason in carried_context.measure(make_run(**changes), Options(windows=7)).reason
