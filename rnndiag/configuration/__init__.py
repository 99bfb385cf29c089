"""What a project has written down once: ``[tool.rnndiag]`` of pyproject.toml, or rnndiag.toml.

Keys are the long options of the command line, with dashes or underscores; paths are relative
to the file's folder::

    checkpoints = ["runs/final.pt", "runs/best_*.pt"]
    probe = "data/held_out.npz"
    fail-on = "warning"
    ignore = ["RNN412"]
    baseline = "rnndiag-baseline.json"

    [severity]
    RNN201 = "note"

    [thresholds.vanishing-gradient]
    warning = 12

    [[checkpoint]]            # one file, or files like it, with options of its own
    path = "runs/encoder.pt"
    probe = "data/encoder.npz"
    lag = 40

In pyproject.toml the tables are called ``[tool.rnndiag]``, ``[tool.rnndiag.severity]``,
``[[tool.rnndiag.checkpoint]]`` and so on. What the command line says wins over this, and an own
``[[checkpoint]]`` over what is said for all.
"""

from __future__ import annotations

from pathlib import Path

from rnndiag import toml_files
from rnndiag.configuration._merging import (
    checkpoints,
    merged,
    parse_severity,
    parse_thresholds,
)
from rnndiag.configuration._reading import configuration
from rnndiag.configuration._records import Chosen, Configuration, Entry
from rnndiag.errors import BadOption

__all__ = [
    "Chosen",
    "Configuration",
    "Entry",
    "checkpoints",
    "find",
    "load",
    "merged",
    "parse_severity",
    "parse_thresholds",
]

OWN, SHARED = "rnndiag.toml", "pyproject.toml"
_SECTION = ("tool", "rnndiag")


def load(path: Path | None = None, folder: Path | None = None) -> Configuration:
    """What `path` says, or the file that `find` finds; an empty record where there is none.

    Raises `BadOption` for files that cannot be read, unknown keys and unfit values.
    """
    found = find(folder) if path is None else path
    if found is None:
        return Configuration()
    document = toml_files.read(found)
    at = _SECTION if found.name == SHARED else ()
    if at and not _has_section(document):
        raise BadOption(f"{found}: there is no [tool.rnndiag] in it")
    return configuration(document, at)


def find(folder: Path | None = None) -> Path | None:
    """The configuration nearest to `folder` (the working directory), upwards from there.

    In one folder rnndiag.toml wins over pyproject.toml, which counts only where it has a
    ``[tool.rnndiag]``.
    """
    start = (Path.cwd() if folder is None else folder).absolute()
    for place in (start, *start.parents):
        if (place / OWN).is_file():
            return place / OWN
        if (place / SHARED).is_file() and _is_meant(place / SHARED):
            return place / SHARED
    return None


def _is_meant(path: Path) -> bool:
    """Whether a pyproject.toml configures rnndiag, or is broken and might be meant to."""
    if b"rnndiag" not in _content(path):
        return False
    return _has_section(toml_files.read(path))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        # Somebody else's file further up is no reason to give up.
        return b""


def _has_section(document: toml_files.Document) -> bool:
    tools = document.values.get("tool")
    return isinstance(tools, dict) and "rnndiag" in tools
