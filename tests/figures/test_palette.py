"""Pictures on disk: few colors, close to those that were drawn."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from figure_subjects import draw, subject
from layer_runs import build
from PIL import Image

from rnndiag import figures
from rnndiag.figures._palette import save
from rnndiag.figures._style import styled
from rnndiag.figures.checkpoint import states, weights


@pytest.mark.parametrize("module", [states, weights])
def test_a_heat_map_keeps_its_colors(module: object, tmp_path: Path) -> None:
    (picture,) = draw(module, subject(build(units=60)))
    picture.figure.canvas.draw()
    # A layout that is worked out again is not the same to the pixel.
    picture.figure.set_layout_engine("none")
    shown = figures.shown(picture, tmp_path, "one.png")
    whole = BytesIO()
    with styled():
        picture.figure.savefig(whole, format="png")
    saved = Image.open(tmp_path / "one.png")
    assert saved.mode == "P"
    assert saved.size == getattr(shown, "size", None)
    expected = np.asarray(Image.open(whole).convert("RGB")).astype(int)
    found = np.asarray(saved.convert("RGB")).astype(int)
    assert np.abs(found - expected).max() <= 8
    assert found[0, 0].tolist() == [255, 255, 255]
    assert (tmp_path / "one.png").stat().st_size < len(whole.getvalue()) / 2


def test_a_title_may_hold_any_character(tmp_path: Path) -> None:
    (picture,) = draw(weights, subject(build()))
    save(picture.figure, tmp_path / "one.png", "λ → 1")
    assert Image.open(tmp_path / "one.png").text == {"Title": "λ → 1"}  # type: ignore[attr-defined]
