"""``--unsafe-load``: without it nothing in a file runs; with it, what would is said first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn

import rnndiag
from rnndiag.checkpoints._torch import unpickling
from rnndiag.cli import main
from rnndiag.errors import BadOption
from tests.live import live_networks

STEPS = "8"
FORMATS = [True, False]
"""Zip archives, and the bare pickles of before torch 1.6."""


class Hostile:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("owned",)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a folder of its own; the modules' places are gone after each test."""
    monkeypatch.chdir(tmp_path)
    places = list(sys.path)
    yield
    sys.path[:] = places


def saved(content: Any, *, zipped: bool) -> str:
    torch.save(content, "file.pt", _use_new_zipfile_serialization=zipped)
    return "file.pt"


def inspect(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["inspect", "--timesteps", STEPS, *arguments])


@pytest.mark.parametrize("zipped", FORMATS)
def test_a_hostile_pickle(
    zipped: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = live_networks.Chain().state_dict()
    path = saved({"state_dict": dict(weights), "extra": Hostile()}, zipped=zipped)
    assert inspect(path).exit_code == 0
    assert not Path("owned").exists()

    said_before = []
    load = torch.load

    def noting(*arguments: Any, **keywords: Any) -> Any:
        said_before.append(capsys.readouterr().err)
        assert not Path("owned").exists()
        return load(*arguments, **keywords)

    monkeypatch.setattr(torch, "load", noting)
    rnndiag.diagnose(path, unsafe_load=True, timesteps=8)
    assert Path("owned").exists()
    (said,) = said_before
    assert "file.pt is now unpickled, which imports and runs: " in said
    assert ".mkdir" in said


@pytest.mark.parametrize("zipped", FORMATS)
def test_a_whole_module_is_run(zipped: bool) -> None:
    torch.manual_seed(0)
    network = live_networks.Loop()
    path = saved({"epoch": 3, "model": network}, zipped=zipped)
    result = inspect(path, "--unsafe-load")
    assert result.exit_code == 0, result.stderr
    assert "exact wiring" in result.stdout
    assert "tests.live.live_networks.Loop" in result.stderr
    own = rnndiag.diagnose(path, unsafe_load=True, timesteps=8)
    torch.save(network.state_dict(), "state.pt")
    model = "tests.live.live_networks:Loop"
    other = rnndiag.diagnose("state.pt", model=model, timesteps=8)
    assert own.layers[0].measurements == other.layers[0].measurements


@pytest.mark.parametrize("quiet", [["-q"], []])
def test_it_is_said_even_where_all_is_quiet(quiet: list[str]) -> None:
    path = saved(live_networks.Chain(), zipped=True)
    assert "imports and runs" in inspect(path, "--unsafe-load", *quiet).stderr


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code:UserWarning")
@pytest.mark.parametrize("zipped", FORMATS)
def test_classes_that_are_not_there(zipped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("gone_for_good")
    exec("from torch import nn\nclass Net(nn.LSTM): pass", module.__dict__)
    module.__dict__["Net"].__module__ = module.__name__
    monkeypatch.setitem(sys.modules, module.__name__, module)
    path = saved(module.__dict__["Net"](3, 4), zipped=zipped)
    monkeypatch.delitem(sys.modules, module.__name__)
    result = inspect(path, "--unsafe-load")
    assert result.exit_code == 2
    assert "No module named 'gone_for_good'" in result.stderr
    assert "--model package.module:factory" in result.stderr
    assert "Traceback" not in result.stderr
    assert inspect(path).exit_code == 0


@pytest.mark.parametrize("zipped", FORMATS)
def test_names_are_those_that_torch_knows_of(zipped: bool) -> None:
    content = {"model": live_networks.Chain(), "at": Path("x"), "extra": Hostile()}
    found = set(unpickling.names(Path(saved(content, zipped=zipped))))
    saved(content, zipped=True)
    torchs = set(torch.serialization.get_unsafe_globals_in_checkpoint("file.pt"))
    assert "tests.live.live_networks.Chain" in torchs
    assert torchs - {"builtins.set"} <= found
    assert not {name for name in found if "Storage" in name or "_rebuild_tensor" in name}


def test_weights_alone_name_nothing() -> None:
    path = saved(live_networks.Chain().state_dict(), zipped=True)
    result = inspect(path, "--unsafe-load")
    assert "names no code of its own" in result.stderr
    assert "assumed wiring" in result.stdout


def test_other_formats_hold_no_code() -> None:
    sample = Path(__file__).parents[2] / "samples" / "brackets_bidirectional.h5"
    with pytest.raises(BadOption, match="a file of Keras's"):
        rnndiag.diagnose(str(sample), unsafe_load=True)


def test_no_configuration_switches_it_on() -> None:
    path = saved(nn.GRU(3, 4), zipped=True)
    for text in ("unsafe-load = true", "[[checkpoint]]\npath = 'file.pt'\nunsafe_load = true"):
        Path("rnndiag.toml").write_text(text)
        result = inspect(path)
        assert result.exit_code == 2
        assert "on the command line" in result.stderr
        assert "imports and runs" not in result.stderr


def test_one_place_runs_pickles_and_one_asks_it_to() -> None:
    package = Path(rnndiag.__file__).parent
    texts = {
        str(path.relative_to(package)): path.read_text(encoding="utf-8")
        for path in package.rglob("*.py")
    }
    running = [path for path, text in texts.items() if "weights_only=False" in text]
    assert running == [str(Path("checkpoints/_torch/unpickling.py"))]
    asking = [path for path, text in texts.items() if "_torch import unpickling" in text]
    assert asking == [str(Path("live/unpickling.py"))]
    # What rnndiag's own processes tell one another is no file of anybody's.
    own = {str(Path("sweeping", name)) for name in ("_serving.py", "_lane.py")}
    assert {path for path, text in texts.items() if "pickle.load" in text} == own


def test_one_of_both_is_enough() -> None:
    with pytest.raises(BadOption, match="--unsafe-load beside --model"):
        rnndiag.diagnose("file.pt", unsafe_load=True, model="a:b")


@pytest.mark.parametrize("zipped", FORMATS)
def test_what_was_run_is_not_said_to_be_left_out(zipped: bool) -> None:
    weights = live_networks.Chain().state_dict()
    path = saved({"state_dict": dict(weights), "extra": Hostile()}, zipped=zipped)
    told = rnndiag.diagnose(path, timesteps=8).notes
    assert [note for note in told if "mkdir(…); rnndiag did not" in note]
    told = rnndiag.diagnose(path, unsafe_load=True, timesteps=8).notes
    assert Path("owned").exists()
    assert not [note for note in told if "rnndiag did not" in note or "not loaded" in note]
    (gained,) = (note for note in told if note.startswith("--unsafe-load"))
    assert "made no torch.nn.Module" in gained


@pytest.mark.parametrize("zipped", FORMATS)
def test_a_module_that_was_made_is_not_said_to_be_left_out(zipped: bool) -> None:
    path = saved(live_networks.Loop(), zipped=zipped)
    assert [n for n in rnndiag.diagnose(path, timesteps=8).notes if "not loaded" in n]
    told = rnndiag.diagnose(path, unsafe_load=True, timesteps=8).notes
    assert not [note for note in told if "not loaded" in note or "made no" in note]


class OfScript(nn.LSTM):
    """As if the script that saved it had defined it."""


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code:UserWarning")
def test_a_class_of_the_script_that_saved_it(monkeypatch: pytest.MonkeyPatch) -> None:
    main_module = sys.modules["__main__"]
    monkeypatch.setattr(OfScript, "__module__", "__main__")
    monkeypatch.setattr(main_module, "OfScript", OfScript, raising=False)
    path = saved(OfScript(3, 4), zipped=True)
    monkeypatch.delattr(main_module, "OfScript")
    result = inspect(path, "--unsafe-load")
    assert result.exit_code == 2
    assert "its class was in the script that saved it" in result.stderr
    assert "--model path/to/script.py:factory" in result.stderr
