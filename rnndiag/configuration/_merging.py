"""Command line over configuration over defaults; a checkpoint's own choices over common ones."""

from __future__ import annotations

import glob
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rnndiag import rules
from rnndiag.configuration._records import Chosen, Configuration, Entry
from rnndiag.configuration._rules import cut_of
from rnndiag.errors import BadOption
from rnndiag.records import SEVERITIES, Severity

_TIED = {
    "probe": ("probe_key", "targets", "targets_key"),
    "targets": ("targets_key",),
    "history": ("train_column", "val_column"),
}
"""What is said of a file says nothing of the file that takes its place."""


def merged(
    parameters: Mapping[str, Any],
    given: Collection[str],
    configuration: Configuration,
    entry: Entry | None = None,
) -> dict[str, Any]:
    """A command's parameters for one checkpoint, of those that the command has.

    `parameters` are its values by click's names, `given` the names of those that a user gave and
    that are no defaults. ``severity`` and ``threshold`` come as the command line has them,
    and leave parsed, laid over the configuration's entry by entry. Raises `BadOption`.
    """
    said = {_key(name): value for name, value in parameters.items() if name in given}
    configured = _over(_said(configuration), _said(configuration.chosen))
    if entry is not None:
        configured = _over(configured, _said(entry.chosen))
    found = _over(configured, said)
    result = {name: found.get(_key(name), value) for name, value in parameters.items()}
    if "severity" in parameters:
        own = parse_severity(parameters["severity"])
        result["severity"] = {**configuration.severity, **own}
    if "threshold" in parameters:
        cuts = parse_thresholds(parameters["threshold"])
        result["threshold"] = _deep(configuration.thresholds, cuts)
    return result


def _key(name: str) -> str:
    """Click's names have an underscore behind what Python has taken: ``format_``."""
    return name.removesuffix("_")


def _said(record: Chosen | Configuration) -> dict[str, Any]:
    """The fields of a record that say something."""
    found = {own.name: getattr(record, own.name) for own in fields(record)}
    apart = ("source", "checkpoints", "chosen", "severity", "thresholds")
    return {key: value for key, value in found.items() if value is not None and key not in apart}


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    gone = {tied for head in above for tied in _TIED.get(head, ())}
    return {**{key: value for key, value in below.items() if key not in gone}, **above}


def _deep(
    below: Mapping[str, Mapping[str, float]], above: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    codes = [*below, *(code for code in above if code not in below)]
    return {code: {**below.get(code, {}), **above.get(code, {})} for code in codes}


# ---------------------------------------------------------------- checkpoints


def checkpoints(configuration: Configuration, given: Sequence[str] = ()) -> tuple[Entry, ...]:
    """The checkpoints to look at: those `given`, else the configuration's, patterns resolved.

    A file that several of its entries name is there once, the later entries over the earlier.
    Raises `BadOption` where there are none, or a pattern matches nothing.
    """
    known: dict[str, dict[str, Any]] = {}
    for entry in configuration.checkpoints:
        for path in _matches(entry.path, configuration, needed=not given):
            known[path] = _over(known.get(path, {}), _said(entry.chosen))
    if given:
        places = {Path(path).absolute(): own for path, own in known.items()}
        own = [places.get(Path(path).absolute(), {}) for path in given]
        return tuple(_entry(path, said) for path, said in zip(given, own, strict=True))
    if not known:
        where = configuration.source or "rnndiag.toml or [tool.rnndiag] of pyproject.toml"
        raise BadOption("no checkpoint to look at", f"name one, or list checkpoints in {where}")
    return tuple(_entry(path, said) for path, said in known.items())


def _entry(path: str, said: Mapping[str, Any]) -> Entry:
    return Entry(path=path, chosen=Chosen(**said))


def _matches(path: str, configuration: Configuration, *, needed: bool) -> list[str]:
    """The files that a pattern stands for; a plain path for itself, whether it is there or not."""
    if not glob.has_magic(path) or Path(path).exists():
        return [path]
    # Path.glob takes no absolute patterns.
    matches = glob.glob(path, recursive=True)  # noqa: PTH207
    found = sorted(match for match in matches if Path(match).is_file())
    if not found and needed:
        raise BadOption(f"{configuration.source}: no file is like {path}")
    return found


# ---------------------------------------------------------------- RULE=LEVEL and RULE.NAME=N


def parse_severity(items: Iterable[str]) -> dict[str, Severity]:
    """Code → level for ``RNN101=error`` and ``dead-units=note``; raises `BadOption`."""
    found: dict[str, Severity] = {}
    for item in items:
        rule, equals, level = (part.strip() for part in item.partition("="))
        chosen = next((own for own in SEVERITIES if own == level.lower()), None)
        if not equals or chosen is None:
            hint = f"RULE=LEVEL, a level is one of {', '.join(SEVERITIES)}"
            raise BadOption(f"--severity {item}: no rule with its level", hint)
        found[rules.find(rule)] = chosen
    return found


def parse_thresholds(items: Iterable[str]) -> dict[str, dict[str, float]]:
    """Code → threshold → value for ``RNN101.warning=12``; raises `BadOption`."""
    found: dict[str, dict[str, float]] = {}
    for item in items:
        left, _, number = (part.strip() for part in item.partition("="))
        rule, _, name = left.partition(".")
        value = _number(number)
        if value is None or not name:
            hint = "RULE.NAME=NUMBER: RNN101.warning=12"
            raise BadOption(f"--threshold {item}: no threshold with its number", hint)
        code = rules.find(rule)
        found.setdefault(code, {})[cut_of(code, name.replace("-", "_"))] = value
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
