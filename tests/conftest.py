"""What the tests share: Keras runs on torch, and errors against references become a table."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

os.environ["KERAS_BACKEND"] = "torch"

_PROPERTY = "error against a reference"
Record = Callable[[str, str, float], None]


@pytest.fixture
def record_error(request: pytest.FixtureRequest) -> Record:
    """Note an error by writer and quantity; the worst of each stands below the tests."""

    def record(writer: str, quantity: str, error: float) -> None:
        request.node.user_properties.append((_PROPERTY, (writer, quantity, error)))

    return record


def pytest_terminal_summary(terminalreporter: Any) -> None:
    worst: dict[str, dict[str, float]] = defaultdict(dict)
    files: dict[str, set[str]] = defaultdict(set)
    for report in (
        r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, [])
    ):
        errors = [value for name, value in report.user_properties if name == _PROPERTY]
        for writer, quantity, error in errors:
            worst[writer][quantity] = max(error, worst[writer].get(quantity, 0.0))
        for writer in {writer for writer, *_ in errors}:
            files[writer].add(report.nodeid.partition("[")[2])
    if not worst:
        return
    quantities = sorted({quantity for row in worst.values() for quantity in row})
    terminalreporter.section("worst error against reference files")
    heads = "".join(f"{quantity:>12}" for quantity in quantities)
    terminalreporter.write_line(f"{'writer':<28}{'files':>6}{heads}")
    for writer, row in sorted(worst.items()):
        cells = (f"{row[q]:>12.1e}" if q in row else f"{'-':>12}" for q in quantities)
        terminalreporter.write_line(f"{writer:<28}{len(files[writer]):>6}{''.join(cells)}")
