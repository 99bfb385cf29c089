"""Nothing in the network normalizes.

What it means
    There is neither batch nor layer normalization, nor a relative of theirs, around the recurrent
    layers. Of a PyTorch file this is told from its tensors, where a normalization without weights
    would not show.

Why it matters
    Normalization keeps what goes from layer to layer on one scale. That steadies training, lets
    it use higher learning rates, and keeps units away from the flat ends of their activations.
    For some recurrent networks it helps a lot, for others not at all: it costs one try.

What to do
    1. Try batch normalization; keep it if validation improves, otherwise take it out.
    2. Try layer normalization in its place: some find it better for recurrent networks, some
    worse. It does not depend on what else is in the batch.
    3. Try recurrent batch normalization, within the step from state to state. It should do more
    than around the layer, and neither framework has it ready-made.

    Write down what came of each: with --trials, what was scrapped is not advised again.

ELI5
    In a choir one voice is loud and one can hardly be heard. The conductor asks everybody to
    sing about as loud as the others. Now you can hear who sings the wrong note. With very good
    singers it changes nothing, but asking costs nothing either.

Sources
    - A: batch normalization
    - A: recurrent batch normalization
    - A: what to do 4
    - A: what to do 5
    - A: what to do 11
    - B: normalization
    - B: checklist
    - Ba, Kiros & Hinton 2016, Layer normalization
    - Cooijmans et al. 2017, Recurrent batch normalization
"""

from __future__ import annotations

from collections.abc import Iterator

from rnndiag import ladders
from rnndiag.records import Advice, Confidence, Report, Skipped, Trials
from rnndiag.rules._surroundings import is_exact, normalizations
from rnndiag.rules.base import Fired, Rule, step
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN410", severity="note", rests_on="facts")


def check(report: Report, trials: Trials | None, snippets: Snippets) -> Fired | Skipped | None:
    """No normalization in the whole network, and some kind of it not yet tried."""
    if normalizations(report):
        return None
    if report.checkpoint.framework == "keras" and not is_exact(report):
        return Skipped(reason="the file does not tell of all layers of the network")
    advice = tuple(_advice(trials, snippets))
    if not advice:
        return None
    confidence, doubt = _confidence(report)
    return Fired(
        message="neither batch nor layer normalization in the network",
        confidence=confidence,
        doubt=doubt,
        evidence={"layers": [own.kind for own in report.network]},
        advice=advice,
    )


def _confidence(report: Report) -> tuple[Confidence, str | None]:
    """A state dict shows only normalizations with weights, and not all of them for sure."""
    if is_exact(report):
        return "high", None
    if report.probe.wiring == "assumed":
        return "medium", "a normalization without weights does not show in a state dict"
    return "low", "not all that stands around the recurrent layers is known"


def _advice(trials: Trials | None, snippets: Snippets) -> Iterator[Advice]:
    """What has not been scrapped: by the trials, or in the documents' order."""
    yield from _step(
        "batch_normalization",
        "A: what to do 4",
        "batch normalization; keep it if validation improves, otherwise scrap it",
        trials,
        snippets.batch_normalization(),
    )
    if trials is None or not any(one.settings.get("layer_normalization") for one in trials.trials):
        yield step(
            "layer normalization of what leaves the layer; keep it if validation improves",
            "B: checklist",
            snippets.layer_normalization(),
        )
    yield from _step(
        "recurrent_batch_normalization",
        "A: what to do 5",
        "recurrent batch normalization (Cooijmans et al. 2017); keep it if validation improves",
        trials,
    )


def _step(
    ladder: str, source: str, text: str, trials: Trials | None, snippet: str = ""
) -> Iterator[Advice]:
    if trials is None:
        yield step(text, source, snippet)
        return
    following = ladders.next_step(ladder, trials)
    if following.keep == "scrap":
        return
    ending = "" if following.keep is None else ": keep it"
    # Nothing to paste where the next try is one without.
    wanted = snippet if following.value or following.keep else ""
    yield step(f"{following.reason}{ending}", source, wanted)
