"""Much of what comes into the layer is dropped at random.

What it means
    In training, each feature that enters the recurrent layer is set to 0 with the given chance,
    by the layer's own ``dropout`` or by a dropout layer called just before it.

Why it matters
    A recurrent layer builds its memory from what it is shown, one step upon the other. Dropping
    much of it is noise, and takes away context that later steps need; the fewer timesteps there
    are, the less can make up for it. More than 0.2 is unusual.

    Here the two documents disagree. A wants at most 0.2 on what a recurrent layer is fed; B's
    checklist has 0.3 to 0.5 for each layer. This rule takes B's values as those for what goes
    from layer to layer: between recurrent layers they get a note, anywhere else a warning. A
    layer is taken to stand on recurrent ones where it is an upper layer of a PyTorch stack, or
    where Keras calls a recurrent layer before it and nothing but merging, normalization, dropout
    and the like in between. With --profile b, B's upper end is the cut everywhere.

What to do
    1. Try 0.1. If that validates better than none try 0.2, otherwise do without (--trials says
    which comes next).
    2. Drop parts of the state that goes round instead: recurrent dropout, from 0.2 on.
    3. Keep 0.3 to 0.5 for what goes on to layers that are not recurrent.

    With --profile b, 0.3 on the inputs comes first, and 0.5 is the most.

ELI5
    You follow a story on a radio that crackles. A crackle now and then makes you listen to what
    it is about, and not to single words. If every third word is gone, you lose the story, and a
    short one you never get into at all.

Sources
    - A: dropout
    - A: what to do 2
    - A: recurrent dropout
    - B: dropout
    - B: checklist
    - Zaremba, Sutskever & Vinyals 2014, Recurrent neural network regularization
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rnndiag import ladders
from rnndiag.records import Advice, LayerReport, LayerSettings, Report, Severity, Skipped, Trials
from rnndiag.rules._surroundings import before, stands_on_recurrent
from rnndiag.rules.base import Cut, Fired, Profile, Rule, Thresholds, step, worse
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN406", severity="warning", rests_on="facts")
_KINDS = ("Dropout", "SpatialDropout1D", "GaussianDropout", "AlphaDropout")


class Cuts(Thresholds):
    """How much dropout is too much, by either document."""

    inputs = Cut(0.2, "of the features", "A: dropout")
    between = Cut(0.5, "of the features", "B: checklist")


@dataclass(frozen=True, kw_only=True)
class _Dropout:
    rate: float
    source: str
    layer: str | None = None
    """The dropout layer's name; None where the recurrent layer itself drops."""
    between: bool = False
    """Whether it stands between recurrent layers."""

    @property
    def doubt(self) -> str | None:
        """Another branch may stand between what the order of the calls puts side by side."""
        by_order = self.layer is not None or self.between
        return "where it stands is told by the order of the calls alone" if by_order else None


def check(
    layer: LayerReport,
    report: Report,
    own: LayerSettings,
    trials: Trials | None,
    profile: Profile,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | Skipped | None:
    """Dropout on the layer's input above the cut of the document that counts."""
    found = max(_dropouts(layer, report, own), key=lambda one: one.rate, default=None)
    if found is None:
        return Skipped(
            reason="the file does not tell of dropout on the layer's input: "
            "give --context FILE.toml (dropout)"
        )
    if found.rate <= (cuts.between if profile == "b" else cuts.inputs):
        return None
    following = ladders.next_step("dropout", trials) if trials else None
    if following and _is(following.keep, found.rate):
        # Tried on this very task, it was better than less: no rule of thumb knows more.
        return None
    return Fired(
        message=_message(found, profile, cuts),
        severity=_severity(found, cuts),
        confidence="medium" if found.doubt else "high",
        doubt=found.doubt,
        evidence={"dropout": found.rate, "dropout_layer": found.layer, "source": found.source},
        measured=worse("dropout", found.rate),
        advice=tuple(_advice(found, own, following, profile, snippets)),
    )


def _dropouts(layer: LayerReport, report: Report, own: LayerSettings) -> Iterator[_Dropout]:
    between = stands_on_recurrent(layer, report)
    if own.dropout is not None:
        yield _Dropout(rate=own.dropout.value, source=own.dropout.source, between=between)
    around = before(layer, report)
    rate = around[0].arguments.get("rate") if around and around[0].kind in _KINDS else None
    if isinstance(rate, (int, float)):
        # Files of TensorFlow's have rates as float32: 0.2 is 0.20000000298 there.
        yield _Dropout(
            rate=round(float(rate), 6),
            source="config",
            layer=around[0].name,
            between=between,
        )


def _is(keep: object, rate: float) -> bool:
    return isinstance(keep, float) and math.isclose(keep, rate)


def _severity(found: _Dropout, cuts: Cuts) -> Severity:
    return "note" if found.between and found.rate <= cuts.between else "warning"


def _message(found: _Dropout, profile: Profile, cuts: Cuts) -> str:
    place = "just before the layer" if found.layer else "on the layer's input"
    place = "between recurrent layers" if found.between else place
    if profile == "b":
        return f"dropout of {found.rate:g} {place}, more than B's {cuts.between:g}"
    b = "B has 0.3 to 0.5 between layers" if found.rate <= cuts.between else "and than B's 0.5"
    return f"dropout of {found.rate:g} {place}, more than A's {cuts.inputs:g} ({b})"


# ---------------------------------------------------------------- advice


def _advice(
    found: _Dropout,
    own: LayerSettings,
    following: ladders.Next | None,
    profile: Profile,
    snippets: Snippets,
) -> Iterator[Advice]:
    if profile == "b":
        yield step("0.3, and no more than 0.5", "B: checklist", snippets.dropout(0.3))
    yield _less(found, following, snippets)
    if own.recurrent_dropout is None or not own.recurrent_dropout.value:
        yield step(
            "recurrent dropout of 0.2 instead: it spares what comes in",
            "A: recurrent dropout",
            snippets.recurrent_dropout(0.2),
        )
    if profile != "b":
        yield step(
            "0.3 to 0.5 only on what goes on to layers that are not recurrent",
            "B: checklist",
            snippets.between_dropout(0.3),
        )


def _less(found: _Dropout, following: ladders.Next | None, snippets: Snippets) -> Advice:
    """What the trials have come to, or the beginning of the ladder."""
    source = "A: what to do 2"
    instead = f"in the place of {found.layer}, " if found.layer else ""
    if following is None:
        text = f"{instead}0.1; if that validates better than none 0.2, otherwise none"
        return step(text, source, snippets.dropout(0.1))
    if following.value is not None:
        return step(f"{instead}{following.reason}", source, snippets.dropout(following.value))
    if following.keep is None or following.keep == "scrap":
        return step(f"{instead}none: {following.reason}", source, snippets.dropout(0.0))
    return step(f"{instead}{following.reason}", source, snippets.dropout(following.keep))
