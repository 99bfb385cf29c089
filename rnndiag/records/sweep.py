"""What many checkpoints came to: one small row for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rnndiag.records.common import Direction
from rnndiag.records.judgement import SEVERITIES, Severity

RowStatus = Literal["ok", "failed", "timeout", "crashed"]
"""*failed* is an error that was told, *timeout* a worker that had to be ended, *crashed* one that
ended itself."""


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """What a row was made from: where it is the same, the row still holds."""

    version: str
    """rnndiag's."""
    options: str
    """A digest of all that was chosen, and of what is in the files that it names."""
    bytes: int | None = None
    modified: str | None = None
    """When the file was changed last, in its file system's words; None where nothing tells."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One checkpoint of a sweep. Numbers are None where none of its layers has them."""

    path: str
    """The file or the address, as it was found."""
    status: RowStatus
    exit_code: int
    """Its own exit status; 2 where it could not be diagnosed."""
    seconds: float
    stamp: Stamp
    sha256: str | None = None
    format: str | None = None
    parameters: int | None = None
    layers: int = 0
    """Recurrent layers and directions that were analysed."""
    severity: Severity | None = None
    """The worst of the findings that are not known already."""
    findings: Mapping[str, int] = field(default_factory=dict)
    """The rule's code → how many findings that are not known already; the worst first."""
    worst: Mapping[str, Severity] = field(default_factory=dict)
    """The rule's code → the worst severity of those."""
    severities: Mapping[str, int] = field(default_factory=dict)
    """Severity → how many of the same."""
    known: int = 0
    """Findings that are in the baseline."""
    layer: str | None = None
    """The layer with the shortest span."""
    direction: Direction | None = None
    span: int | None = None
    """That span, in timesteps."""
    span_censored: bool | None = None
    """Whether it ends only because the probe does."""
    timesteps: int | None = None
    """How many steps its profile covers."""
    dead_share: float | None = None
    """The largest share of dead units of any layer."""
    stuck_share: float | None = None
    """The largest share of stuck units of any layer's gates, left and right together."""
    message: str = ""
    """Why it could not be diagnosed."""
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """All rows, in the order of the files."""

    rows: tuple[Row, ...]
    seconds: float
    resumed: int = 0
    """Rows that an earlier call had measured already."""
    place: str | None = None
    """The file that has all rows; None where none was kept."""
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """The worst status of all: the highest."""
        return max((row.exit_code for row in self.rows), default=0)

    @property
    def rules(self) -> dict[str, Counter[Severity | None]]:
        """In how many checkpoints each rule found what at worst; the worst and most frequent first.

        None stands for rows of earlier versions, which do not tell.
        """
        counts: dict[str, Counter[Severity | None]] = {}
        for row in self.rows:
            for code in row.findings:
                counts.setdefault(code, Counter())[row.worst.get(code)] += 1
        return dict(sorted(counts.items(), key=_order))


def _order(rule: tuple[str, Counter[Severity | None]]) -> tuple[list[int], str]:
    code, counts = rule
    return [-counts[severity] for severity in (*SEVERITIES, None)], code
