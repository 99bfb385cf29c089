"""Of a large checkpoint only what is needed comes into memory, and its numbers stay the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sparse_checkpoints
from advise_runs import ROOT

from rnndiag import mapping

ROWS, UNITS = 1 << 15, 64
TABLE = 4 * ROWS * sparse_checkpoints.COLUMNS
"""Bytes; each file has one table of that size, and one has its moments besides."""
KINDS = [own for own in sparse_checkpoints.KINDS if own != "keras-weights"]
"""Those that tell how the layers are connected, so that the table is used."""
ALLOWED = 24 << 20
"""Bytes of blocks and pages that are in memory at one time; far below a table."""
PROGRAM = """
import json, sys
from pathlib import Path
from rnndiag import pipeline
from rnndiag.records import Options

def peak():
    (line,) = (own for own in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in own)
    return 1024 * int(line.split()[1])

def diagnosed(path, probe):
    options = Options(probe=probe, device="cpu", max_memory="300MB")
    return pipeline.diagnose(path, options)

probe, *pairs = sys.argv[1:]
for small, big in zip(pairs[::2], pairs[1::2]):
    expected, before = diagnosed(small, probe), peak()
    found, after = diagnosed(big, probe), peak()
    told = [report.layers[0].measurements for report in (expected, found)]
    print(json.dumps({
        "name": Path(big).name, "grown": after - before, "bytes": found.checkpoint.bytes,
        "same": repr(told[0]) == repr(told[1]), "wiring": found.probe.wiring,
        "span": found.layers[0].measurements["gradient_span"].span,
    }))
"""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the peak of memory is told by Linux's /proc"
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What a process did on each kind of file, after it had done the same on a small one."""
    here = tmp_path_factory.mktemp("sparse")
    probe = here / "probe.npy"
    np.save(probe, np.random.default_rng(1).integers(0, sparse_checkpoints.WRITTEN, (4, 12)))
    paths = []
    for kind in KINDS:
        for rows in (sparse_checkpoints.WRITTEN, ROWS):
            place = here / kind / str(rows) / sparse_checkpoints.NAMES[kind]
            place.parent.mkdir(parents=True)
            sparse_checkpoints.make(place, kind, rows=rows, units=UNITS)
            paths.append(str(place))
    command = [sys.executable, "-c", PROGRAM, str(probe), *paths]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {own["name"]: own for own in found}


@pytest.mark.parametrize(
    "kind", [own for own in sparse_checkpoints.KINDS if own != "keras-weights"]
)
def test_a_large_table_is_not_read(kind: str, measured: dict[str, dict[str, Any]]) -> None:
    own = measured[sparse_checkpoints.NAMES[kind]]
    assert own["bytes"] > TABLE > 4 * ALLOWED
    assert own["grown"] < ALLOWED
    assert own["same"]
    assert own["wiring"] != "isolated"


def test_all_kinds_tell_the_same(measured: dict[str, dict[str, Any]]) -> None:
    """One network, read from six formats."""
    assert len({own["span"] for own in measured.values()}) == 1


def test_the_files_take_no_room(tmp_path: Path) -> None:
    place = tmp_path / "model.pt"
    sparse_checkpoints.make(place, "torch", rows=ROWS, units=UNITS)
    assert place.stat().st_size > TABLE
    assert 512 * place.stat().st_blocks < TABLE / 8


@pytest.mark.parametrize("turn", [lambda a: a, np.transpose, lambda a: a[::-1, ::2]])
def test_blocks_make_up_the_array(turn: Any) -> None:
    array = turn(np.arange(5_000.0).reshape(50, 100))
    pieces = list(mapping.blocks(array, 3_000))
    assert len(pieces) > 1
    assert max(piece.nbytes for piece in pieces) <= 3_000
    assert sum(piece.size for piece in pieces) == array.size
    assert sorted(n for piece in pieces for n in piece.ravel()) == sorted(array.ravel())


def test_what_was_let_go_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    numbers = np.arange(100_000, dtype=np.float32)
    numbers.tofile(path)
    found = np.frombuffer(mapping.shared(path), np.float32)
    assert found.base is not None
    mapping.let_go()
    np.testing.assert_array_equal(found, numbers)
    assert mapping.shared(path) is mapping.shared(path)


def test_a_file_that_was_written_anew_is_mapped_anew(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(b"before")
    before = mapping.shared(path)
    path.unlink()
    path.write_bytes(b"after!!")
    assert mapping.shared(path)[:] == b"after!!"
    assert before[:] == b"before"
