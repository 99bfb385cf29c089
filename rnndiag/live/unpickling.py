"""``--unsafe-load``: a file's own pickle, run after it was said what that runs.

The classes that a pickle names are imported and made; whoever wrote the file chose them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from rnndiag.checkpoints._torch import unpickling
from rnndiag.errors import BadOption
from rnndiag.live.calling import users_code
from rnndiag.live.importing import put_first
from rnndiag.records import Checkpoint

_DEEPEST = 4


def network(checkpoint: Checkpoint) -> nn.Module | None:
    """The network that the file holds; None where it holds weights and no network.

    Raises `BadOption` where the file is no pickle of torch.save's, or what it names is not there.
    """
    path = checkpoint.path
    names = unpickling.names(path)
    print(f"rnndiag: --unsafe-load: {path} {_told(names)}", file=sys.stderr, flush=True)
    try:
        put_first(Path.cwd())
        with users_code(f"--unsafe-load: {path}"):
            content = unpickling.load(path)
    except BadOption as error:
        if _is_missing(error.__cause__):
            hint = f"{_OF_SCRIPT if '__main__' in str(error.__cause__) else _MISSING}; {error.hint}"
            raise BadOption(error.message, hint) from error.__cause__
        raise
    return next(_networks(content, 0), None)


def _is_missing(error: BaseException | None) -> bool:
    """Whether a class could not be found, by what pickle says."""
    is_gone = isinstance(error, AttributeError) and "Can't get attribute" in str(error)
    return is_gone or isinstance(error, ImportError)


_MISSING = (
    "start rnndiag where the file's classes can be imported, or give the network by "
    "--model package.module:factory"
)
_OF_SCRIPT = (
    "its class was in the script that saved it, which is not running: give the network by "
    "--model path/to/script.py:factory"
)


def _told(names: tuple[str, ...]) -> str:
    if not names:
        return "names no code of its own"
    return f"is now unpickled, which imports and runs: {', '.join(names)}"


def _networks(content: Any, depth: int) -> Iterator[nn.Module]:
    """The modules in what was loaded, those further out first."""
    if isinstance(content, nn.Module):
        yield content
        return
    items = list(content.values()) if isinstance(content, Mapping) else content
    if isinstance(items, (list, tuple)) and depth < _DEEPEST:
        yield from (item for item in items if isinstance(item, nn.Module))
        for item in items:
            if not isinstance(item, nn.Module):
                yield from _networks(item, depth + 1)
