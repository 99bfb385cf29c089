"""Recurrent layers that torch.nn does not have, told by the names that their authors give.

None of them is analysed: a state dict holds their tensors, but their equations are code. They
are named all the same, because a report without them would read as if there were none.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rnndiag.records import Shape
from rnndiag.wiring._altered import ALTERED, KINDS
from rnndiag.wiring._state_dict_names import LONGEST, is_within, leading, stems

_STATE_SPACE = "a state space layer, whose equations rnndiag does not have"
_AUTHORS = "its equations are its author's own code, which no state dict holds"
_OTHER = "its equations are not those of torch.nn's LSTM, GRU or RNN"


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """One such layer, or a stack of them."""

    path: str
    kind: str
    why: str


@dataclass(frozen=True)
class _Trace:
    """Names of tensors that tell a kind."""

    kind: str
    names: re.Pattern[str]
    """The path of the layer is what stands before the match."""
    why: str = _OTHER


def _ending(*names: str) -> re.Pattern[str]:
    """A tensor's last name, or the last two: ``A_log``, ``h2h.weight``."""
    return re.compile(rf"(?:^|\.)(?:{'|'.join(names)})$")


_MODULE = r"(?:\.(?:weight|bias))?"
_TO_HIDDEN = _ending(f"[ihx]2h{_MODULE}")
_TRACES = (
    _Trace("Mamba", _ending("A_log"), _STATE_SPACE),
    _Trace(
        "S4", _ending("log_dt", "(?:inv_|log_)?A_(?:real|imag)", "Lambda_(?:re|im)"), _STATE_SPACE
    ),
    _Trace("LRU", _ending("nu_log", "theta_log", "gamma_log"), _STATE_SPACE),
    _Trace("RWKV", _ending("time_(?:decay|first|faaaa)")),
    _Trace("SRU", _ending(r"rnn_lst\.\d+\.weight_c")),
    _Trace("minGRU or minLSTM", _ending(f"to_hidden_and_(?:f_i_)?gate{_MODULE}")),
    _Trace("xLSTM", _ending(f"(?:_recurrent_kernel_?|[if]gate{_MODULE})")),
    _Trace("mLSTM", _ending(f"w_?m[xh]{_MODULE}")),
    _Trace("LTC", _ending("gleak", "vleak", "erev")),
    _Trace("CfC", _ending(f"time_[ab]{_MODULE}")),
    _Trace("Peephole LSTM", _ending(f"(?:weight|w|W)_?c[ifo]{_MODULE}", r"peephole\w*")),
    _Trace("Custom cell", _TO_HIDDEN, _AUTHORS),
    _Trace("Custom cell", _ending(f"[Ww]_?h[hifgocrzn]{_MODULE}"), _AUTHORS),
    _Trace("Custom cell", _ending(f"[UR]_[ifgoczr]{_MODULE}"), _AUTHORS),
    _Trace("Custom cell", _ending(r"\w*recurrent_(?:kernel|weights?)\w*"), _AUTHORS),
)
_SUFFIX = re.compile(r"(rnns?|lstms?|grus?|cells?|layers?|blocks?|stack|list|\d)+$")
"""What stands behind such a word in the same name: ``zoneout_lstm_cell``. One digit at a time:
digits that can be split in many ways would take for ever where something else follows."""
_WITHIN = re.compile(
    r"norm|(^|[._])(ln|bn)(\d*|_\w+)([._]|$)|peephole|(^|[._])(weight_|w_)c[ifo]\b", re.IGNORECASE
)
_OF_STATES = re.compile(
    r"(ln|bn|(layer_?|batch_?)?norm)s?_?(ih|hh|[ifgoczrhx]|cell|hidden|state)\d*$", re.IGNORECASE
)


def find(shapes: Mapping[str, Shape], modules: Sequence[str]) -> Iterator[Foreign]:
    """The layers that the tensors' names tell of, and for some their shapes.

    `modules` are the paths where tensors of torch.nn's recurrent modules are; nothing
    below them is looked at, and no word above them says anything.
    """
    paths = frozenset(modules)
    apart = [name for name in shapes if len(name) <= LONGEST and not is_within(name, paths)]
    above = stems(modules)
    traced = {
        found.path: found
        for name in apart
        if (found := _by_trace(name)) and not _attends(name, found.path, shapes, above)
    }
    yield from traced.values()
    taken, known = {*traced}, stems((*modules, *traced))
    for name in apart:
        found = _by_word(name, known)
        if found and not is_within(found.path, taken):
            taken.add(found.path)
            yield found


def alteration(path: str) -> str | None:
    """What a module's path says of changed equations: ``Zoneout`` for ``zoneout_cell``."""
    return next((ALTERED[word] for _, word in _words(path) if word in ALTERED), None)


def within(further: Iterable[str]) -> list[str]:
    """Those of a recurrent module's further tensors that belong to its equations."""
    return [name for name in further if _WITHIN.search(name)]


def of_cells(path: str, beside: Iterable[str]) -> list[str]:
    """Of the names `beside` cells in the module `path`, norms called after gates or states."""
    start = len(path) + 1 if path else 0
    return [name for name in beside if _OF_STATES.fullmatch(name[start:].partition(".")[0])]


def _by_trace(name: str) -> Foreign | None:
    for trace in _TRACES:
        if found := trace.names.search(name):
            path = name[: found.start()]
            told = name[found.start() :].removeprefix(".")
            return Foreign(path=path, kind=trace.kind, why=f"told by {told}; {trace.why}")
    return None


def _attends(name: str, path: str, shapes: Mapping[str, Shape], above: Container[str]) -> bool:
    """Whether ``i2h`` and ``h2h`` are an attention's, as readers of text in images have it.

    It scores the states of a cell of torch.nn's, which stands in the same module, or in another.
    """
    if not _TO_HIDDEN.search(name):
        return False
    rows, *columns = shapes.get(".".join(filter(None, (path, "h2h.weight"))), (0, 1))
    steps = len(columns) == 1 and columns[0] > 0 and rows % columns[0] == 0
    return not steps or path in above


def _by_word(name: str, known: Container[str]) -> Foreign | None:
    """What a name tells, unless it stands for other layers, which are `known`, too."""
    for path, word in _words(name.rpartition(".")[0]):
        kind = KINDS.get(word) or ALTERED.get(word)
        if kind and path not in known:
            return Foreign(path=path, kind=kind, why=f"told by its name; {_OTHER}")
    return None


def _words(path: str) -> Iterator[tuple[str, str]]:
    """Each part of a path with what leads to it, plain and without what it ends with."""
    for place in leading(path[:LONGEST]):
        plain = place.rpartition(".")[2].lower().replace("_", "")
        yield place, plain
        yield place, _SUFFIX.sub("", plain)
