"""Reports that ``--format json`` has printed, read back: they can be judged without the checkpoint.

What the rules said in such a file is left out, since they are to be asked anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass, replace
from functools import cache
from math import inf
from pathlib import Path
from typing import Any, TypeAlias, get_args, get_type_hints

from rnndiag import registry
from rnndiag.errors import UnreadableCheckpoint
from rnndiag.records import (
    NOTHING_ANALYSED,
    Direction,
    Failed,
    Outcome,
    Report,
    Skipped,
    Unread,
)
from rnndiag.saved._json import LARGEST, SavedJson

_HINT = "give what `rnndiag inspect CKPT --format json` has printed"
_HEAD = 64
"""Bytes that tell whether a file may hold a JSON object at all."""

Data: TypeAlias = dict[str, Any]


def recognises(path: Path) -> bool:
    """Whether a file is JSON with a report's keys; it is searched for them, not parsed."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if not _ascii(head).lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"{"):
                return False
            text = _ascii(head + file.read(LARGEST))
    except OSError:
        return False
    return b'"schema_version"' in text and (b'"layers"' in text or b'"reports"' in text)


def refuse(path: str) -> None:
    """Raise `UnreadableCheckpoint` for a report where a checkpoint has to be given."""
    if recognises(Path(path)):
        hint = "give the checkpoint itself; a saved report serves advise, compare and plan"
        raise UnreadableCheckpoint(f"{path}: is a saved report, which has no arrays", hint)


def read(path: Path) -> tuple[Report, ...]:
    """The reports in a file, not judged; there is at least one.

    Raises `UnreadableCheckpoint`.
    """
    return read_outcome(path).reports


def read_outcome(path: Path) -> Outcome:
    """As `read`, with the checkpoints that could not be read when the file was written."""
    file = SavedJson(path=path, refusal=UnreadableCheckpoint, hint=_HINT)
    data = file.load("schema_version", newest=Report.schema_version)
    if "reports" not in data:
        return Outcome(reports=(_report(file, data, "$"),))
    several = file.structure(data["reports"], tuple[Data, ...], "$.reports")
    if not several:
        raise file.refuse("holds no report")
    unread = file.structure(data.get("unread", []), tuple[Unread, ...], "$.unread")
    reports = (_report(file, own, f"$.reports[{k}]") for k, own in enumerate(several))
    return Outcome(reports=tuple(reports), unread=unread)


def _ascii(text: bytes) -> bytes:
    """`text` as far as it is ASCII, be it in UTF-8 or in UTF-16."""
    return text.replace(b"\0", b"")


# ---------------------------------------------------------------- one report


def _report(file: SavedJson, data: Data, place: str) -> Report:
    """One report, from an object that stands at `place` in the file."""
    report = file.structure({**data, "judgement": None, "exit_code": 0}, Report, place)
    reasons = _reasons(file, data.get("skipped", []), f"{place}.skipped")
    layers = tuple(
        replace(
            layer,
            measurements=_Measurements(
                file=file,
                place=f"{place}.layers[{k}].measurements",
                reasons=reasons.get((layer.id, layer.direction, layer.call), {}),
            ).read(layer.measurements),
        )
        for k, layer in enumerate(report.layers)
    )
    analysed = any(layer.analysed for layer in layers)
    return replace(report, layers=layers, exit_code=0 if analysed else NOTHING_ANALYSED)


@dataclass(frozen=True, kw_only=True)
class _NotThere:
    """An entry of ``skipped``; those of rules and of whole layers name no measurement."""

    id: str | None = None
    direction: Direction | None = None
    call: int = 0
    measurement: str | None = None
    reason: str | None = None
    error: bool = False


_Which: TypeAlias = tuple[str | None, Direction | None, int]


def _reasons(file: SavedJson, data: Any, place: str) -> Mapping[_Which, Mapping[str, Skipped]]:
    """Why measurements are missing: layer → measurement → the reason."""
    reasons: dict[_Which, dict[str, Skipped]] = {}
    for entry in file.structure(data, tuple[_NotThere, ...], place):
        if entry.measurement is not None:
            kind = Failed if entry.error else Skipped
            of_layer = reasons.setdefault((entry.id, entry.direction, entry.call), {})
            of_layer[entry.measurement] = kind(reason=entry.reason or "")
    return reasons


# ---------------------------------------------------------------- the measurements of a layer


@dataclass(frozen=True, kw_only=True)
class _Measurements:
    """What the measurements of one layer are read with."""

    file: SavedJson
    place: str
    reasons: Mapping[str, Skipped]

    def read(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Measurement → fact, `Skipped` or `Failed`; measurements that are unknown are left out."""
        known = _facts()
        return {name: self._one(name, known[name], data[name]) for name in data if name in known}

    def _one(self, name: str, fact: type, data: Any) -> Any:
        if data is None:
            return self.reasons.get(name, Skipped(reason="the report does not say why"))
        place = f"{self.place}.{name}"
        if is_dataclass(fact):
            return self.file.structure(_with_infinities(data, fact), fact, place)
        # A fact that is no record is a mapping of records, and made from one.
        mapping = fact.__orig_bases__[0]  # type: ignore[attr-defined]
        return fact(self.file.structure(data, mapping, place))


@cache
def _facts() -> Mapping[str, type]:
    """Every measurement's fact by the name of the measurement."""
    modules = registry.modules("rnndiag.measurements").items()
    return {name: _returned(module.measure) for name, module in modules}


def _returned(measure: Any) -> type:
    """What a measurement gives where it does not skip."""
    hint = get_type_hints(measure)["return"]
    found: type = next(kind for kind in get_args(hint) or (hint,) if kind is not Skipped)
    return found


def _with_infinities(data: Any, fact: type) -> Any:
    """`data` with the infinite numbers that JSON does not have and `Timescale` does.

    Facts hold no NaN, so null where a number has to stand is +∞. Where null may stand for
    itself (a gradient's half-life that does not end, too) it remains.
    """
    if not isinstance(data, dict):
        return data
    hints = get_type_hints(fact)
    must = {name for name, value in data.items() if value is None and hints.get(name) is float}
    return {**data, **dict.fromkeys(must, inf)}
