"""Files beside a checkpoint: probes, histories, what is known, trials."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

from tests.fuzz.seeds import ROOT, Arguments, writes


def _series(folder: Path, *options: str) -> Arguments:
    """A network that takes 3 numbers a timestep, and what is told beside it."""
    torch.manual_seed(0)
    torch.save(nn.LSTM(3, 4).state_dict(), folder / "lstm.pt")
    return ("lstm.pt", *options)


def _batch() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)


@writes("probe")
def probe_npz(folder: Path) -> Arguments:
    np.savez(folder / "probe.npz", x=_batch())
    return _series(folder, "--probe", "probe.npz")


@writes("probe")
def probe_npy(folder: Path) -> Arguments:
    np.save(folder / "probe.npy", _batch())
    return _series(folder, "--probe", "probe.npy")


@writes("probe")
def probe_pt(folder: Path) -> Arguments:
    torch.save(torch.from_numpy(_batch()), folder / "probe.pt")
    return _series(folder, "--probe", "probe.pt")


@writes("probe")
def probe_csv(folder: Path) -> Arguments:
    np.savetxt(folder / "probe.csv", _batch()[0], delimiter=",", header="a,b,c", comments="")
    return _series(folder, "--probe", "probe.csv")


@writes("probe")
def probe_h5(folder: Path) -> Arguments:
    with h5py.File(folder / "probe.h5", "w") as file:
        file["x"] = _batch()
    return _series(folder, "--probe", "probe.h5")


@writes("evidence")
def history_csv(folder: Path) -> Arguments:
    shutil.copy(ROOT / "samples/adding_gru.history.csv", folder / "history.csv")
    return _series(folder, "--history", "history.csv")


@writes("evidence")
def history_json(folder: Path) -> Arguments:
    (folder / "history.json").write_text('{"loss": [3, 2, 1.5], "val_loss": [3, 2.5, 2.75]}')
    return _series(folder, "--history", "history.json")


@writes("evidence")
def context_toml(folder: Path) -> Arguments:
    told = 'optimizer = "adam"\nlearning_rate = 1e-3\nweight_decay = 0.1\nsamples = 100\n'
    (folder / "context.toml").write_text(told)
    return _series(folder, "--context", "context.toml")


@writes("evidence")
def trials_csv(folder: Path) -> Arguments:
    rows = "weight_decay,val_loss\n0.1,3.5\n0.01,2.5\n0.001,2.75\n"
    (folder / "trials.csv").write_text(rows)
    return _series(folder, "--trials", "trials.csv")
