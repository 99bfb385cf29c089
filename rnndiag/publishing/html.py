"""The page as one HTML file: no script, no request, all pictures within."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from rnndiag import __version__
from rnndiag.publishing.base import Page, said

_TEMPLATE = "page.html"


def render(page: Page, folder: Path) -> str:
    """The text of ``index.html``; the pictures are read from `folder`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("rnndiag.publishing", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(anchor=_anchor, said=said)
    embedded: dict[str, Any] = {
        "page": page,
        "version": __version__,
        "picture": lambda file: _embedded(folder / file),
    }
    return environment.get_template(_TEMPLATE).render(embedded)


def _embedded(file: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"


def _anchor(place: int) -> str:
    return f"part-{place}"
