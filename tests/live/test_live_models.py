"""``--model`` on the command line: what is named, what fits, and whose mistake it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file
from torch import nn

import rnndiag
from rnndiag.cli import main
from rnndiag.errors import BadOption, BadProbe, TooLarge
from tests.live import live_networks

NETWORKS = "tests.live.live_networks"
FILE = Path(live_networks.__file__)
STEPS = 8


@pytest.fixture(autouse=True)
def as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The user's modules and their places are gone after each test."""
    monkeypatch.chdir(tmp_path)
    places, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = places
    for name in set(sys.modules) - modules:
        # Frameworks that were imported meanwhile cannot be imported a second time.
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def saved(network: nn.Module | dict[str, Any], name: str = "network.pt") -> str:
    torch.save(network.state_dict() if isinstance(network, nn.Module) else network, name)
    return name


def inspect(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["inspect", "--timesteps", str(STEPS), *arguments])


def refused(factory: str, path: str | None = None, **options: Any) -> BadOption:
    path = path or saved(live_networks.Chain())
    with pytest.raises(BadOption) as caught:
        rnndiag.diagnose(path, model=factory, timesteps=STEPS, **options)
    return caught.value


# ---------------------------------------------------------------- what is named


@pytest.mark.parametrize("factory", [f"{NETWORKS}:Chain", f"{NETWORKS}:READY", f"{FILE}:Chain"])
def test_modules_files_classes_and_instances(factory: str) -> None:
    report = rnndiag.diagnose(saved(live_networks.Chain()), model=factory, timesteps=STEPS)
    assert [layer.id for layer in report.layers] == ["lstm_l0", "lstm_l1"]
    assert report.probe.wiring == "exact"


def test_the_working_directory_can_be_imported_from(tmp_path: Path) -> None:
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "parts.py").write_text("from torch.nn import GRU as Part\n")
    (tmp_path / "own_package" / "net.py").write_text(
        "from own_package.parts import Part\ndef make():\n    return Part(3, 4)\n"
    )
    path = saved(nn.GRU(3, 4))
    for factory in ("own_package.net:make", "own_package/net.py:make"):
        (layer,) = rnndiag.diagnose(path, model=factory, timesteps=STEPS).layers
        assert (layer.kind, layer.input_size) == ("GRU", 3)


def test_a_file_hides_no_module_of_pythons(tmp_path: Path) -> None:
    import random

    (tmp_path / "random.py").write_text("from torch.nn import GRU\nmake = lambda: GRU(3, 4)\n")
    rnndiag.diagnose(saved(nn.GRU(3, 4)), model="random.py:make", timesteps=STEPS)
    assert sys.modules["random"] is random


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("Chain", "no factory is named"),
        ("no_such_module:Chain", "no module 'no_such_module'"),
        ("no_such_file.py:Chain", "no file no_such_file.py"),
        (f"{NETWORKS}:Chian", "has no Chian"),
        (f"{NETWORKS}:NUMBER", "is an int, no factory"),
        (f"{NETWORKS}:needing", "needs arguments: units"),
        (f"{NETWORKS}:Tensor", "gives a Tensor, no torch.nn.Module"),
    ],
)
def test_what_is_no_factory(factory: str, words: str) -> None:
    error = refused(factory)
    assert words in error.message
    assert error.hint


def test_mistakes_in_the_users_code_are_told_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\nraise KeyError('oh')\n")
    (tmp_path / "unread.py").write_text("def make(:\n")
    (tmp_path / "importing.py").write_text("import no_such_thing\n")
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(3)\n")
    assert "KeyError: 'oh'" in refused("broken:make").message
    assert "broken.py:2" in refused("broken:make").message
    assert "SyntaxError" in refused("unread.py:make").message
    assert "No module named 'no_such_thing'" in refused("importing:make").message
    assert "SystemExit: 3" in refused("leaving:make").message


def test_a_mistake_in_forward(tmp_path: Path) -> None:
    path = saved(live_networks.Failing())
    error = refused(f"{NETWORKS}:Failing", path)
    assert "return self.fc(y)  # here" in error.message
    assert "the probe was made up for its first layer: x (batch, 8, 4)" in error.hint
    result = inspect(path, "--model", f"{NETWORKS}:Failing")
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    debugged = CliRunner().invoke(
        main, ["--debug", "inspect", path, "--model", f"{NETWORKS}:Failing"]
    )
    assert isinstance(debugged.exception, BadOption)
    assert isinstance(debugged.exception.__cause__, RuntimeError)


def test_what_the_users_code_prints_is_no_part_of_the_report() -> None:
    path = saved(live_networks.Chain())
    result = inspect(path, "--model", f"{NETWORKS}:noisy", "--format", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["probe"]["wiring"] == "exact"
    assert "building" in result.stderr


# ---------------------------------------------------------------- what fits


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "net."])
def test_prefixes_are_stripped(prefix: str) -> None:
    state = {f"{prefix}{name}": own for name, own in live_networks.Chain().state_dict().items()}
    report = rnndiag.diagnose(saved(state), model=f"{NETWORKS}:Chain", timesteps=STEPS)
    assert report.probe.wiring == "exact"
    parameters = report.layers[0].parameters
    assert parameters["kernel"] == (f"{prefix}lstm.weight_ih_l0",)


def test_all_that_does_not_fit_is_one_error() -> None:
    state = live_networks.Chain().state_dict()
    state["fc.weight"] = torch.zeros(3, 9)
    state["extra.weight"] = torch.zeros(2)
    del state["fc.bias"]
    message = refused(f"{NETWORKS}:Chain", saved(dict(state))).message
    assert "missing in the file: fc.bias" in message
    assert "not in the network: extra.weight" in message
    assert "fc.weight (3, 9) in the file, (3, 6) in the network" in message


def test_safetensors_leaves_tied_weights_out() -> None:
    class Tied(live_networks.Chain):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 4, 2, batch_first=True)
            self.fc = nn.Linear(4, 11, bias=False)
            self.fc.weight = self.embedding.weight

    network = Tied()
    state = {name: own for name, own in network.state_dict().items() if name != "fc.weight"}
    save_file({name: own.clone() for name, own in state.items()}, "tied.safetensors")
    live_networks.Tied = Tied  # type: ignore[attr-defined]
    report = rnndiag.diagnose("tied.safetensors", model=f"{NETWORKS}:Tied", timesteps=STEPS)
    assert report.probe.wiring == "exact"


def test_keras_files_need_no_model() -> None:
    sample = FILE.parents[2] / "samples" / "brackets_bidirectional.h5"
    assert "a file of Keras's" in refused(f"{NETWORKS}:Chain", str(sample)).message


def test_parameters_that_are_no_real_numbers_are_refused() -> None:
    error = refused(f"{NETWORKS}:Complex", saved(live_networks.Complex()))
    assert "parameters that are no real numbers are not loaded: turn (complex64)" in str(error)


def test_buffers_that_are_no_real_numbers_are_said() -> None:
    path = saved(live_networks.ComplexBuffer())
    report = rnndiag.diagnose(path, model=f"{NETWORKS}:ComplexBuffer", timesteps=STEPS)
    told = "buffers that are no real numbers are the factory's own, not the file's: turn"
    assert any(told in note for note in report.notes)


# ---------------------------------------------------------------- the probe


def test_a_first_layer_that_does_not_tell() -> None:
    path = saved(live_networks.Convolving())
    with pytest.raises(BadProbe, match="does not tell the shape of input 'x'") as caught:
        rnndiag.diagnose(path, model=f"{NETWORKS}:Convolving")
    assert "--probe" in caught.value.hint
    np.save("x.npy", np.random.default_rng(0).standard_normal((3, 20)))
    report = rnndiag.diagnose(path, model=f"{NETWORKS}:Convolving", probe="x.npy")
    assert [layer.analysed for layer in report.layers] == [True]


def test_the_memory_that_recurrences_take_is_bounded() -> None:
    path = saved(live_networks.Chain())
    options = {"model": f"{NETWORKS}:Chain", "timesteps": 2000, "batch": 2}
    with pytest.raises(TooLarge, match=r"running 'lstm_l\d' over 2000 timesteps .*would take"):
        rnndiag.diagnose(path, **options, max_memory="8MB")


def test_a_first_look_takes_no_memory_that_lasts() -> None:
    """It runs on more samples than the probe has here."""
    path = saved(live_networks.Chain())
    taken = 2 * (64 * 4 + 24) * 2000 * live_networks.UNITS
    options = {"model": f"{NETWORKS}:Chain", "timesteps": 2000, "batch": 1, "seeds": 1}
    assert rnndiag.diagnose(path, **options, max_memory=3 * taken + 2_000_000).layers


def test_several_inputs_are_found_by_their_names() -> None:
    path = saved(live_networks.Packed())
    with pytest.raises(BadProbe, match="input 'x'"):
        rnndiag.diagnose(path, model=f"{NETWORKS}:Packed")
    np.savez("p.npz", lengths=[5, 2], x=np.ones((2, 5, 4)), other=[1])
    report = rnndiag.diagnose(path, model=f"{NETWORKS}:Packed", probe="p.npz")
    assert (report.probe.batch, report.probe.timesteps) == (2, 5)
    np.savez("short.npz", x=np.ones((2, 5, 4)))
    with pytest.raises(BadProbe, match="lengths"):
        rnndiag.diagnose(path, model=f"{NETWORKS}:Packed", probe="short.npz")


def test_token_ids_may_be_floats() -> None:
    np.save("ids.npy", np.full((2, 6), 3.0))
    path = saved(live_networks.Chain())
    report = rnndiag.diagnose(path, model=f"{NETWORKS}:Chain", probe="ids.npy")
    assert report.probe.timesteps == 6


# ---------------------------------------------------------------- configuration


def test_no_configuration_makes_code_run(tmp_path: Path) -> None:
    Path("rnndiag.toml").write_text("model = 'net.py:Net'\n")
    Path("net.py").write_text(
        "open('ran', 'w')\nfrom torch.nn import GRU\nNet = lambda: GRU(3, 4)\n"
    )
    result = inspect(saved(nn.GRU(3, 4)))
    assert result.exit_code == 2
    assert "given on the command line, each time: --model" in result.stderr
    assert not Path("ran").exists()


def test_advice_on_a_network_of_ones_own() -> None:
    path = saved(live_networks.Loop())
    arguments = ["advise", path, "--model", f"{NETWORKS}:Loop", "--format", "json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code in (0, 1), result.stderr
    assert json.loads(result.stdout)["probe"]["wiring"] == "exact"
