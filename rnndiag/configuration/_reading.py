"""From a TOML file to a `Configuration`, every key and every value checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rnndiag import memory, registry, rules, toml_files
from rnndiag.configuration._records import Chosen, Configuration, Entry
from rnndiag.configuration._rules import cut_of, is_selectable
from rnndiag.errors import BadOption
from rnndiag.records import SEVERITIES
from rnndiag.toml_files import Check, Document, Keys, number, one_of, text, texts, whole

_TABLES = ("checkpoint", "checkpoints", "severity", "thresholds")


def configuration(document: Document, at: Keys) -> Configuration:
    """The table `at` of a file; raises `BadOption` with file, line and the nearest key."""
    section: Any = document.values
    for key in at:
        section = section[key]
    values = toml_files.table(document, section, at)
    folder = document.path.parent
    shared = {key: value for key, value in values.items() if key not in _TABLES}
    known = {**_CHOSEN, **_WHOLE, **_NEVER, **dict.fromkeys(_TABLES, text)}
    found = toml_files.checked(document, shared, known, at)
    _check_rules(document, found, at)
    return Configuration(
        source=str(document.path),
        checkpoints=(*_plain(document, values, at), *_own(document, values, at)),
        chosen=_chosen({key: own for key, own in found.items() if key in _CHOSEN}, folder),
        severity=_severity(document, values.get("severity", {}), (*at, "severity")),
        thresholds=_thresholds(document, values.get("thresholds", {}), (*at, "thresholds")),
        **_placed({key: own for key, own in found.items() if key in _WHOLE}, folder),
    )


# ---------------------------------------------------------------- checkpoints


def _plain(document: Document, values: Mapping[str, Any], at: Keys) -> list[Entry]:
    """``checkpoints = […]``."""
    listed = {key: value for key, value in values.items() if key == "checkpoints"}
    paths = toml_files.checked(document, listed, {"checkpoints": texts}, at)
    folder = document.path.parent
    return [Entry(path=str(_place(folder, path))) for path in paths.get("checkpoints", ())]


def _own(document: Document, values: Mapping[str, Any], at: Keys) -> list[Entry]:
    """``[[checkpoint]]`` tables."""
    tables = values.get("checkpoint", [])
    if not isinstance(tables, list) or not all(isinstance(own, Mapping) for own in tables):
        place = document.place(*at, "checkpoint")
        hint = '[[checkpoint]] with path = "…"; a plain list is called checkpoints'
        raise BadOption(f"{place}: checkpoint must be tables", hint)
    return [
        _entry(document, own, (*at, "checkpoint", str(place))) for place, own in enumerate(tables)
    ]


def _entry(document: Document, values: Mapping[str, Any], at: Keys) -> Entry:
    named = toml_files.table(document, values, at)
    for key in named.keys() & {*_WHOLE, *_TABLES}:
        place = toml_files.place_of(document, at, key)
        raise BadOption(f"{place}: {key} is for all checkpoints", "put it above all tables")
    found = toml_files.checked(document, named, {"path": text, **_CHOSEN, **_NEVER}, at)
    if "path" not in found:
        raise BadOption(f"{document.place(*at)}: a checkpoint without path", 'path = "model.pt"')
    folder = document.path.parent
    path = _place(folder, found.pop("path"))
    return Entry(path=str(path), chosen=_chosen(found, folder))


def _chosen(found: Mapping[str, Any], folder: Path) -> Chosen:
    return Chosen(**_placed(found, folder))


# ---------------------------------------------------------------- paths


def _placed(found: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The same values, with the paths among them relative to the file's `folder`."""
    return {key: _PATHS.get(key, _as_it_is)(folder, value) for key, value in found.items()}


def _as_it_is(folder: Path, value: Any) -> Any:
    return value


def _place(folder: Path, path: str) -> Path:
    """Short where it is below the working directory, as a user would write it there."""
    place = (folder / Path(path).expanduser()).absolute()
    here = Path.cwd()
    return place.relative_to(here) if place.is_relative_to(here) else place


def _text_place(folder: Path, path: str) -> str:
    return str(_place(folder, path))


def _text_places(folder: Path, paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_text_place(folder, path) for path in paths)


# ---------------------------------------------------------------- rules


def _check_rules(document: Document, found: Mapping[str, Any], at: Keys) -> None:
    """Raises `BadOption` where what is selected or ignored is no rule."""
    for key in ("select", "ignore"):
        for wanted in found.get(key, ()):
            if not is_selectable(wanted):
                _of_file(document, (*at, key), partial(rules.find, wanted))


def _severity(document: Document, value: Any, at: Keys) -> dict[str, Any]:
    table = toml_files.table(document, value, at)
    levels = toml_files.checked(document, table, dict.fromkeys(table, one_of(*SEVERITIES)), at)
    return {
        _of_file(document, (*at, key), partial(rules.find, key)): level
        for key, level in levels.items()
    }


def _thresholds(document: Document, value: Any, at: Keys) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for rule, cuts in toml_files.table(document, value, at).items():
        here = (*at, rule)
        code = _of_file(document, here, partial(rules.find, rule))
        table = toml_files.table(document, cuts, here)
        for name in table:
            _of_file(document, (*here, name), partial(cut_of, code, name))
        anything = number(lambda cut: True, "")
        numbers = toml_files.checked(document, table, dict.fromkeys(table, anything), here)
        found.setdefault(code, {}).update(numbers)
    return found


def _of_file(document: Document, at: Keys, ask: Callable[[], str]) -> str:
    """What `ask` answers; its `BadOption` is told the file and the line."""
    try:
        return ask()
    except BadOption as error:
        place = toml_files.place_of(document, at[:-1], at[-1])
        raise BadOption(f"{place}: {error.message}", error.hint) from None


# ---------------------------------------------------------------- what may stand there


def _size(value: Any) -> int:
    """A size in bytes, or as ``2GB``."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError('a size: "2GB", "512MiB" or a number of bytes')
    try:
        return memory.parse(value)
    except BadOption:
        raise ValueError('a size: "2GB", "512MiB" or a number of bytes') from None


def _refused(option: str) -> Check:
    """Whoever writes a configuration must not make code run on other people's machines."""

    def check(value: Any) -> None:
        raise ValueError(f"given on the command line, each time: {option}")

    return check


_CHOSEN: Mapping[str, Check] = {
    "probe": text,
    "probe_key": texts,
    "probe_kind": one_of("auto", "normal", "uniform", "onehot", "ids"),
    "targets": text,
    "targets_key": texts,
    "loss": text,
    "architecture": text,
    "timesteps": whole(1),
    "batch": whole(1),
    "seeds": whole(1),
    "seed": whole(0),
    "device": one_of("auto", "cpu", "cuda", "mps"),
    "nonlinearity": one_of("tanh", "relu"),
    "windows": whole(1),
    "alpha": number(lambda share: 0 < share < 1, "between 0 and 1"),
    "max_memory": _size,
    "lag": whole(1),
    "history": text,
    "train_column": text,
    "val_column": text,
    "series": texts,
    "context": text,
    "trials": text,
}
_WHOLE: Mapping[str, Check] = {
    "select": texts,
    "ignore": texts,
    "profile": one_of("a", "b"),
    "fail_on": one_of(*SEVERITIES, "never"),
    "baseline": text,
    "format": one_of(*registry.names("rnndiag.outputs.reports")),
}
_NEVER: Mapping[str, Check] = {
    "model": _refused("--model"),
    "unsafe_load": _refused("--unsafe-load"),
}
_PATHS: Mapping[str, Callable[[Path, Any], Any]] = {
    "probe": _text_place,
    "targets": _text_place,
    "architecture": _text_place,
    "series": _text_places,
    "history": _place,
    "context": _place,
    "trials": _place,
    "baseline": _place,
}
