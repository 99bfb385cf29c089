from __future__ import annotations

from dataclasses import replace

import pytest
from rule_reports import fires, layer, norms, quiet, report, skips, span, synthetic

from rnndiag.records import LayerSettings, Measured, Report, Setting, Settings, Skipped

RULE = "RNN411"


def said(value: object) -> Setting[object] | None:
    return None if value is None else Setting(value=value, source="config")


def trained(
    rate: float | None = 1e-3,
    optimizer: str | None = "Adam",
    clipping: str | None = "",
    constraint: str | None = "",
    growth: float = 1.0,
) -> Report:
    own = LayerSettings(kernel_constraint=said(constraint), recurrent_constraint=said(constraint))
    settings = Settings(
        optimizer=said(optimizer),
        learning_rate=said(rate),
        clipping=said(clipping),
        layers={"lstm": own},
    )
    return report(
        layer(measurements={"gradient_span": span(growth=growth)}),
        settings=settings,
    )


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [("Adam", 3.1e-3), ("NadamW", 0.01), ("Adam or AdamW", 0.01), ("SGD", 0.11), (None, 0.11)],
)
def test_fires_on_a_high_learning_rate(optimizer: str | None, rate: float) -> None:
    found = fires(RULE, trained(rate, optimizer))
    assert (found.severity, found.confidence) == ("note", "high")
    assert found.measured == Measured(name="learning_rate", value=rate, worse="higher")
    assert found.message.endswith("nothing bounds weights or gradients")


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [("Adam", 3e-3), ("SGD", 0.1), (None, 0.01), ("Adadelta", 1.0), ("SGD or AdamW", 0.01)],
)
def test_quiet_on_a_usual_learning_rate(optimizer: str | None, rate: float) -> None:
    quiet(RULE, trained(rate, optimizer))


def test_warns_where_gradients_grow() -> None:
    found = fires(RULE, trained(growth=35.0))
    assert found.severity == "warning"
    # log₁₀ 35
    assert found.measured == Measured(
        name="log10_growth", value=pytest.approx(1.544068), worse="higher"
    )
    assert "35 times, more than 10" in found.message
    quiet(RULE, trained(growth=10.0))


def test_made_up_input_cannot_make_it_a_warning() -> None:
    found = fires(RULE, synthetic(trained(growth=1e6)))
    assert found.severity == "note"


@pytest.mark.parametrize("changes", [{"clipping": "clipnorm 1"}, {"constraint": "MaxNorm 3"}])
def test_quiet_where_something_bounds_them(changes: dict[str, str]) -> None:
    quiet(RULE, trained(rate=0.02, growth=100.0, **changes))


def test_one_bounded_kernel_is_enough_to_stay_quiet() -> None:
    own = LayerSettings(kernel_constraint=said(""), recurrent_constraint=said("MaxNorm 1"))
    settings = Settings(learning_rate=said(1.0), clipping=said(""), layers={"lstm": own})
    quiet(RULE, report(settings=settings))


def test_what_is_not_known_lowers_the_confidence() -> None:
    found = fires(RULE, trained(0.02, clipping=None))
    assert (found.confidence, found.message[-22:]) == ("medium", "nothing bounds weights")
    found = fires(RULE, trained(0.02, constraint=None))
    assert (found.confidence, found.message[-24:]) == ("medium", "nothing bounds gradients")


def test_skipped_where_no_bound_is_known() -> None:
    assert "clipping" in skips(RULE, trained(0.02, clipping=None, constraint=None))
    assert "clipping" in skips(RULE, trained(growth=50.0, clipping=None, constraint=None))


def test_skipped_without_a_learning_rate_unless_gradients_grow() -> None:
    assert "learning_rate" in skips(RULE, trained(rate=None))
    assert fires(RULE, trained(rate=None, growth=50.0)).severity == "warning"


def test_the_learning_rate_alone_is_enough() -> None:
    made = trained(0.02)
    facts = {"gradient_span": Skipped(reason="zero at the last step")}
    found = fires(RULE, report(layer(measurements=facts), settings=made.settings))
    assert found.severity == "note"


def test_the_bound_fits_the_weights() -> None:
    # Columns: .2·√64 = 1.6 in R and .5·√16 = 2 in K.
    facts = {"weight_norms": norms(rms_recurrent=0.2, rms_kernel=0.5)}
    high = report(layer(measurements=facts), settings=trained(0.02).settings)
    found = fires(RULE, high)
    assert "below 2 (they have 2 and 1.6 now)" in found.advice[0].text
    assert "MaxNorm(2" in found.advice[0].snippet
    growing = layer(measurements={**facts, "gradient_span": span(growth=20.0)})
    found = fires(RULE, report(growing, settings=trained().settings))
    # Half of each.
    assert "below 1 in the kernel (2 now) and 0.8 in the recurrent kernel (1.6 now)" in (
        found.advice[0].text
    )
    assert "MaxNorm(1)" in found.advice[0].snippet


def test_a_bound_under_growth_is_no_more_than_an_orthogonal_matrix_has() -> None:
    facts = {"weight_norms": norms(rms_recurrent=0.5), "gradient_span": span(growth=20.0)}
    found = fires(RULE, report(layer(measurements=facts), settings=trained().settings))
    assert "and 1 in the recurrent kernel (4 now)" in found.advice[0].text


def test_made_up_input_says_nothing_of_a_learning_rate() -> None:
    found = fires(RULE, synthetic(trained(0.02)))
    assert found.confidence == "high"
    assert not any("--probe" in step.text for step in found.advice)
    assert "--probe" in fires(RULE, synthetic(trained(growth=50.0))).advice[0].text


def test_decay_beside_the_bound_is_more_than_there_is() -> None:
    made = trained(0.02)
    assert made.settings is not None
    for decay, wanted in ((1e-3, "more weight decay: 0.01 on the kernel"), (1e-2, None)):
        own = replace(made.settings.layers["lstm"], kernel_decay=said(decay))
        own = replace(own, recurrent_decay=said(decay))
        known = replace(made.settings, layers={"lstm": own})
        texts = [step.text for step in fires(RULE, replace(made, settings=known)).advice]
        assert any("weight decay" in text for text in texts) == (wanted is not None)
        assert wanted is None or any(wanted in text for text in texts)


def test_a_threshold_can_be_set() -> None:
    quiet(RULE, trained(0.02), thresholds={RULE: {"adaptive_rate": 0.05}})
