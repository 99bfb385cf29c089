"""Which files a series is made of, and how names order them."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from rnndiag.errors import BadOption


def files_in(paths: Sequence[str]) -> list[Path]:
    """The files that `paths` stand for, in natural order, each once.

    A path is a file, a folder, whose files count, or a glob pattern. Raises `BadOption` where
    one leads to nothing.
    """
    found = {file.resolve(): file for path in paths for file in _expand(path)}
    return sorted(found.values(), key=natural)


def _expand(path: str) -> list[Path]:
    place = Path(path)
    if place.is_dir():
        inside = [file for file in place.iterdir() if file.is_file() and file.name[0] != "."]
    elif place.exists():
        inside = [place]
    else:
        inside = matching(path)
    if not inside:
        raise BadOption(f"{path}: no files there", "name checkpoints, a folder, or a pattern")
    return inside


def matching(pattern: str) -> list[Path]:
    """The files that a glob pattern stands for; ``**`` is any number of folders."""
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207  Path.glob takes no absolute ones
    return [Path(name) for name in names if Path(name).is_file()]


def natural(path: Path) -> list[tuple[int, str]]:
    """A key by which ``ckpt-9`` stands before ``ckpt-10``."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
