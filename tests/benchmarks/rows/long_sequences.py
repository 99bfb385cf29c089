"""Long sequences.

The sample LSTM at ten times the timesteps: a diagnosis in a warm process, without what every
process costs once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from rnndiag import pipeline
from rnndiag.records import Options
from tests.benchmarks.contest import Contestant, alternate
from tests.benchmarks.figures import Effort, Figure, compared
from tests.benchmarks.processes import ROOT

SAMPLE = ROOT / "samples" / "recall_default.pt"
TARGET = 11


def figures(effort: Effort) -> Iterator[Figure]:
    """T = 10,000 over T = 1,000; a twentieth in a quick run, which the target is not for."""
    few, many = (50, 500) if effort.quick else (1_000, 10_000)
    entrants = [Contestant(name=f"T = {t:,}", run=_diagnosis(t)) for t in (many, few)]
    times = alternate(entrants, effort.pace)
    longer, shorter = (times[contestant.name] for contestant in entrants)
    target = None if effort.quick else TARGET
    yield compared(entrants[0].name, entrants[1].name, longer, shorter, target)


def _diagnosis(timesteps: int) -> Callable[[], object]:
    options = Options(timesteps=timesteps, device="cpu")
    return partial(pipeline.diagnose, str(SAMPLE), options)
