"""A first look at a live network: what it calls, what it gives, and which axes are which.

It runs on two samples and on three: the axis that grew is the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from rnndiag import memory, probe
from rnndiag.live.describing import Description
from rnndiag.live.intercepting import Use
from rnndiag.live.network import Layout, arranged, followed
from rnndiag.live.outputs import Output
from rnndiag.records import Graph, Options

_SAMPLES = (2, 3)
_TIME_FIRST = "the network takes time first: the probe is turned to (timesteps, batch, …)"


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was seen."""

    layout: Layout
    called: tuple[str, ...]
    """Names of layers in the order of their first calls."""
    outputs: tuple[str, ...]
    """Names of the outputs that have the samples apart."""
    notes: tuple[str, ...]


def look(
    module: nn.Module,
    description: Description,
    graph: Graph,
    options: Options,
    label: str,
    device: torch.device,
) -> Look:
    """Run the network on a few samples; raises `BadOption` or `BadProbe` where it cannot be."""
    few = replace(options, targets=None, targets_key=(), loss=None, batch=max(_SAMPLES), seeds=1)
    found = probe.make(graph, few)
    names = [ref.layer for ref in graph.inputs]
    arrays = dict(zip(names, found.inputs, strict=True))
    layers: dict[nn.Module, list[str]] = {}
    for name, owner in description.owners.items():
        layers.setdefault(owner, []).append(name)
    made_up = options.probe is None
    hint = f"the probe was made up for its first layer: {_told(arrays)}; give --probe FILE"

    def run(count: int, *, time_first: bool) -> tuple[list[Use], list[Output]]:
        layout = Layout(time_first=time_first, timesteps=found.timesteps, batch_axes={})
        values = {name: arranged(_few(own, count, device), layout) for name, own in arrays.items()}
        with memory.given_back():
            return followed(module, description, values, label, hint=hint if made_up else "")

    time_first = _reads_time_first(*(run(count, time_first=False) for count in _SAMPLES))
    with _listening(layers) as called:
        small = run(_SAMPLES[0], time_first=time_first)[1]
    large = run(_SAMPLES[1], time_first=time_first)[1]
    axes = _batch_axes(small, large)
    return Look(
        layout=Layout(time_first=time_first, timesteps=found.timesteps, batch_axes=axes),
        called=tuple(called),
        outputs=tuple(axes),
        notes=(_TIME_FIRST,) if time_first else (),
    )


def _few(array: np.ndarray, count: int, device: torch.device) -> Tensor:
    """So many samples, from the first on; the same again where there are fewer."""
    samples = np.arange(count) % len(array)
    return torch.from_numpy(np.ascontiguousarray(array[samples])).to(device)


def _told(arrays: Mapping[str, np.ndarray]) -> str:
    return ", ".join(
        f"{name} (batch, {', '.join(map(str, own.shape[1:]))})" for name, own in arrays.items()
    )


@contextmanager
def _listening(modules: Mapping[nn.Module, Sequence[str]]) -> Iterator[dict[str, None]]:
    """The layers of the modules that are called meanwhile, in the order of their first calls."""
    called: dict[str, None] = {}

    def heard(module: nn.Module, _: object) -> None:
        called.update(dict.fromkeys(modules[module]))

    handles = [module.register_forward_pre_hook(heard) for module in modules]
    try:
        yield called
    finally:
        for handle in handles:
            handle.remove()


def _reads_time_first(
    small: tuple[list[Use], list[Output]], large: tuple[list[Use], list[Output]]
) -> bool:
    """Whether the first recurrent module took more samples for more timesteps."""
    if not small[0] or not large[0]:
        return False
    (steps, batch), (more_steps, same_batch) = (_size(uses) for uses, _ in (small, large))
    return steps != more_steps and batch == same_batch


def _size(uses: Sequence[Use]) -> tuple[int, int]:
    """Timesteps that the first module was given, in all calls, and its samples."""
    own = [use.segments[0].journal.run.h for use in uses if use.module is uses[0].module]
    return sum(len(z) for z in own), own[0].shape[1]


def _batch_axes(small: list[Output], large: list[Output]) -> dict[str, int]:
    """The axis of each output along which the samples are; none for those without."""
    axes: dict[str, int] = {}
    for before, after in zip(small, large, strict=False):
        pairs = enumerate(zip(before.value.shape, after.value.shape, strict=False))
        grown = [axis for axis, sizes in pairs if sizes == _SAMPLES]
        if grown:
            axes[before.name] = grown[0]
    return axes
