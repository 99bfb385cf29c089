"""The modules of a state dict as layers, in Keras's terms where they are not recurrent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rnndiag.records import Array, LayerSpec, TorchModule, Writer
from rnndiag.wiring import _state_dict_told
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
    config = {"batch_shape": shape}
    return LayerSpec(name=name, kind="InputLayer", config=config, writer=writer, arguments=config)


def labels(modules: Sequence[RecurrentModule], paths: Iterable[str]) -> dict[str, str]:
    """A name to show for each path, without wrappers' prefixes; no two layers share one.

    A module that is saved by itself is called after its class.
    """
    recurrent = {module.path: module for module in modules}
    taken: set[str] = set()
    found: dict[str, str] = {}
    tried: dict[str, int] = {}
    for path in dict.fromkeys((*recurrent, *paths)):
        module = recurrent.get(path)
        at_root = module.in_torch.name.lower() if module else "root"
        label = stem = _WRAPPERS.sub("", path) or at_root
        while taken & (own := {label, *(layer_names(label, module) if module else ())}):
            # Counted on from the last of this stem: a file may have thousands of them.
            tried[stem] = tried.get(stem, 0) + 1
            label = f"{stem}_" if tried[stem] == 1 else f"{stem}_{tried[stem]}"
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
    pieces: Mapping[str, tuple[str, ...]]
    """What the file calls those tensors that it holds in pieces."""
    labels: Mapping[str, str]
    writer: Writer
    nonlinearity: str
    """Of nn.RNN, tanh or relu, where the file does not tell."""
    told: Mapping[str, TorchModule]
    """Whole modules, where the file holds them, by their paths."""

    def unit(self, unit: Unit) -> Iterator[LayerSpec]:
        """The layers of one unit of a chain."""
        if unit.module is not None:
            yield from self.module(unit.module)
            return
        arrays = [self.tensors[name] for name in unit.names]
        if unit.kind == "Dense":
            arrays[0] = arrays[0].T
        parameters = self._in_file(unit.names)
        yield replace(self.bare(unit), weights=tuple(arrays), parameters=parameters)

    def bare(self, unit: Unit) -> LayerSpec:
        """A unit that is not recurrent, without its arrays."""
        config = _CONFIGS[unit.kind]
        told = _state_dict_told.epsilon(self.told.get(unit.path)) if "epsilon" in config else {}
        return LayerSpec(
            name=self.labels[unit.path],
            kind=unit.kind,
            config={**config, **told},
            writer=self.writer,
            arguments={**_arguments(unit), "module": unit.path},
            parameters=self._in_file(unit.names),
        )

    def module(self, module: RecurrentModule) -> Iterator[LayerSpec]:
        """The stacked layers of one recurrent module."""
        label = self.labels[module.path]
        told = _state_dict_told.arguments(self.told.get(module.path))
        for index, name in enumerate(layer_names(label, module)):
            spec = LayerSpec(
                name=name,
                kind=module.kind,
                config=self._config(module),
                writer=self.writer,
                arguments={**module.arguments, **told},
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
            arguments=module.arguments,
            packing="torch",
            problem=module.problem,
        )

    def _config(self, module: RecurrentModule) -> Mapping[str, Any]:
        if module.in_torch.chooses_activation:
            told = _state_dict_told.nonlinearity(self.told.get(module.path))
            return {**_SEQUENCES, "activation": told or self.nonlinearity}
        return _SEQUENCES

    def _with_weights(self, spec: LayerSpec, directions: tuple[tuple[str, ...], ...]) -> LayerSpec:
        """One layer, both directions in their wrapper."""
        forward, *backward = (
            replace(
                spec,
                weights=tuple(self.tensors[name] for name in names),
                parameters=self._in_file(names),
            )
            for names in directions
        )
        if not backward:
            return forward
        mirrored = replace(backward[0], config={**spec.config, "go_backwards": True})
        config = {"merge_mode": "concat"}
        return replace(spec, kind="Bidirectional", config=config, inner=(forward, mirrored))

    def _in_file(self, names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
        """What the file calls each tensor."""
        return tuple(self.pieces.get(name, (name,)) for name in names)


def _arguments(unit: Unit) -> dict[str, Any]:
    """What the unit's class in torch.nn takes, as far as its tensors tell."""
    match unit.kind:
        case "Dense":
            sizes = {"in_features": unit.inputs, "out_features": unit.outputs}
            return {"class_name": "Linear", **sizes, "bias": len(unit.names) > 1}
        case "Embedding":
            return {"class_name": "Embedding", "embedding_dim": unit.outputs}
        case "LayerNormalization":
            return {"normalized_shape": [unit.outputs]}
    # Several classes hold a norm's tensors: GroupNorm those of LayerNorm, BatchNorm1d of 2d.
    return {"num_features": unit.outputs}
