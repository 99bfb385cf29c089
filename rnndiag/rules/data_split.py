"""The data is not split into training, validation and test set as it should be.

What it means
    The context tells the shares of the three sets, or that the test set had a part in training.
    Usual shares are 80, 10 and 10 per cent.

Why it matters
    Training loss is about the training set only, so there has to be data to choose by
    (validation). And what was chosen by a set looks too good on it, so there has to be data
    that chose nothing (test). A test set that training has seen measures memory.

What to do
    1. A test set that training has seen: take it as a validation set, and find new data for the
    test.
    2. Split before anything else: 80 % for training, 10 % for validation, 10 % for the test, which
    is looked at once, at the end. With millions of sequences smaller shares do for the last two.

    Keep pieces of one recording, text or person in one of the sets.

ELI5
    In hide and seek you count with your eyes closed. If you peek, you find everybody at once and
    still do not know whether you are any good at seeking. The test set is who hides while you
    count: no peeking.

Sources
    - B: checklist
    - B: insight 2
    - A: learning 1
"""

from __future__ import annotations

from collections.abc import Iterator

from rnndiag.records import Advice, Settings, Severity, Skipped
from rnndiag.rules._advice import percent
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, step
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN506", severity="warning", rests_on="facts")
_SETS = ("training", "validation", "test")


class Cuts(Thresholds):
    """How far from the documents' split."""

    training = Cut(0.8, "of the data", "B: checklist")
    tolerance = Cut(0.1, "of the data", "own cut: from 70 to 90 % for training", least=0)


def check(settings: Settings, snippets: Snippets, cuts: Cuts) -> Fired | Skipped | None:
    """A test set that was used, a set that is missing, or unusual shares."""
    split, used = settings.split, settings.test_in_training
    found = list(_signs(settings, cuts))
    if not found and split is None:
        return Skipped(reason="how the data was split is not known: split in --context FILE.toml")
    if not found:
        return None
    severity, message = found[0]
    return Fired(
        message=message,
        severity=severity,
        evidence={
            "split": list(split.value) if split else None,
            "test_in_training": used and used.value,
        },
        advice=tuple(_advice(settings, snippets)),
    )


def _signs(settings: Settings, cuts: Cuts) -> Iterator[tuple[Severity, str]]:
    """The worst first."""
    used, split = settings.test_in_training, settings.split
    if used is not None and used.value:
        yield "warning", "the test set had a part in training"
    if split is None:
        return
    shown = " / ".join(f"{100 * share:.3g}" for share in split.value)
    missing = [name for name, share in zip(_SETS, split.value, strict=True) if not share]
    if missing:
        yield "warning", f"the data is split {shown}: there is no {' and no '.join(missing)} set"
    # Rounded, as 0.8 - 0.7 is a little more than 0.1.
    off = round(abs(split.value[0] - cuts.training), 6)
    if off > cuts.tolerance:
        text = f"the data is split {shown}, more than {percent(cuts.tolerance)} away from"
        yield "note", f"{text} {percent(cuts.training)} for training"


def _advice(settings: Settings, snippets: Snippets) -> Iterator[Advice]:
    used = settings.test_in_training
    if used is not None and used.value:
        text = "take that test set as a validation set, and set aside new data for the test"
        yield step(text, "B: checklist")
    yield step(
        "80 % for training, 10 % for validation, 10 % for the test; the test set is looked at once",
        "B: checklist",
        snippets.split(),
    )
