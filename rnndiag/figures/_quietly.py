"""Imports matplotlib before anyone else does, so that its surroundings cannot spoil a report.

A backend that does not exist breaks its import, and what it tells of caches and fonts is no
news to those who asked for a report: figures need no backend, and bring their fonts along.
"""

from __future__ import annotations

import logging
import os

_BACKEND = "MPLBACKEND"


def _import() -> None:
    own = logging.getLogger("matplotlib")
    if own.level == logging.NOTSET:
        own.setLevel(logging.ERROR)
    chosen = os.environ.pop(_BACKEND, None)
    try:
        import matplotlib  # noqa: F401
    finally:
        if chosen is not None:
            os.environ[_BACKEND] = chosen


_import()
