"""What the readers share."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnndiag import memory
from rnndiag.errors import BadOption, UnreadableCheckpoint
from rnndiag.records import TrainingFact

BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)
"""What zipfile raises for damaged archives."""
_CHUNK = 1 << 20
_JSON_EXPANSION = 40
"""Bytes that a character of JSON may become: an empty list takes two, with its comma three."""


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_of(files: Sequence[Path]) -> str:
    """The SHA-256 of a file; of several, that of their own ones in a row."""
    if len(files) == 1:
        return sha256(files[0])
    each = (sha256(file) for file in files)
    return hashlib.sha256("\n".join(each).encode()).hexdigest()


def facts_of(tell: Callable[[], Iterable[TrainingFact]]) -> tuple[TrainingFact, ...]:
    """What `tell` finds out about the training; nothing where what it reads makes no sense.

    Configurations hold whatever their users put there, and no oddity among facts that are
    good to know may keep the weights from being read.
    """
    try:
        return tuple(tell())
    except Exception as error:  # whatever odd types raise
        told = f"{type(error).__name__}: {error}"
        return (TrainingFact(name="unreadable", value=told, source="checkpoint"),)


def damaged(path: Path, what: str) -> UnreadableCheckpoint:
    """The error for a file that starts well and breaks off or makes no sense."""
    return UnreadableCheckpoint(
        f"{path}: damaged or incomplete: {what}",
        "compare its size with the original's, and copy or save it again",
    )


def has_architecture(path: Path) -> BadOption:
    """The error for an architecture that is given for a file which needs none."""
    return BadOption(
        f"--architecture: {path} is no file of Keras weights alone",
        "leave it out; a whole model has its architecture in it, and PyTorch's files none to take",
    )


def json_value(text: str, what: str) -> Any:
    """What JSON says; raises `ValueError` where it is none, however deep it is.

    Raises `TooLarge` where it may take too much memory.
    """
    memory.check(_JSON_EXPANSION * len(text), f"reading {what}")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def parse_json(text: str, path: Path, what: str) -> Mapping[str, Any]:
    """A JSON object; anything else is the file's fault."""
    try:
        value = json_value(text, what)
    except ValueError as error:
        raise damaged(path, f"{what} is not JSON ({type(error).__name__})") from error
    if not isinstance(value, dict):
        raise damaged(path, f"{what} is not a JSON object")
    return value
