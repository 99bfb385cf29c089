"""Calling code that is not rnndiag's: its errors become one, what it prints goes to stderr."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rnndiag.errors import BadOption, RnndiagError

_NOT_THE_USERS = (Path(torch.__file__).parent, Path(__file__).parents[1])
_LONGEST = 300


@contextmanager
def users_code(doing: str, hint: str = "") -> Iterator[None]:
    """Turn whatever the user's code raises into a `BadOption` with its innermost line.

    The report goes to stdout, so that nothing else may.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except RnndiagError:
        raise
    except (Exception, SystemExit) as error:  # any code may raise anything, or end the process
        told = " ".join(str(error).split())[:_LONGEST]
        what = f"{type(error).__name__}: {told}" if told else type(error).__name__
        where = _innermost(error)
        advice = "; ".join(filter(None, (hint, "`rnndiag --debug …` shows the traceback")))
        raise BadOption(f"{doing}: {what}{where}", advice) from error


def _innermost(error: BaseException) -> str:
    """Where the user's own code raised it; of code of others, nothing."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_others(frame.filename)]
    if not own:
        return ""
    last = own[-1]
    line = f": {last.line}" if last.line else ""
    return f" ({last.filename}:{last.lineno}, in {last.name}{line})"


def _is_others(filename: str) -> bool:
    if filename.startswith("<"):
        return True
    path = Path(filename)
    return any(path.is_relative_to(folder) for folder in _NOT_THE_USERS)


def call(module: nn.Module, inputs: Mapping[str, Any], label: str, hint: str = "") -> Any:
    """What the network gives; the same each time, whatever it draws at random."""
    with torch.random.fork_rng(), torch.enable_grad(), users_code(f"{label}: running it", hint):
        torch.manual_seed(0)
        if list(inputs) == [UNNAMED]:
            return module(inputs[UNNAMED])
        return module(**inputs)


UNNAMED = "input"
"""What the input is called of a network that tells no names."""
