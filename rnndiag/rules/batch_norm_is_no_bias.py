"""The layer has no biases, and batch normalization does not stand in for them.

What it means
    The network has batch normalization, and this recurrent layer was built without biases.

Why it matters
    For a dense or convolutional layer followed by batch normalization that is a fair saving: the
    normalization's own offset does what the bias would. In a recurrent layer the biases act at
    every step, inside the gates and in what the state does to itself. Batch normalization only
    sees what comes out in the end, so nothing takes their place. An LSTM loses more than others:
    without a forget bias it starts out forgetting half of its memory at each step.

What to do
    1. Give the layer its biases back, decayed no more than the kernels.
    2. For normalization where the biases are, within the step from state to state, take
    recurrent batch normalization.

ELI5
    A cook tastes the soup after every spoon of spice. A waiter who adds salt at the table cannot
    do that for him: by then it has boiled for an hour. Somebody has to taste while it cooks.

Sources
    - A: what to do 9
    - A: what to do 5
    - A: batch normalization
    - A: recurrent batch normalization
    - Cooijmans et al. 2017, Recurrent batch normalization
"""

from __future__ import annotations

from rnndiag.records import LayerReport, LayerSettings, Report, Skipped, Surrounding
from rnndiag.rules._surroundings import before, behind, normalizations
from rnndiag.rules.base import Fired, Rule, step
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN409", severity="warning", rests_on="facts")
_KINDS = ("BatchNormalization", "SyncBatchNormalization")


def check(
    layer: LayerReport, report: Report, own: LayerSettings, snippets: Snippets
) -> Fired | Skipped | None:
    """Batch normalization in the network, and known to have no biases."""
    if own.use_bias is None:
        return Skipped(reason="the file does not tell whether the layer has biases")
    found = [one for one in normalizations(report) if one.kind in _KINDS]
    if own.use_bias.value or not found:
        return None
    beside = next((one for one in found if _next_to(one, layer, report)), None)
    named = beside or found[0]
    return Fired(
        message=f"no biases, which {named.name} ({named.kind}) does not replace",
        confidence="high" if beside else "medium",
        doubt=None if beside else "the normalization stands elsewhere in the network",
        evidence={
            "use_bias": False,
            "source": own.use_bias.source,
            "batch_normalization": [one.name for one in found],
        },
        advice=(
            step(
                "give the layer its biases, decayed no more than the kernels, and train again",
                "A: what to do 9",
                snippets.with_bias(),
            ),
            step(
                "to normalize within the recurrence, use recurrent batch normalization",
                "A: what to do 5",
            ),
        ),
    )


def _next_to(one: Surrounding, layer: LayerReport, report: Report) -> bool:
    return one in (*before(layer, report)[:1], *behind(layer, report)[:1])
