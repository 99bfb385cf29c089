"""Big files.

A checkpoint of 2 GB, of which a recurrent layer is 10 MB (the file is sparse: it takes next to
no room on the disk). Peak memory of the process that inspects it, over that of one that only
imports torch; to reach: three times the recurrent layer and 50 MB. The file's own share is what
is left with a probe of next to nothing; the default one of 48 sequences of 100 timesteps adds
their inputs, states and derivatives, which are the same for a small file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import processes
from tests.benchmarks.figures import Effort, Figure, left_out
from tests.sparse_checkpoints import KINDS, NAMES, make

SETTINGS: dict[str, tuple[str, ...]] = {
    "default probe": (),
    "probe of 4 x 10": ("--batch", "4", "--seeds", "1", "--timesteps", "10"),
}


def figures(effort: Effort) -> Iterator[Figure]:
    """Each format with the default probe, and with one that is next to nothing."""
    if effort.quick:
        yield left_out("rnndiag inspect of 2 GB", "import torch", "not in a quick run")
        return
    # What is compiled first counts neither here nor there.
    processes.run(*processes.rnndiag("inspect", "samples/recall_default.pt"))
    least = processes.peak_memory(processes.IMPORT_TORCH)
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            yield from _of_kind(kind, Path(folder) / NAMES[kind], least)


def _of_kind(kind: str, path: Path, least: int) -> Iterator[Figure]:
    recurrent = make(path, kind)
    for name, options in SETTINGS.items():
        peak = processes.peak_memory(processes.rnndiag("inspect", str(path), *options))
        yield Figure(
            what=f"rnndiag inspect {path.name} ({kind}), {name}: peak memory",
            against="import torch (difference)",
            value=(peak - least) / 1e6,
            unit="MB",
            target=3 * recurrent / 1e6 + 50,
            note=f"{peak / 1e6:.0f} - {least / 1e6:.0f} MB; RNN {recurrent / 1e6:.1f} MB",
        )
