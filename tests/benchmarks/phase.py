"""The measurement phase, from the probe to the measurements, against what else it could cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from rnndiag import measurements, registry
from rnndiag.records import Options, Probe
from rnndiag.running import execution
from rnndiag.running.network import Network
from rnndiag.running.recording import Wanted
from tests.benchmarks import networks, peers
from tests.benchmarks.contest import Contestant, Times, alternate
from tests.benchmarks.figures import Effort, Figure, compared
from tests.benchmarks.networks import MEMORIES, SHAPES, Kind, Memory, Shape, Subject

NAMED = ("unit_activity", "gate_activity", "preactivation_budget", "gradient_span")
"""The measurements that the targets are about; the pulse and the states come with the run, and
the tangents that λ₁ takes do not."""
OURS, OURS_ALL = "rnndiag", "rnndiag, all measurements"
LONG = (500, 1000)
"""The timesteps at which the issue sets targets against training."""
TARGETS: dict[str, dict[Memory, float]] = {
    peers.FUSED: {"vanishing": 0.25, "long memory": 1.0},
    peers.UNROLLED: {"vanishing": 0.4, "long memory": 0.7},
}
FLOOR_TARGET = 2.5


def measure(network: Network, probe: Probe, options: Options, names: Sequence[str] = NAMED) -> Any:
    """The measurement phase itself: the one call that is timed; every layer's facts by name."""
    wanted = Wanted(tangents="lyapunov" in names)
    run = execution.run(network, probe, options, wanted=wanted)
    modules = registry.modules(measurements.__name__)
    return [{name: modules[name].measure(layer, options) for name in names} for layer in run.layers]


def prepare(subject: Subject, device: str = "cpu") -> tuple[Network, Probe, Options]:
    """What `measure` takes; made once, as a diagnosis makes it before the phase begins."""
    shape = subject.shape
    probe = Probe(
        inputs=(subject.x,),
        source="synthetic",
        batch=shape.batch,
        timesteps=shape.timesteps,
        seeds=1,
    )
    network = Network(networks.graph(subject), torch.device(device))
    return network, probe, Options(device=device)


def figures(kind: Kind, effort: Effort) -> Iterator[Figure]:
    """One cell at every shape with both kinds of weights, against every peer."""
    quick = SHAPES[1:2] if kind == "LSTM" else SHAPES[:1]
    for shape in quick if effort.quick else SHAPES:
        for memory in MEMORIES:
            yield from _contest(kind, memory, shape, effort)


def _contest(kind: Kind, memory: Memory, shape: Shape, effort: Effort) -> Iterator[Figure]:
    subject = networks.subject(kind, memory, shape)
    prepared = prepare(subject)
    everything = registry.names(measurements.__name__)
    entrants = [
        Contestant(name=OURS, run=lambda: measure(*prepared)),
        Contestant(name=OURS_ALL, run=lambda: measure(*prepared, everything)),
        *peers.contestants(subject, quick=effort.quick),
    ]
    times = alternate(entrants, effort.pace)
    what = f"{kind} {shape}, {memory}, {reach(measure(*prepared)[0])}"
    yield from _compared(what, times, _targets(kind, memory, shape))


def _targets(kind: Kind, memory: Memory, shape: Shape) -> Mapping[str, float]:
    """What the issue asks of this subject, by the name of the peer."""
    found = {peers.FLOOR: FLOOR_TARGET}
    if kind == "LSTM" and shape.timesteps in LONG:
        found |= {peer: by_memory[memory] for peer, by_memory in TARGETS.items()}
    return found


def _compared(
    what: str, times: Mapping[str, Times], targets: Mapping[str, float]
) -> Iterator[Figure]:
    for name, theirs in times.items():
        if name == OURS:
            continue
        if name == OURS_ALL:
            yield compared(f"{what}: all measurements", OURS, theirs, times[OURS])
        else:
            yield compared(what, name, times[OURS], theirs, targets.get(name))


def reach(facts: Mapping[str, Any]) -> str:
    """The span as rnndiag reports it, and how much of the pulse is left at the first step."""
    span = facts["gradient_span"]
    *_, deepest = (value for value in span.log10_profile if value is not None)
    left = f"{'under ' * (span.log10_profile[-1] is None)}1e{round(deepest)}"
    return f"span {'≥ ' * span.censored}{span.span} ({left} left)"
