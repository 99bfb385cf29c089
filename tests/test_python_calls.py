"""What Python callers give to `rnndiag.diagnose` and `rnndiag.advise`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import rnndiag
from rnndiag.errors import BadOption


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    torch.save(nn.GRU(3, 4).state_dict(), tmp_path / "gru.pt")
    return tmp_path / "gru.pt"


def test_what_the_package_offers() -> None:
    assert dir(rnndiag) == ["RnndiagError", "__version__", "advise", "diagnose"]
    assert rnndiag.RnndiagError is rnndiag.errors.RnndiagError


@pytest.mark.parametrize("call", [rnndiag.diagnose, rnndiag.advise])
def test_an_argument_that_is_not_there(call: Any) -> None:
    with pytest.raises(TypeError) as caught:
        call("gru.pt", timestep=3)
    told = f"{call.__name__}() has no argument timestep; did you mean timesteps"
    assert str(caught.value).startswith(told)
    with pytest.raises(TypeError, match=r"\(\) has no argument zzz$"):
        call("gru.pt", zzz=3)


@pytest.mark.parametrize("call", [rnndiag.diagnose, rnndiag.advise])
def test_paths_of_any_kind(call: Any, weights: Path) -> None:
    probe = weights.with_name("probe.npy")
    np.save(probe, np.ones((2, 5, 3), np.float32))
    report = call(weights, probe=probe)
    assert report.checkpoint.path == str(weights)
    assert report.probe.source == "file"
    assert report == call(str(weights), probe=str(probe))


@pytest.mark.parametrize(("name", "key"), [("probe", "x"), ("targets", "y")])
def test_arrays_are_to_be_saved(weights: Path, name: str, key: str) -> None:
    with pytest.raises(BadOption, match=f"{name} is given as ndarray") as caught:
        rnndiag.diagnose(weights, **{name: np.ones((2, 5, 3))})
    assert f"numpy.savez('{name}.npz', {key}=array)" in caught.value.hint
    with pytest.raises(TypeError, match="named by its path, not given as dict"):
        rnndiag.diagnose({})  # type: ignore[arg-type]  # what is tested


MIXED = partial(torch.autocast, "cpu", torch.bfloat16)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, MIXED])
def test_the_callers_own_modes_change_nothing(mode: Any) -> None:
    path = "samples/adding_gru.h5"
    expected = rnndiag.diagnose(path)
    with mode():
        assert rnndiag.diagnose(path) == expected
