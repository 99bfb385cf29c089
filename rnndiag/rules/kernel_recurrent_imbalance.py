"""Input weights and recurrent weights are of very unlike size.

What it means
    The kernel takes in the input, the recurrent kernel what the layer remembers. Entry for entry
    (as root mean squares), one of the two is several times as large as the other.

Why it matters
    Where recurrent weights are tiny against the kernel's, the state hardly counts and the layer
    forgets; where they are huge, the layer talks to itself, gradients grow and the input is
    noise. It is grave where one of these is seen too: short memory, growing gradients, or
    biases that take over. On made-up input such signs do not count.

What to do
    1. Give kernel and recurrent kernel decays of their own; the much smaller matrix gets less.
    One value for both will not do. Of decays that are known, the larger matrix's is raised, up
    to 1e-2; from there on bound the weights.
    2. Start again with weights that are balanced: an orthogonal recurrent kernel, Glorot's
    input weights.

ELI5
    You have one ear for your teacher and one for the song in your head. If the song is so loud
    that you miss the lesson, you learn nothing new. If you cannot hear it at all, you forget
    what came before. Turn each one up or down by itself, until you can follow both.

Sources
    - A: what to do 1
    - A: learning 4
    - A: weight constraints
    - Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural
      networks
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnndiag import decays
from rnndiag.records import Advice, LayerReport, LayerSettings, ProbeReport, Skipped
from rnndiag.rules._advice import percent, starts_orthogonal
from rnndiag.rules._decay_advice import bound_instead
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, short, step, worse
from rnndiag.rules.bias_dominates import Cuts as BiasCuts
from rnndiag.rules.exploding_gradient import Cuts as GrowthCuts
from rnndiag.rules.vanishing_gradient import Cuts as MemoryCuts
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.gradient_span import GradientSpan
    from rnndiag.measurements.lyapunov import Lyapunov
    from rnndiag.measurements.preactivation_budget import PreactivationBudget
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN303", severity="warning", rests_on="weights")
_OWN = "own cut: .27-1.44 in good published models"
_GRAVE = "own cut: and memory, growth or biases at their rule's warning, on real input"


class Cuts(Thresholds):
    """Where RMS(R) / RMS(K) has to lie.

    Outside the inner two it warns by the ratio alone: of the published models none does. That
    it is an error takes the outer two and a second sign, by the default cuts of RNN101, RNN102 and
    RNN302, whatever thresholds were chosen for those.
    """

    low = Cut(0.25, "RMS(R) / RMS(K)", _OWN)
    high = Cut(2.0, "RMS(R) / RMS(K)", _OWN)
    error_low = Cut(0.15, "RMS(R) / RMS(K)", _GRAVE)
    error_high = Cut(4.0, "RMS(R) / RMS(K)", _GRAVE)


def check(
    layer: LayerReport,
    norms: WeightNorms,
    span: GradientSpan | None,
    lyapunov: Lyapunov | None,
    budget: PreactivationBudget | None,
    probe: ProbeReport,
    own: LayerSettings,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | Skipped | None:
    """RMS(R) / RMS(K) outside its bounds."""
    ratio = norms.recurrent_kernel_ratio
    if ratio is None:
        return Skipped(reason="the kernel is 0: there is nothing to compare with")
    if cuts.low <= ratio <= cuts.high:
        return None
    on_noise = probe.source == "synthetic" or layer.reason is not None
    signs = [] if on_noise else list(_second_signs(span, lyapunov, budget))
    grave = bool(signs) and not cuts.error_low <= ratio <= cuts.error_high
    assumed = grave and probe.wiring != "exact"
    bounds = (cuts.error_low, cuts.error_high) if grave else (cuts.low, cuts.high)
    return Fired(
        message="; ".join((_message(ratio, *bounds), *signs)),
        severity="error" if grave else "warning",
        confidence="medium" if assumed else "high",
        doubt="the second sign was seen with assumed wiring" if assumed else None,
        evidence={
            "recurrent_kernel_ratio": ratio,
            "rms_kernel": norms.rms_kernel,
            "rms_recurrent": norms.rms_recurrent,
            "second_signs": signs,
        },
        measured=(worse if ratio > cuts.high else short)("recurrent_kernel_ratio", ratio),
        advice=(_decay(layer, norms, ratio, own, snippets), *_start(layer, snippets)),
    )


def _message(ratio: float, low: float, high: float) -> str:
    bound = f"more than {high:g}" if ratio > high else f"less than {low:g}"
    return f"recurrent weights are {ratio:.3g} times as large as the kernel's, {bound}"


def _second_signs(
    span: GradientSpan | None, lyapunov: Lyapunov | None, budget: PreactivationBudget | None
) -> Iterator[str]:
    """Where the layer suffers, by the default cuts of the rules that watch it."""
    memory, growth, bias = MemoryCuts(), GrowthCuts(), BiasCuts()
    if span is not None:
        seen = span.timesteps >= memory.timesteps and not span.censored
        if seen and span.span < memory.warning:
            yield f"the gradient reaches {span.span} of {span.timesteps} steps back"
        if span.growth > growth.warning:
            yield f"the gradient grows {span.growth:.3g} times on its way back"
    asymptotic = lyapunov.asymptotic_span if lyapunov else None
    if asymptotic is not None and asymptotic < memory.warning:
        yield f"on long sequences the gradient would reach {asymptotic:.3g} steps back"
    share = budget.bias if budget and budget.rms_bias > bias.size_warning else 0.0
    if share > bias.share_warning:
        yield f"the biases are {percent(share)} of what gates and units add up"


def _decay(
    layer: LayerReport, norms: WeightNorms, ratio: float, own: LayerSettings, snippets: Snippets
) -> Advice:
    """Decays in proportion; where there are some, more on the matrix with the larger weights."""
    fit = decays.next_decay(own, norms, raising=("recurrent" if ratio > 1 else "kernel",))
    if fit is None:
        return bound_instead(layer, norms, snippets)
    return step(
        f"decay them by values of their own: {fit.values} ({fit.reason})",
        "A: what to do 1",
        snippets.decay(fit.kernel, fit.recurrent, fit.bias),
    )


def _start(layer: LayerReport, snippets: Snippets) -> Iterator[Advice]:
    if not starts_orthogonal(layer):
        yield step(
            "start with orthogonal recurrent and Glorot-uniform input weights",
            "A: learning 4",
            snippets.orthogonal(),
        )
