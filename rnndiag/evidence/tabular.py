"""Tables as people keep them: CSV with any usual delimiter, and the words of column names."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnndiag.errors import BadOption
from rnndiag.printable import first_of

_DELIMITERS = ",;\t"
_MISSING = frozenset({"", "-", "--", "none", "null", "na", "n/a", "<na>"})
_SHOWN = 20
_BOOKKEEPING = {
    *("trial", "id", "number", "run", "name", "index", "unnamed", "column", "0", "1", "seed"),
    *("datetime", "date", "time", "start", "complete", "duration", "state", "best", "epoch"),
}
_NOT_TEXT = "is the path right? it has to be text: CSV or JSON"

Row = Mapping[str, object]
"""Cells by column, as the file has them; what the file leaves out is not there."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under named columns."""

    columns: tuple[str, ...]
    """In the file's order, each name once."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    """What was odd about the file and how it was taken, each a sentence for the user."""

    def numbers(self, column: str) -> Iterator[tuple[int, float]]:
        """Row and number of each cell of a column that holds one."""
        for place, row in enumerate(self.rows):
            value = _number_or_text(row.get(column))
            if isinstance(value, float):
                yield place, value

    def listed(self) -> str:
        """The columns' names for a message."""
        return first_of(self.columns, _SHOWN) or "none"

    def count(self, column: str) -> int:
        """How many cells of a column hold a number."""
        return sum(1 for _ in self.numbers(column))

    def unreadable(self, column: str) -> int:
        """How many cells of a column hold something that is no number."""
        return sum(isinstance(_number_or_text(row.get(column)), str) for row in self.rows)


def text_of(path: Path) -> str:
    """A text file's content, without its byte order mark.

    Raises `BadOption` where there is no such file, or it is empty or no text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadOption(f"{path}: cannot be read: {error.strerror}", "check the path") from error
    # Windows shells redirect into UTF-16, and spreadsheets mark their UTF-8.
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadOption(f"{path}: is not text", _NOT_TEXT) from error
    if "\0" in text:
        raise BadOption(f"{path}: is not text", _NOT_TEXT)
    if not text.strip():
        raise BadOption(f"{path}: is empty", "was the run that writes it cut short?")
    return text


def delimited(path: Path, text: str) -> Table:
    """CSV, TSV or semicolons, under a header; raises `BadOption` where there is none."""
    lines = [line for line in text.splitlines() if line.strip()]
    delimiter = max(_DELIMITERS, key=lines[0].count)
    try:
        header, *body = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    except csv.Error as error:
        raise BadOption(f"{path}: is not CSV: {error}", _NOT_TEXT) from error
    if all(isinstance(_number_or_text(cell), float) for cell in header):
        told = "the first line has to name the columns, for example epoch,loss,val_loss"
        raise BadOption(f"{path}: has no header", told)
    # Where commas are decimal points, semicolons part the columns.
    decimal = "," if delimiter == ";" else "."
    return _table([header, *([cell.replace(decimal, ".") for cell in row] for row in body)])


def number(cell: object) -> float | None:
    """A cell as a number, NaN and infinities included; None where nothing stands there.

    Raises `ValueError` where something else stands there.
    """
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in _MISSING):
        return None
    if isinstance(cell, bool) or not isinstance(cell, (int, float, str)):
        raise ValueError(f"{cell!r} is not a number")
    try:
        return float(cell)
    except OverflowError:  # an integer beyond every float
        return float("inf") if isinstance(cell, int) and cell > 0 else float("-inf")


def words(name: str) -> tuple[str, ...]:
    """The words of a column's name: ``valLoss``, ``val/loss`` and ``valloss`` are the same."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
    found = re.findall(r"[a-z0-9]+", parted.replace("losses", "loss"))
    return tuple(part for word in found for part in re.sub(r"(?<=.)loss$", " loss", word).split())


def is_bookkeeping(column: str) -> bool:
    """Whether a column tells trials apart without being a setting of the network."""
    return _BOOKKEEPING.issuperset(words(column))


def _number_or_text(cell: object) -> float | str | None:
    try:
        return number(cell)
    except ValueError:
        return str(cell)


def _table(lines: Sequence[Sequence[str]]) -> Table:
    """Rows under the last header above each: runs appended to each other bring one each."""
    columns: Sequence[str] = ()
    found: dict[str, None] = {}
    rows: list[Row] = []
    notes: list[str] = []
    ragged = 0
    for cells in lines:
        if not columns or _is_header(cells, columns):
            columns = tuple(_distinct(cells))
            found.update(dict.fromkeys(columns))
            notes += _shared_names(cells)
        else:
            rows.append(dict(zip(columns, cells, strict=False)))
            ragged += len(cells) != len(columns)
    if ragged:
        notes.append(f"{ragged} rows have more or fewer cells than the header has columns")
    return Table(columns=tuple(found), rows=tuple(rows), notes=tuple(dict.fromkeys(notes)))


def _is_header(cells: Sequence[str], columns: Sequence[str]) -> bool:
    """Whether a line is another header: words alone, a column's name among them."""
    named = any(cell in columns for cell in cells)
    return named and not any(isinstance(_number_or_text(cell), float) for cell in cells)


def _distinct(header: Sequence[str]) -> Iterator[str]:
    """A name for each column: numbers tell apart those that share one or have none."""
    seen: Counter[str] = Counter()
    for place, cell in enumerate(header, 1):
        name = cell.strip().lstrip("#").strip() or f"column {place}"
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}#{seen[name]}"


def _shared_names(header: Sequence[str]) -> Iterator[str]:
    counts = Counter(cell.strip() for cell in header if cell.strip())
    for name, times in counts.items():
        if times > 1:
            yield f"{times} columns are called {name!r}: the later ones are named {name}#2 and on"
