"""What every measurement's test is given."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import pytest
from layer_runs import build

from rnndiag.records import LayerRun

MakeRun = Callable[..., LayerRun]


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """Whatever numpy warns of would reach a user's terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


@pytest.fixture(scope="session")
def make_run() -> MakeRun:
    return build
