"""A checkpoint's state dict beside the live network that holds its weights.

What the file does not tell, the network's classes do; and where a parametrization makes a weight
of what is stored, the weight is the network's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.utils import parametrize

from rnndiag.cells.base import as_array
from rnndiag.live.loading import Loaded
from rnndiag.records import Array, Shape, StateDict, TorchModule

RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)
CELLS = (nn.RNNCell, nn.LSTMCell, nn.GRUCell)
_CELL_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The tensors by the file's names, with the modules that they belong to."""

    state: StateDict
    pieces: Mapping[str, tuple[str, ...]]
    """What the file holds of each weight that the network makes."""
    places: Mapping[str, str]
    """Each module's path in the network, by its path in the file."""


def contents(loaded: Loaded, content: StateDict) -> Contents:
    """The file's `content` as the network uses it."""
    places = _places(loaded)
    modules = {file: loaded.module.get_submodule(path) for file, path in places.items()}
    made: dict[str, dict[str, Array]] = {}
    for file, module in modules.items():
        # Other ways of storing weights make them in hooks, and not before a call.
        if isinstance(module, (*RECURRENT, *CELLS)) and parametrize.is_parametrized(module):
            prefix = f"{file}." if file else ""
            made[prefix] = {f"{prefix}{n}": as_array(own) for n, own in _weights(module)}
    told = {file: _told(module) for file, module in modules.items()}
    return Contents(
        state=_merged(content, made, told),
        pieces={
            name: tuple(_pieces(content, prefix, name))
            for prefix, arrays in made.items()
            for name in arrays
        },
        places=places,
    )


def _places(loaded: Loaded) -> dict[str, str]:
    own, in_file = loaded.module.state_dict().keys(), loaded.in_file
    known = dict(loaded.module.named_modules())
    found: dict[str, str] = {}
    for name in own & in_file.keys():
        file, path = _folder(in_file[name]), _folder(name)
        # Parametrizations are modules within the module whose weights they make.
        while path not in known or "parametrizations" in path.split("."):
            file, path = _folder(file), _folder(path)
        found[file] = path
    return found


def _folder(name: str) -> str:
    return name.rpartition(".")[0]


def _merged(
    content: StateDict, made: Mapping[str, Mapping[str, Array]], told: Mapping[str, TorchModule]
) -> StateDict:
    """The tensors in the file's order; those that were made stand where their first piece stood."""
    shapes: dict[str, Shape] = {}
    for name, shape in content.shapes.items():
        prefix = next((prefix for prefix in made if name.startswith(prefix)), None)
        if prefix is None:
            shapes[name] = shape
        else:
            shapes.update({own: array.shape for own, array in made[prefix].items()})
    arrays = {name: array for own in made.values() for name, array in own.items()}
    return StateDict(tensors=_Tensors(content.tensors, arrays), shapes=shapes, modules=told)


class _Tensors(Mapping[str, Array]):
    """Arrays that were made, and for the others those of the file, read when asked for."""

    def __init__(self, stored: Mapping[str, Array], made: Mapping[str, Array]) -> None:
        self._stored, self._made = stored, made

    def __getitem__(self, name: str) -> Array:
        return self._made[name] if name in self._made else self._stored[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**dict.fromkeys(self._stored), **dict.fromkeys(self._made)})

    def __len__(self) -> int:
        return len({*self._stored, *self._made})


def _weights(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """A recurrent module's weights as it uses them."""
    names = module._flat_weights_names if isinstance(module, nn.RNNBase) else _CELL_WEIGHTS
    for name in names:
        weight = getattr(module, name, None)
        if isinstance(weight, Tensor):
            yield name, weight


def _pieces(content: StateDict, prefix: str, name: str) -> Iterator[str]:
    """What the file holds of a weight: itself, or ``parametrizations.weight_hh_l0.original0``."""
    made = f"{prefix}parametrizations.{name.removeprefix(prefix)}.original"
    return (own for own in content.shapes if own == name or own.startswith(made))


def _told(module: nn.Module) -> TorchModule:
    """What a reader would find of the module in a pickle."""
    kind = type(module)
    settings = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and isinstance(value, (bool, int, float, str))
    }
    return TorchModule(class_name=f"{kind.__module__}.{kind.__qualname__}", settings=settings)
