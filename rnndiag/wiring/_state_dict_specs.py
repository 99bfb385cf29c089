"""The modules of a state dict as layers, in Keras's terms where they are not recurrent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rnndiag.records import Array, LayerSpec, Writer
from rnndiag.wiring._state_dict_chain import Unit
from rnndiag.wiring._state_dict_modules import RecurrentModule

_WRAPPERS = re.compile(r"^((module|_orig_mod|model)(\.|$))+|\.(module|_orig_mod)(?=\.|$)")
"""What DataParallel, torch.compile, weight drop and common habit put before names."""
_NORM = {"axis": -1, "epsilon": 1e-5}
_CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "Embedding": {"mask_zero": False},
    "Dense": {"activation": "linear"},
    "LayerNormalization": _NORM,
    "BatchNormalization": _NORM,
}
_SEQUENCES = {"return_sequences": True, "zero_output_for_mask": True}
"""The whole sequence leaves torch's modules; the padding of packed ones comes out as zeros."""


def input_spec(name: str, features: int | None, writer: Writer) -> LayerSpec:
    """An input of (batch, timesteps, features), or of token ids where `features` is None."""
    shape = (None, None) if features is None else (None, None, features)
    return LayerSpec(name=name, kind="InputLayer", config={"batch_shape": shape}, writer=writer)


def labels(modules: Sequence[RecurrentModule], paths: Iterable[str]) -> dict[str, str]:
    """A name to show for each path, without wrappers' prefixes; no two layers share one.

    A module that is saved by itself is called after its class.
    """
    recurrent = {module.path: module for module in modules}
    taken: set[str] = set()
    found: dict[str, str] = {}
    for path in dict.fromkeys((*recurrent, *paths)):
        module = recurrent.get(path)
        at_root = module.in_torch.name.lower() if module else "root"
        label = _WRAPPERS.sub("", path) or at_root
        while taken & (own := {label, *(layer_names(label, module) if module else ())}):
            label += "_"
        taken |= own
        found[path] = label
    return found


def layer_names(label: str, module: RecurrentModule) -> list[str]:
    """The names of a module's layers: its own where it has one."""
    count = len(module.layers)
    return [label] if count == 1 else [f"{label}_l{k}" for k in range(count)]


@dataclass(frozen=True, kw_only=True)
class SpecMaker:
    """Describes modules as layers; holds what all of them need."""

    tensors: Mapping[str, Array]
    labels: Mapping[str, str]
    writer: Writer
    nonlinearity: str
    """Of nn.RNN, tanh or relu: the file does not tell."""

    def unit(self, unit: Unit) -> Iterator[LayerSpec]:
        """The layers of one unit of a chain."""
        if unit.module is not None:
            yield from self.module(unit.module)
            return
        arrays = [self.tensors[name] for name in unit.names]
        if unit.kind == "Dense":
            arrays[0] = arrays[0].T
        yield LayerSpec(
            name=self.labels[unit.path],
            kind=unit.kind,
            config=_CONFIGS[unit.kind],
            writer=self.writer,
            weights=tuple(arrays),
        )

    def module(self, module: RecurrentModule) -> Iterator[LayerSpec]:
        """The stacked layers of one recurrent module."""
        label = self.labels[module.path]
        for index, name in enumerate(layer_names(label, module)):
            spec = LayerSpec(
                name=name,
                kind=module.kind,
                config=self._config(module),
                writer=self.writer,
                packing="torch",
                label=label,
                index=index,
            )
            yield self._with_weights(spec, module.layers[index])

    def strange(self, module: RecurrentModule) -> LayerSpec:
        """A module that cannot be rebuilt, with the reason."""
        return LayerSpec(
            name=self.labels[module.path],
            kind=module.kind,
            config={},
            writer=self.writer,
            problem=module.problem,
        )

    def _config(self, module: RecurrentModule) -> Mapping[str, Any]:
        if module.in_torch.chooses_activation:
            return {**_SEQUENCES, "activation": self.nonlinearity}
        return _SEQUENCES

    def _with_weights(self, spec: LayerSpec, directions: tuple[tuple[str, ...], ...]) -> LayerSpec:
        """One layer, both directions in their wrapper."""
        forward, *backward = (
            replace(spec, weights=tuple(self.tensors[name] for name in names))
            for names in directions
        )
        if not backward:
            return forward
        mirrored = replace(backward[0], config={**spec.config, "go_backwards": True})
        config = {"merge_mode": "concat"}
        return replace(spec, kind="Bidirectional", config=config, inner=(forward, mirrored))
