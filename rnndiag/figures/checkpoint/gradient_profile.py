"""How much of a gradient is left, step by step back in time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes

from rnndiag.figures._profiles import DEEPEST, log10_of, plain, scale
from rnndiag.figures._style import BLACK, BLUE, GRAY, PURPLE, SKY, VERMILION, legend, sheet
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.measurements.gradient_span import GradientSpan
from rnndiag.profiles import fitted_steps, steps_back
from rnndiag.records import Array
from rnndiag.wording import counted, number

PLACE = 10
TITLE = "Gradient through time"


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction whose gradient could be followed."""
    for layer, span in subject.measured("gradient_span", GradientSpan):
        yield _picture(layer, span, subject.lag)


def _picture(layer: Layer, span: GradientSpan, lag: int | None) -> Picture:
    figure, axes = sheet(f"{TITLE}: {layer.title}", height=4.0)
    _band(axes, layer)
    _profile(axes, span)
    _marks(axes, span, lag)
    scale(axes, [span])
    if layer.made_up:
        axes.set_title("made-up input", loc="right", fontsize=10, color=GRAY)
    legend(figure, axes)
    return Picture(
        name="gradient_profile",
        title=TITLE,
        caption=f"{_caption(span, lag)}{layer.input_told}",
        alt=_alt(span),
        figure=figure,
        layer=layer.report,
    )


# ---------------------------------------------------------------- what is drawn


def _profile(axes: Axes, span: GradientSpan) -> None:
    """The measured profile; a gap where nothing of the gradient is left."""
    axes.plot(log10_of(span), color=BLUE, label="mean of samples")


def _band(axes: Axes, layer: Layer) -> None:
    """Median and 10-90 % of the samples' own profiles, each relative to its start."""
    logs = _each(layer)
    # The longest samples may have no gradient at all, and no other sample is as long.
    logs = logs[:, np.isfinite(logs).any(axis=0)]
    if len(logs) < 2:
        return
    low, median, high = np.nanpercentile(logs, (10, 50, 90), axis=0)
    back = np.arange(len(median))
    axes.fill_between(back, low, high, color=SKY, alpha=0.35, lw=0, label="10-90 % of samples")
    axes.plot(back, median, color=SKY, lw=1.2, label="median sample")


def _each(layer: Layer) -> Array:
    """(pulses × samples, steps) log10 of each profile; NaN where a sample has no such step."""
    run = layer.run
    logs, has = steps_back(run.pulse_log_norm, run.real)
    with np.errstate(invalid="ignore"):
        relative = np.where(has, logs - logs[..., :1], np.nan) / np.log(10)
    flat = relative.reshape(-1, relative.shape[-1])
    kept: Array = flat[np.isfinite(flat[:, :1]).all(axis=1)]
    # An exact zero has no logarithm: it stands at the bottom of the axis.
    return np.maximum(kept, 2 * DEEPEST)


def _marks(axes: Axes, span: GradientSpan, lag: int | None) -> None:
    """The share that still counts, where it is last reached, and what the task asks for."""
    axes.axhline(np.log10(span.alpha), color=GRAY, ls=":", label=f"α = {span.alpha:g}")
    last = span.span - 1
    told = f"span ≥ {span.span} (probe ends)" if span.censored else f"span {span.span}"
    axes.axvline(last, color=VERMILION, ls="--" if span.censored else "-", lw=1.4, label=told)
    if span.half_life is not None and span.half_life < span.timesteps:
        told = f"half-life {number(span.half_life, 1)}, by the slope"
        axes.plot(*_fit(span, span.half_life), color=BLACK, lw=1, label=told)
    if lag is not None:
        axes.axvline(lag, color=PURPLE, ls="-.", lw=1.4, label=f"lag of the task {lag}")


def _fit(span: GradientSpan, half_life: float) -> tuple[Array, Array]:
    """Ends of the fitted line: through the median of what the slope leaves of the fitted steps."""
    logs = np.array([-np.inf if v is None else v for v in span.log10_profile])
    k, slope = fitted_steps(logs * np.log(10)), -np.log10(2) / half_life
    known = k[np.isfinite(logs[k])]
    ends = known[[0, -1]]
    return ends, slope * ends + np.median(logs[known] - slope * known)


# ---------------------------------------------------------------- what is said


def _caption(span: GradientSpan, lag: int | None) -> str:
    sent = {
        "output": "what the network's output sends back",
        "isotropic": f"random unit vectors on the last state, because {span.why_isotropic}",
    }[span.cotangent]
    return (
        f"Norm of the total gradient of (h, c), k steps before each sample's last real one; "
        f"it starts as {sent}. The span is one more than the last k at which at least "
        f"{span.alpha:g} of it is left{_lag_told(lag)}. Nothing is drawn "
        f"of a gradient of 0 or under 1e-30.{_fit_told(span)}"
    )


def _lag_told(lag: int | None) -> str:
    return "" if lag is None else f"; a lag of {lag} is met by a span above {lag}"


def _fit_told(span: GradientSpan) -> str:
    if span.half_life is None or span.half_life >= span.timesteps:
        return ""
    return (
        " Black: the robust (Theil-Sen) slope over the steps it was fitted to, as high as their "
        "median."
    )


def _alt(span: GradientSpan) -> str:
    reach = "at least " if span.censored else ""
    end = next((v for v in reversed(span.log10_profile) if v is not None), 0.0)
    under = "less than " if span.log10_profile[-1] is None else ""
    return (
        f"Line plot on a log axis. The gradient spans {reach}{counted(span.span, 'timestep')} of "
        f"{span.timesteps}; {len(span.log10_profile) - 1} steps back {under}{plain(end, '.2g')} of "
        f"it is left."
    )
