"""PyTorch's weights in a snippet: their groups, bounds and starting values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rnndiag.records import LayerReport, LayerSettings, Settings
from rnndiag.snippets import _torch_blocks as blocks
from rnndiag.snippets._code import call, listed, number, real, write
from rnndiag.snippets._code import names as name_list
from rnndiag.snippets._torch_modules import Module, biases, names, own_name, plain

_GROUPS = """\
rest = dict(model.named_parameters())
groups = [
    {{"params": [rest.pop(name) for name in part], "weight_decay": decay}}
{loop}
]
groups.append({{"params": list(rest.values()), "weight_decay": {others}}})"""
_BOUNDED_ROWS = """\
# After each optimizer.step(). A row is what enters one gate of one unit.
with torch.no_grad():
{loop}
        model.get_parameter(name).renorm_(2, 0, {maximum})"""
_BOUNDED_BIASES = """\
# After each optimizer.step(). The two biases are summed: each gets half.
with torch.no_grad():
{loop}
        bias = model.get_parameter(name)
        bias.mul_(({half} / bias.norm()).clamp(max=1))"""
_INITIALISED = """\
{loop}
    for gate in model.get_parameter(name).detach().chunk({gates}):
        nn.init.{function}(gate)"""
_PARAMETRIZE = "nn.utils.parametrize.register_parametrization"
_DROPPED = """\
{loop}
{call}"""


def groups(layers: Sequence[LayerReport], decays: Mapping[str, float], others: float) -> str:
    """A parameter group for each of K, R and b, by part, and one for all others."""
    found = {part: own for part in decays if (own := names(layers, part))}
    if not found:
        return ""
    lists = [write(name_list(own), f"{part} = ") for part, own in found.items()]
    pairs = listed(f"({part}, {real(decays[part])})" for part in found)
    loop = write(pairs, "for part, decay in ", indent="    ")
    return "\n".join((*lists, _GROUPS.format(loop=loop, others=real(others))))


def known_decays(settings: Settings, layers: Sequence[LayerReport]) -> dict[str, float]:
    """The decays of K, R and b that layers are known to have; none where one is for all weights."""
    whole = settings.weight_decay.value if settings.weight_decay else 0.0
    own = [settings.layers.get(layer.id, LayerSettings()) for layer in layers]
    found = {
        part: max((s.value for one in own if (s := getattr(one, f"{part}_decay"))), default=whole)
        for part in ("kernel", "recurrent", "bias")
    }
    return found if any(value != whole for value in found.values()) else {}


def bounded_rows(layers: Sequence[LayerReport], maximum: float) -> str:
    """The norm of each unit's incoming weights at most `maximum`."""
    found = plain([*names(layers, "kernel"), *names(layers, "recurrent")])
    if not found:
        return ""
    return _BOUNDED_ROWS.format(loop=_loop(found), maximum=number(maximum))


def bounded_biases(layers: Sequence[LayerReport], maximum: float) -> str:
    """The norm of the summed biases at most `maximum`, and neither's larger than half of it."""
    found = plain(names(layers, "bias"))
    if not found:
        return ""
    return _BOUNDED_BIASES.format(loop=_loop(found), half=number(maximum / 2))


def chrono(modules: Iterable[Module], lag: int) -> str:
    """Biases of LSTMs and GRUs that start for memories of up to `lag` steps."""
    layers: dict[str, list[LayerReport]] = {}
    for module in modules:
        layers.setdefault(module.family, []).extend(module.layers)
    found = []
    for family, own in layers.items():
        first, second = biases(own)
        if first:
            found.append(blocks.chrono(family, _loop(first), _loop(second), lag))
    return "\n".join(("with torch.no_grad():", *found)) if found else ""


def initialised(modules: Iterable[Module]) -> str:
    """Glorot-uniform input and orthogonal recurrent weights, each gate by itself."""
    starts = {"kernel": "xavier_uniform_", "recurrent": "orthogonal_"}
    found = [
        _INITIALISED.format(loop=_loop(own, ""), gates=module.gates, function=function)
        for module in modules
        for part, function in starts.items()
        if (own := plain(names(module.layers, part)))
    ]
    return "\n".join(found)


def dropped(modules: Iterable[Module], rate: float) -> str:
    """Dropout on the recurrent weights, computed anew whenever they are used."""
    found = []
    for module in modules:
        own = [own_name(name) for name in plain(names(module.layers, "recurrent"))]
        if own:
            made = call(_PARAMETRIZE, module.code, "name", "drop")
            found.append(_DROPPED.format(loop=_loop(own, ""), call=write(made, indent="    ")))
    return "\n".join((f"drop = WeightDrop({number(rate)})", *found)) if found else ""


def _loop(found: Sequence[str], indent: str = "    ") -> str:
    return write(name_list(found), "for name in ", ":", indent=indent)
