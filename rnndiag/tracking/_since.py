"""Since when what was found at the last checkpoint has been there."""

from __future__ import annotations

from collections.abc import Sequence

from rnndiag.records import Finding, Lasting, Passed
from rnndiag.tracking._seen import Seen, told_by_series


def lasting(followed: Sequence[Seen], last: int) -> tuple[Lasting, ...]:
    """The findings at the checkpoint `last`, each with the first one from which on it held."""
    return tuple(
        Lasting(finding=own, since=_since(own, followed[: last + 1]))
        for own in followed[last].findings
    )


def _since(finding: Finding, followed: Sequence[Seen]) -> int | None:
    """The earliest checkpoint from which on the rule found it wherever it could say anything.

    A checkpoint at which it was not asked, had nothing to go by, or lacked the layer is no
    break, and no beginning either. None where no earlier one was judged by this rule.
    """
    since = len(followed) - 1
    asked = since == 0
    for place in range(since - 1, -1, -1):
        own = followed[place]
        if not _was_asked(finding, own):
            continue
        asked = True
        if _among(finding, own.findings):
            since = place
        elif _among(finding, own.passed):
            break
    return since if asked else None


def _was_asked(finding: Finding, own: Seen) -> bool:
    return own.judged == "all" or (own.judged == "series" and told_by_series(finding))


def _among(finding: Finding, answers: Sequence[Finding | Passed]) -> bool:
    return any(_place(answer) == _place(finding) for answer in answers)


def _place(answer: Finding | Passed) -> tuple[str, str | None, str | None, int]:
    return answer.rule, answer.layer, answer.direction, answer.call
