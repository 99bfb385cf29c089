"""CSV files as probes: rows are timesteps, columns are features, blank lines part samples."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rnndiag.errors import BadProbe
from rnndiag.records import Array

_DELIMITERS = ",;\t"
Row = list[float]


def read_table(path: Path) -> Array:
    """Read numbers under an optional header, as (samples, rows, columns) in float64.

    Samples of different lengths are filled up with rows of zeros. Raises `BadProbe`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadProbe(
            f"{path}: neither .npy, .npz, .pt, .h5 nor text with numbers",
            "save the probe with numpy.savez(FILE, x=x)",
        ) from error
    samples = [sample for sample in _samples(path, text.splitlines()) if sample]
    if not samples:
        raise BadProbe(
            f"{path}: text without a row of numbers", "rows are timesteps, columns are features"
        )
    table = np.zeros((len(samples), max(map(len, samples)), len(samples[0][0])))
    for filled, sample in zip(table, samples, strict=True):
        filled[: len(sample)] = sample
    return table


def _samples(path: Path, lines: Sequence[str]) -> Iterator[list[Row]]:
    """The stretches of rows between blank lines."""
    delimiter = next((mark for mark in _DELIMITERS if any(mark in line for line in lines)), ",")
    sample: list[Row] = []
    width: int | None = None
    for number, cells in enumerate(csv.reader(lines, delimiter=delimiter), 1):
        if not any(cell.strip() for cell in cells):
            yield sample
            sample = []
            continue
        row = _row(cells)
        if row is None and width is not None:
            raise BadProbe(f"{path}: line {number} is not a row of numbers", "remove or fill it")
        if len(cells) != (width or len(cells)):
            told = f"{path}: line {number} has {len(cells)} columns, not {width}"
            raise BadProbe(told, "every row needs a number for each feature")
        width = len(cells)
        # The only row of words that is let pass is a header.
        sample += [] if row is None else [row]
    yield sample


def _row(cells: Sequence[str]) -> Row | None:
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        return None
