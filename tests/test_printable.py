"""Lists of names in messages, which a file can make as long as it likes."""

from __future__ import annotations

import pytest

from rnndiag.printable import first_of


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more"),
        (range(12), "0, 1 and 10 more"),
    ],
)
def test_the_first_names_and_how_many_more(names: list[object], text: str) -> None:
    assert first_of(names, 2) == text
