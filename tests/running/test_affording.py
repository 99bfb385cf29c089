"""Very long made-up sequences: fewer samples are run, by what their states take."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from rnndiag import pipeline
from rnndiag.records import Options, ProbeRun
from rnndiag.running import affording

STEPS = 4000


def run_of(folder: Path, *stack: keras.Layer, **options: object) -> ProbeRun:
    path = folder / "model.keras"
    keras.Sequential([keras.Input((STEPS, 2)), *stack]).save(path)
    return pipeline.inspect(str(path), Options(batch=4, seeds=3, device="cpu", **options)).run


@pytest.fixture(autouse=True)
def _little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affording, "_OF_SEQUENCES", 8 * STEPS * 5)


def test_as_many_samples_as_there_is_room_for_the_states_of(tmp_path: Path) -> None:
    done = run_of(tmp_path, layers.LSTM(5), layers.Dense(1))
    assert (done.probe.batch, done.probe.seeds) == (2, 3)
    assert done.layers[0].mask.shape == (6, STEPS)
    (told,) = (note for note in done.probe.notes if "samples are run" in note)
    assert told == "6 of 12 samples are run, 2 of each seed: the states of one are 20,000 values"


def test_layers_whose_timesteps_do_not_grow_count_as_they_are(tmp_path: Path) -> None:
    stack = layers.AveragePooling1D(100), layers.GRU(5), layers.RepeatVector(30), layers.GRU(5)
    done = run_of(tmp_path, *stack, layers.Dense(1))
    assert (done.probe.batch, done.probe.seeds) == (4, 3)
    assert not [note for note in done.probe.notes if "samples are run" in note]


def test_a_real_probe_is_run_whole(tmp_path: Path) -> None:
    probe = tmp_path / "x.npy"
    np.save(probe, np.zeros((12, STEPS, 2), np.float32))
    done = run_of(tmp_path, layers.LSTM(5), layers.Dense(1), probe=str(probe))
    assert done.layers[0].mask.shape == (12, STEPS)
