"""The measurement phase on a GPU against cuDNN: ``python3 -m tests.benchmarks.gpu``.

Needs the repository and an installed torch, nothing else. Without a GPU it says so; that is
no failure.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from rnndiag.records import LayerArrays
from rnndiag.running import execution
from rnndiag.running.recording import Wanted
from tests.benchmarks import networks, peers, phase
from tests.benchmarks.contest import Contestant, Pace, alternate
from tests.benchmarks.figures import Figure, compared, left_out
from tests.benchmarks.networks import MEMORIES, Kind, Memory, Shape, Subject

SHAPE = Shape(32, 500, 256, 512)
KINDS: tuple[Kind, ...] = ("LSTM", "GRU")
CUDNN = "cuDNN, forward and backward"
TARGET, CLOSE = 2.0, 1e-4


def main() -> None:
    """Print every figure as it comes."""
    for figure in figures():
        value = "not measured" if figure.value is None else f"{figure.value:.3g} {figure.unit}"
        target = "" if figure.target is None else f"(to reach: {figure.target:g})"
        print(f"{figure.what} / {figure.against}: {value} {target} {figure.note}", flush=True)


def figures(shape: Shape = SHAPE) -> Iterator[Figure]:
    """Each cell and each kind of weights: the time, and how far the CPU's numbers are away."""
    if not torch.cuda.is_available():
        yield left_out(f"measurement phase {shape}", CUDNN, "no CUDA device here", TARGET)
        return
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    for kind in KINDS:
        for memory in MEMORIES:
            yield from _contest(kind, memory, shape)


def _contest(kind: Kind, memory: Memory, shape: Shape) -> Iterator[Figure]:
    subject = networks.subject(kind, memory, shape)
    prepared = phase.prepare(subject, "cuda")
    step = peers.fused(subject, "cuda")

    def finished() -> None:
        step()
        torch.cuda.synchronize()  # ours ends with numbers on the CPU, which waits as well

    entrants = [
        Contestant(name=phase.OURS, run=lambda: phase.measure(*prepared)),
        Contestant(name=CUDNN, run=finished),
    ]
    times = alternate(entrants, Pace(rounds=7))
    what = f"{kind} {shape}, {memory}"
    yield compared(what, CUDNN, times[phase.OURS], times[CUDNN], TARGET)
    yield _difference(what, subject)


def _difference(what: str, subject: Subject) -> Figure:
    """The largest difference of a state, a gate or a gradient from the CPU's."""
    here, there = (_arrays(subject, device) for device in ("cuda", "cpu"))
    pairs = [(here.h, there.h), (here.dL_dh, there.dL_dh)]
    pairs += [(here.gate_values[gate], there.gate_values[gate]) for gate in there.gate_values]
    worst = max(float(abs(a - b).max()) for a, b in pairs)
    return Figure(
        what=f"{what}: states, gates, gradients",
        against="the CPU's (largest difference)",
        value=worst,
        unit="",
        target=CLOSE,
    )


def _arrays(subject: Subject, device: str) -> LayerArrays:
    run = execution.run(*phase.prepare(subject, device), wanted=Wanted(arrays=True))
    arrays = run.layers[0].arrays
    assert arrays is not None
    return arrays


if __name__ == "__main__":
    main()
