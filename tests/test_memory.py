"""What a file may make the program take: told before it is taken, and moved by an option."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from graphs import chain, layer, lstm, source
from torch import nn

import rnndiag
from rnndiag import checkpoints, memory
from rnndiag.cli import main
from rnndiag.errors import BadOption, RnndiagError, TooLarge, UnsafeCheckpoint
from rnndiag.probe import make
from rnndiag.records import Graph, LayerSpec, Options
from rnndiag.running.execution import run
from rnndiag.running.network import Network
from tests import keras_files

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "tests/data/keras/keras-3.15/lstm_stacked_dropout.keras"
HUGE = 10**9
Config = dict[str, Any]


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("2GB", 2 * 10**9),
        ("512MiB", 512 * 2**20),
        ("1.5 gib", 3 * 2**29),
        ("64k", 64_000),
        ("3TiB", 3 * 2**40),
        ("1000", 1000),
        ("17b", 17),
        (12345, 12345),
    ],
)
def test_sizes(told: str | int, meant: int) -> None:
    assert memory.parse(told) == meant


@pytest.mark.parametrize(
    "told", ["", "GB", "-1", "0", "1e9", "2 GB 3", "nan", "two", "1XB", "9" * 5000, "1.", "٣MB "]
)
def test_what_is_no_size(told: str) -> None:
    with pytest.raises(BadOption, match="--max-memory"):
        memory.parse(told)
    with pytest.raises(BadOption):
        Options(max_memory=told)


def test_sizes_as_they_are_shown() -> None:
    assert [memory.shown(size) for size in (0, 999, 2048, 1.5 * 2**30, 300 * 2**20, 2**42)] == [
        *("0 bytes", "999 bytes", "2.0 KiB", "1.5 GiB", "300 MiB", "4.0 TiB"),
    ]


def test_the_default_is_a_share_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(memory.os, "sysconf", sizes.__getitem__)
    assert memory.default() == 3 * 1024 * 1000
    sizes["SC_PHYS_PAGES"] = 10**9
    assert memory.default() == 8 * 2**30


# ---------------------------------------------------------------- the account


def test_what_lasts_adds_up() -> None:
    with memory.bounded(1000, "m.pt"):
        memory.take(600, "the first")
        memory.check(400, "the second")
        memory.check(400, "the second")
        with pytest.raises(TooLarge, match=r"^m.pt: the second would take 401 bytes beside 600"):
            memory.take(401, "the second")
        memory.take(400, "the second")
        assert memory.left() == 0
    assert memory.left() == memory.default()


def test_each_file_has_its_own() -> None:
    with memory.bounded(1000, "outer"):
        memory.take(900, "it")
        with memory.bounded(1000, "inner"):
            memory.take(900, "it")
        assert memory.left() == 100


def test_the_machine_may_have_less() -> None:
    def takes() -> None:
        raise MemoryError

    with (
        pytest.raises(TooLarge, match="the machine's memory is not enough"),
        memory.bounded(None, "m"),
    ):
        takes()


# ---------------------------------------------------------------- files


def sample(kind: str, folder: Path) -> Path:
    """A valid file of 100 KB or so."""
    path = folder / f"model.{kind}"
    match kind:
        case "h5":
            return ROOT / "samples/manual_sigmoid_stack.h5"
        case "keras":
            return MODEL
        case "weights.h5":
            return keras_files.bare(MODEL, folder)[0]
        case "safetensors":
            from safetensors.torch import save_file

            save_file(nn.LSTM(64, 64).state_dict(), path)
        case "script":
            torch.jit.script(nn.LSTM(64, 64)).save(str(path))  # type: ignore[no-untyped-call]
        case _:
            torch.save(nn.LSTM(64, 64).state_dict(), path)
    return path


FORMATS = ("h5", "keras", "weights.h5", "pt", "script", "safetensors")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_is_read_within_its_bound(kind: str, tmp_path: Path) -> None:
    path = sample(kind, tmp_path)
    small: dict[str, Any] = {"batch": 1, "seeds": 1}
    report = rnndiag.diagnose(str(path), max_memory="300MB", **small)
    assert report.exit_code == 0
    with pytest.raises(TooLarge, match=r"--max-memory is 900 bytes") as raised:
        rnndiag.diagnose(str(path), max_memory=900, **small)
    assert raised.value.message.startswith(f"{path}: ")
    assert "--max-memory" in raised.value.hint


def test_the_command_line_and_the_configuration(tmp_path: Path) -> None:
    path = ROOT / "samples/adding_gru.h5"
    refused = CliRunner().invoke(main, ["inspect", str(path), "--max-memory", "1kB"])
    assert refused.exit_code == 2
    assert "--max-memory is 1kB" in refused.stderr
    assert len(refused.stderr.splitlines()) == 2
    config = tmp_path / "rnndiag.toml"
    config.write_text('max_memory = "1KiB"\n', encoding="utf-8")
    configured = ["inspect", str(path), "--config", str(config), "--batch", "1", "--seeds", "1"]
    assert "1.0 KiB" in CliRunner().invoke(main, configured).stderr
    assert CliRunner().invoke(main, [*configured, "--max-memory", "200MB"]).exit_code == 0
    for wrong in ("max_memory = 0", "max_memory = true", 'max_memory = "lots"'):
        config.write_text(wrong, encoding="utf-8")
        result = CliRunner().invoke(main, configured)
        assert result.exit_code == 2
        assert "line 1: max_memory" in result.stderr


def test_a_member_of_an_archive(tmp_path: Path) -> None:
    inner, archive = tmp_path / "m.pt", tmp_path / "m.zip"
    torch.save(nn.LSTM(64, 64).state_dict(), inner)
    keras_files.pack({"m.pt": inner.read_bytes()}, archive)
    with pytest.raises(TooLarge, match=r"m.zip::m.pt: unpacking 'm.pt' would take"):
        rnndiag.diagnose(f"{archive}::m.pt", max_memory="100kB")


def test_pickles_that_describe_much(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.save({"w": nn.LSTM(2, 2).state_dict(), "x": list(range(1000))}, path)
    with pytest.raises(TooLarge, match="what its pickle describes would take"):
        rnndiag.diagnose(str(path), max_memory="20kB")


def test_a_chunk_that_is_larger_than_its_array(tmp_path: Path) -> None:
    """It is unpacked whole: 400 MB of zeros, of which the array is five numbers."""
    path = tmp_path / "m.h5"
    path.write_bytes((ROOT / "samples/adding_gru.h5").read_bytes())
    with h5py.File(path, "a") as file:
        group = file["model_weights"]
        name = next(name for name in group if group[name].attrs["weight_names"].size)
        kernel = group[name].attrs["weight_names"][0]
        del group[name][kernel]
        settings = {"maxshape": (None,), "chunks": (100_000_000,), "compression": "gzip"}
        group[name].create_dataset(kernel, shape=(5,), dtype="f4", **settings)
    with pytest.raises(UnsafeCheckpoint, match=r"a chunk of the array claims 0\.4 GiB"):
        checkpoints.read(path)


# ---------------------------------------------------------------- networks


def refused(graph: Graph, **options: Any) -> TooLarge:
    """The error for a graph that asks for too much, at the default bound."""
    chosen = Options(batch=2, seeds=1, device="cpu", **options)
    network = Network(graph, torch.device("cpu"))

    def probed() -> None:
        run(network, make(graph, chosen), chosen)

    with memory.bounded(options.get("max_memory"), "m"), pytest.raises(TooLarge) as raised:
        probed()
    return raised.value


REPEATED = [source("x", [None, 3]), layer("repeat", "RepeatVector", config={"n": HUGE})]
LONG = {
    "an input": [source("x", [None, HUGE, 3]), lstm("rnn", 3)],
    "a repeated vector": [*REPEATED, lstm("rnn", 3)],
    "a repeated vector that is reshaped": [
        *REPEATED,
        layer("flat", "Reshape", config={"target_shape": (3, HUGE)}),
        layer("flat_", "Flatten", config={}),
    ],
    "padding": [
        source("x", [None, 9, 3]),
        layer("pad", "ZeroPadding1D", config={"padding": HUGE}),
        lstm("rnn", 3),
    ],
    "more samples in time": [
        source("x", [None, 9, 3]),
        layer("up", "UpSampling1D", config={"size": HUGE}),
    ],
}


@pytest.mark.parametrize("name", LONG)
def test_configurations_that_ask_for_very_much(name: str) -> None:
    error = refused(chain(*LONG[name]))
    assert "would take" in error.message
    assert "--max-memory" in error.hint


def test_a_long_run_is_refused_before_it_starts() -> None:
    wide = chain(source("x", [None, None, 1]), lstm("rnn", 1, units=300))
    error = refused(wide, timesteps=20_000, max_memory="100MB")
    assert "running 'rnn' over 20000 timesteps of 2 samples" in error.message
    assert "--timesteps" in error.hint


NUMBERS: Mapping[str, tuple[str, Config, bool]] = {
    # The arrays tell the units, and the probe's batch is the user's own.
    "units": ("LSTM", {"units": HUGE}, False),
    "more units than can be counted": ("LSTM", {"units": 10**30}, False),
    "samples": ("InputLayer", {"batch_shape": [HUGE, None, 5]}, False),
    "timesteps": ("InputLayer", {"batch_shape": [None, HUGE, 5]}, True),
    "timesteps beyond all counting": ("InputLayer", {"batch_shape": [None, 10**30, 5]}, True),
    "features": ("InputLayer", {"batch_shape": [None, 12, HUGE]}, True),
}
"""The class of a layer, what is changed in its configuration, and whether that is refused."""


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_in_a_configuration(name: str, tmp_path: Path) -> None:
    kind, changed, is_refused = NUMBERS[name]

    def edit(config: Config) -> None:
        for own in config["config"]["layers"]:
            own["config"] |= changed if own["class_name"] == kind else {}

    path = keras_files.reconfigured(MODEL, tmp_path / "m.keras", edit)
    if is_refused:
        with pytest.raises(TooLarge, match="a made-up probe of"):
            rnndiag.diagnose(str(path), batch=2, seeds=1)
    else:
        assert rnndiag.diagnose(str(path), batch=2, seeds=1).exit_code == 0


@pytest.mark.parametrize(
    "changed",
    [
        layer("it", "RepeatVector", config={"n": 10**30}),
        layer("it", "ZeroPadding1D", config={"padding": 10**30}),
        layer("it", "UpSampling1D", config={"size": 10**30}),
        layer("it", "Reshape", config={"target_shape": (10**30, 1)}),
    ],
    ids=lambda own: own.kind,
)
def test_numbers_that_torch_cannot_count(changed: LayerSpec) -> None:
    shape = [None, 3] if changed.kind == "RepeatVector" else [None, 9, 3]
    options = Options(batch=2, seeds=1, device="cpu")
    graph = chain(source("x", shape), changed, lstm("rnn", 3))
    done = run(Network(graph, torch.device("cpu")), make(graph, options), options)
    assert "it: " in str(done.layers[0].isolated)


def test_layers_without_arrays_take_nothing(tmp_path: Path) -> None:
    """A Dense of a billion units, whose weights the file does not have."""

    def grow(config: Config) -> None:
        dense = {"name": "wide", "units": HUGE, "activation": "linear"}
        config["config"]["layers"].append(
            {"module": "keras.layers", "class_name": "Dense", "config": dense, "name": "wide"}
        )

    path = keras_files.reconfigured(MODEL, tmp_path / "m.keras", grow)
    with pytest.raises(RnndiagError, match="wide"):
        rnndiag.diagnose(str(path), batch=2, seeds=1)


def test_the_estimate_is_not_below_what_a_run_keeps() -> None:
    """All arrays of a run together, which is less than what it takes at its peak."""
    graph = chain(source("x", [None, None, 3]), lstm("rnn", 3, units=8))
    options = Options(batch=4, seeds=1, timesteps=50, device="cpu")
    with memory.bounded("1GB", "m"):
        before = memory.left()
        done = run(Network(graph, torch.device("cpu")), make(graph, options), options)
        counted = before - memory.left()
    kept = sum(
        value.nbytes for value in vars(done.layers[0]).values() if isinstance(value, np.ndarray)
    )
    assert kept < counted < 20 * kept
