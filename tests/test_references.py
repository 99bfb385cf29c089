"""Every reference file in ``data``: outputs, states and total gradients as its writer has them.

``keras`` and ``gradients`` hold files whose states and gradients were computed independently,
in float64; ``networks`` those of `keras_networks`, saved by other versions of Keras.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from rnndiag import arrays, pipeline
from rnndiag.records import Array, Options, ProbeRun
from tests.conftest import Record
from tests.keras_files import architecture, bare, weights_only

DATA = Path(__file__).parent / "data"
ABSOLUTE = 1e-5
RELATIVE = 1e-4
"""Of the largest gradient."""


def files(folder: str, pattern: str = "*.h5") -> list[Path]:
    found = sorted((DATA / folder).rglob(pattern))
    assert found, f"no references in {folder}"
    return found


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}{path.suffix if path.suffix != '.h5' else ''}"


def stored(path: Path) -> dict[str, Array]:
    with np.load(path.with_suffix(".npz")) as archive:
        return dict(archive)


@cache
def run(path: Path, **options: str) -> ProbeRun:
    done = pipeline.inspect(
        str(path), Options(probe=str(path.with_suffix(".npz")), **options), in_full=True
    )
    assert done.run.wiring == "exact"
    assert not done.run.not_analysed
    return done.run


def distance(have: Array, want: Array) -> float:
    assert have.shape == want.shape
    return float(np.abs(have.astype(np.float64) - want).max())


def relative(have: Array, want: Array) -> float:
    return distance(have, want) / float(np.abs(want).max())


def states(reference: Mapping[str, Array]) -> Iterator[tuple[str, str, str]]:
    """Each ``h/LAYER/forward_X#NODE`` and the like: its key, quantity, and our array's name."""
    ours = {"h": "h", "c": "c", "dh": "dL_dh", "dc": "dL_dc"}
    for key in reference:
        quantity, _, place = key.partition("/")
        if quantity in ours:
            path, node = place.split("#")
            layer, _, inner = path.partition("/")
            direction = "backward" if inner.startswith("backward") else "forward"
            layer += f"#{node}" if node != "0" else ""
            yield key, quantity, f"{layer}/{direction}/{ours[quantity]}"


@pytest.mark.parametrize("path", [*files("keras"), *files("keras", "*.keras")], ids=name)
def test_keras_references(path: Path, record_error: Record) -> None:
    done = run(path, loss="mean_square")
    check_keras(done, stored(path), f"{path.parent.name}, {path.suffix}", record_error)


@pytest.mark.parametrize("path", files("keras", "*.keras"), ids=name)
def test_weights_of_keras_3_with_their_architecture(
    path: Path, record_error: Record, tmp_path: Path
) -> None:
    weights, config = bare(path, tmp_path)
    reference = path.with_suffix(".npz")
    options = Options(probe=str(reference), loss="mean_square", architecture=str(config))
    done = pipeline.inspect(str(weights), options, in_full=True).run
    check_keras(done, stored(path), f"{path.parent.name}, .weights.h5", record_error)


@pytest.mark.parametrize("path", files("keras"), ids=name)
def test_older_weights_with_their_architecture(
    path: Path, record_error: Record, tmp_path: Path
) -> None:
    weights = weights_only(path, tmp_path / "net.h5")
    config = tmp_path / "mine.json"
    config.write_text(json.dumps(architecture(path)))
    reference = path.with_suffix(".npz")
    options = Options(probe=str(reference), loss="mean_square", architecture=str(config))
    done = pipeline.inspect(str(weights), options, in_full=True).run
    check_keras(done, stored(path), f"{path.parent.name}, weights", record_error)


def check_keras(
    done: ProbeRun, reference: Mapping[str, Array], writer: str, record_error: Record
) -> None:
    assert done.wiring == "exact"
    ours = arrays.collect(done)
    error = distance(ours["output"], reference["y"])
    record_error(writer, "outputs", error)
    assert error < ABSOLUTE
    for key, quantity, mine in states(reference):
        compare = relative if quantity.startswith("d") else distance
        # References are (T, B, H).
        error = compare(ours[mine].transpose(1, 0, 2), reference[key])
        shown = {"h": "states", "c": "states", "dh": "dL/dh", "dc": "dL/dc"}[quantity]
        record_error(writer, shown, error)
        assert error < (RELATIVE if quantity.startswith("d") else ABSOLUTE), key


@pytest.mark.parametrize("path", files("keras"), ids=name)
def test_states_are_what_the_writer_returned(path: Path, record_error: Record) -> None:
    """A layer without a mask returns its states: for writers whose states are not stored."""
    reference = stored(path)
    layers = run(path, loss="mean_square").layers
    uses = Counter(layer.name for layer in layers)
    compared = 0
    for layer in layers:
        key = next((key for key in reference if key.split("#")[0] == f"act/{layer.name}"), None)
        if key is None or uses[layer.name] > 1 or not layer.mask.all():
            continue
        want = reference[key]
        error = distance(layer.arrays.h if want.ndim == 3 else layer.arrays.h[:, -1], want)
        record_error(path.parent.name, "states", error)
        assert error < ABSOLUTE, key
        compared += 1
    if not compared:
        pytest.skip("the file stores no output of a layer in one direction without a mask")


@pytest.mark.parametrize("path", files("gradients"), ids=name)
def test_gradients_of_real_losses(path: Path, record_error: Record) -> None:
    reference = stored(path)
    kind = json.loads(str(reference["meta"]))["loss_kind"]
    done = run(path, loss=kind, targets=str(path.with_suffix(".npz")))
    ours, writer = arrays.collect(done), "gradients (tf-keras-2.15)"
    error = distance(ours["output"], reference["y_pred"])
    record_error(writer, "outputs", error)
    assert error < ABSOLUTE
    assert done.loss == pytest.approx(float(reference["loss"]), rel=1e-5)
    for layer in done.layers:
        theirs = f"{layer.name}/fwd"
        error = distance(layer.arrays.h, reference[f"{theirs}/h"])
        record_error(writer, "states", error)
        assert error < ABSOLUTE
        totals = {
            "dL/dh": (layer.arrays.dL_dh, "dL_dh_total"),
            "dL/dc": (layer.arrays.gamma, "dL_dc_total"),
        }
        for shown, (mine, key) in totals.items():
            if mine is not None:
                error = relative(mine, reference[f"{theirs}/{key}"])
                record_error(writer, shown, error)
                assert error < RELATIVE


@pytest.mark.parametrize("path", [*files("networks"), *files("networks", "*.keras")], ids=name)
def test_networks_of_other_writers(path: Path, record_error: Record) -> None:
    reference = stored(path)
    outputs = run(path).outputs
    wanted = [reference[f"y{k}"] for k in range(len(outputs))]
    assert f"y{len(outputs)}" not in reference
    errors = [distance(have, want) for have, want in zip(outputs, wanted, strict=True)]
    record_error(f"networks ({path.parent.name})", "outputs", max(errors))
    assert max(errors) < ABSOLUTE


def test_a_published_archive_gives_what_its_publisher_does(record_error: Record) -> None:
    path = DATA / "sleepecg" / "classifier.keras"
    (output,) = run(path).outputs
    error = distance(output, stored(path)["y"])
    record_error("sleepecg (keras-3.3.3)", "outputs", error)
    assert error < ABSOLUTE
