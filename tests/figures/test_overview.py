"""The verdict at a glance: bars as long as the spans, tiles as bad as the findings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from figure_subjects import draw, subject, words
from layer_runs import build

from rnndiag.figures._style import BLUE, SEVERITIES
from rnndiag.figures.checkpoint import overview

SHORT = np.broadcast_to(np.log(0.1) * np.arange(100)[::-1], (2, 4, 100))


def bars(axes: object, color: str) -> list[float]:
    from matplotlib.colors import to_rgba

    patches = axes.patches  # type: ignore[attr-defined]
    return [own.get_width() for own in patches if own.get_facecolor() == to_rgba(color)]


def test_a_bar_is_as_long_as_the_span() -> None:
    runs = (
        build(timesteps=100, name="a", id="a", pulse_log_norm=SHORT),
        build(timesteps=100, name="b", id="b", index=1),
    )
    (picture,) = draw(overview, subject(*runs, lag=80))
    reach, _ = picture.figure.axes
    assert bars(reach, BLUE) == [3, 44]
    labels = [label.get_text() for label in reach.get_yticklabels()]
    assert labels == ["a →", "b →", "network"]
    assert "3 of 100" in picture.alt
    assert "lag 80 " in set(words(picture))


def test_a_tile_shows_the_worst_of_its_family() -> None:
    (picture,) = draw(overview, subject(build(timesteps=100, pulse_log_norm=SHORT), lag=80))
    _, said = picture.figure.axes
    findings = {own.rule[3]: own.severity for own in subject_findings()}
    assert findings["1"] == "error"
    assert bars(said, SEVERITIES["error"])
    assert "!!" in set(words(picture))


def subject_findings() -> list:
    made = subject(build(timesteps=100, pulse_log_norm=SHORT), lag=80)
    assert made.report.judgement is not None
    return [own for own in made.report.judgement.findings if own.severity == "error"]


def test_of_many_layers_the_worst_are_shown() -> None:
    healthy = [build(timesteps=100, name=f"l{k}", id=f"l{k}") for k in range(14)]
    bad = build(timesteps=100, name="bad", id="bad", pulse_log_norm=SHORT)
    (picture,) = draw(overview, subject(*healthy, bad))
    labels = [label.get_text() for label in picture.figure.axes[0].get_yticklabels()]
    assert len(labels) == 11
    assert "bad →" in labels
    assert "5 more layers with fewer findings are left out" in picture.caption


def test_made_up_input_is_told() -> None:
    made = subject(build())
    layers = tuple(replace(layer, made_up=True) for layer in made.layers)
    (picture,) = draw(overview, replace(made, layers=layers))
    assert "timesteps back, made-up input" in set(words(picture))
    assert picture.caption.endswith("Made-up input: data may look different.")


def test_without_a_layer_there_is_nothing_to_show() -> None:
    assert draw(overview, subject()) == []


def test_a_layer_without_a_span_says_so() -> None:
    dead = np.full((2, 4, 60), -np.inf)
    (picture,) = draw(overview, subject(build(pulse_log_norm=dead)))
    assert " not measured" in set(words(picture))
