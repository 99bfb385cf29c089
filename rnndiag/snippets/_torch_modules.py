"""The modules of ``torch.nn`` that a snippet is about, and what to call them in code."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rnndiag.records import LayerReport
from rnndiag.snippets._code import Brackets, Expression, call, literal, write

_CLASSES = {"SimpleRNN": "RNN"}
_ARRAY = re.compile(
    r"(?:(?P<path>.*)\.)?(?:parametrizations\.)?"
    r"(?P<array>(?:weight|bias)_(?:ih|hh)(?:_l\d+(?:_reverse)?)?)"
    r"(?P<stored>_raw|_g|_v|\.original\d*)?"
)
"""A parameter's name: where its module stands, its own, and how it is stored if not as itself."""


@dataclass(frozen=True, kw_only=True)
class Module:
    """One module, with those of its layers and directions that the snippet is about."""

    path: str
    """Where it stands in the network; empty where it is the network."""
    arguments: Mapping[str, Any]
    layers: tuple[LayerReport, ...]

    @property
    def code(self) -> str:
        """The module as an expression: ``model.encoder[0].rnn``."""
        return _reached(self.path)

    def beside(self, attribute: str) -> str:
        """What to call a new module that stands beside it: ``model.encoder.skip_rnn``.

        Nothing new may stand in what is numbered, which might be a ``Sequential`` that would run
        it. Where no module above has a name it has to stand within.
        """
        parts = self.path.split(".")
        named = [place for place, part in enumerate(parts) if _is_attribute(part)]
        if not named:
            return f"{self.code}.{attribute}"
        above, own = parts[: named[-1]], parts[named[-1] :]
        plain = re.sub(r"[^0-9A-Za-z]", "_", "_".join(own))
        return f"{_reached('.'.join(above))}.{attribute}_{plain}"

    def replaced(self, value: Brackets) -> str:
        """The statement that puts `value` in the module's place.

        What is reached by ``get_submodule("a-b")`` is no target of an assignment.
        """
        parent, _, name = self.path.rpartition(".")
        if not name or _is_index(name) or _is_attribute(name):
            return write(value, f"{self.code} = ")
        return write(call("setattr", _reached(parent), literal(name), value))

    @property
    def kind(self) -> str:
        """Its class: ``LSTM``, ``GRUCell``."""
        return str(self.arguments["class_name"])

    @property
    def is_cell(self) -> bool:
        """Whether it runs one timestep at a time."""
        return self.kind.endswith("Cell")

    @property
    def family(self) -> str:
        """``LSTM``, ``GRU`` or ``RNN``."""
        return self.kind.removesuffix("Cell")

    @property
    def gates(self) -> int:
        """Blocks of rows in its weights."""
        return {"LSTM": 4, "GRU": 3}.get(self.family, 1)

    @property
    def count(self) -> int:
        """Layers stacked in it."""
        return int(self.arguments.get("num_layers") or 1)

    @property
    def input_size(self) -> int:
        """Features that go in."""
        return int(self.arguments["input_size"])

    @property
    def width(self) -> int:
        """Features that come out, those of both directions together."""
        own = self.arguments
        return int(own.get("proj_size") or own["hidden_size"]) * (1 + bool(own["bidirectional"]))

    def constructor(self, **changes: Expression) -> Brackets:
        """The call that makes it, with changes; what no file tells is taken from ``old``."""
        own = self.arguments
        told: dict[str, Expression] = {"hidden_size": literal(own["hidden_size"])}
        if self.count > 1:
            told["num_layers"] = literal(self.count)
        told |= {key: "True" for key in ("bidirectional",) if own[key]}
        told |= {key: "False" for key in ("bias",) if not own[key]}
        told |= {"proj_size": literal(own["proj_size"])} if own.get("proj_size") else {}
        told |= {key: f"old.{key}" for key in self.untold}
        told |= changes
        units = told.pop("hidden_size")
        return call(f"nn.{self.kind}", literal(self.input_size), units, **told)

    @property
    def untold(self) -> list[str]:
        """Arguments that leave no trace in the tensors."""
        keys = ["nonlinearity"] if self.family == "RNN" else []
        if not self.is_cell:
            keys += ["batch_first", *(["dropout"] if self.count > 1 else [])]
        return keys


def modules(layers: Iterable[LayerReport]) -> list[Module]:
    """The modules of these layers, each once."""
    found: dict[str, list[LayerReport]] = {}
    for layer in layers:
        found.setdefault(_path(layer), []).append(layer)
    return [
        Module(path=path, arguments=_arguments(own), layers=tuple(own))
        for path, own in found.items()
    ]


def names(layers: Iterable[LayerReport], part: str) -> list[str]:
    """The parameters of one part (``kernel``, ``recurrent``, ``bias``), each once."""
    return list(dict.fromkeys(name for own in layers for name in own.parameters.get(part, ())))


def plain(names: Iterable[str]) -> list[str]:
    """Those that are parameters of ``torch.nn``'s own modules, not pieces of one."""
    matches = ((name, _ARRAY.fullmatch(name)) for name in names)
    return [name for name, found in matches if found and not found["stored"]]


def own_name(name: str) -> str:
    """A parameter's name within its module: ``weight_hh_l0``."""
    return name.rsplit(".", 1)[-1]


def biases(layers: Iterable[LayerReport]) -> tuple[list[str], list[str]]:
    """The names of b_ih and of b_hh, also of layers that have none yet."""
    kernels = plain(names(layers, "kernel"))
    first, second = (
        [name.replace("weight_ih", own) for name in kernels] for own in ("bias_ih", "bias_hh")
    )
    return first, second


def _path(layer: LayerReport) -> str:
    """Where the layer's module stands; by its parameters' names if the file does not tell."""
    if "module" in layer.arguments:
        return str(layer.arguments["module"])
    for name in layer.parameters.get("kernel", ()):
        if found := _ARRAY.fullmatch(name):
            return found["path"] or ""
    return layer.name


def _arguments(layers: list[LayerReport]) -> dict[str, Any]:
    """What the module was built with; what can be told from its layers where that is missing."""
    first = layers[0]
    directions = {layer.direction for layer in layers}
    kind = first.arguments.get("class_name", first.kind)
    return {
        "input_size": first.input_size or 0,
        "hidden_size": first.hidden_size or 0,
        "num_layers": 1 + max(layer.index for layer in layers),
        "bias": bool(first.parameters.get("bias")),
        "bidirectional": len(directions) > 1,
        **first.arguments,
        "class_name": _CLASSES.get(kind, kind),
    }


def _reached(path: str) -> str:
    """The expression for what stands at `path`; the network itself where that is empty."""
    return f"model{''.join(map(_access, filter(None, path.split('.'))))}"


def _access(part: str) -> str:
    """One step on the way to a module: an attribute, or an item of a list of modules."""
    if _is_index(part):
        return f"[{part}]"
    if _is_attribute(part):
        return f".{part}"
    return f".get_submodule({literal(part)})"


def _is_index(part: str) -> bool:
    """Whether it is as Python writes a number: keys like ``01`` and ``²`` are none."""
    return part.isdecimal() and str(int(part)) == part


def _is_attribute(part: str) -> bool:
    """Whether it may follow a dot; Python reads what stands there in its NFKC form."""
    plain = unicodedata.normalize("NFKC", part) == part
    return plain and part.isidentifier() and not keyword.iskeyword(part)
