"""Runs a state dict through the whole pipeline, from a file that torch.save wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rnndiag import pipeline
from rnndiag.pipeline import Diagnosis
from rnndiag.records import Options

Inspect = Callable[..., Diagnosis]


@pytest.fixture
def inspect(tmp_path: Path) -> Inspect:
    """``inspect(tensors, *inputs, **options)``; the inputs become a probe file."""

    def run(tensors: Mapping[str, Tensor], *inputs: Tensor, **options: Any) -> Diagnosis:
        torch.save(tensors, tmp_path / "model.pt")
        probe = None
        if inputs:
            probe = str(tmp_path / "probe.npz")
            np.savez(probe, **{f"x{k}" if k else "x": x.numpy() for k, x in enumerate(inputs)})
        chosen = Options(probe=probe, device="cpu", seeds=1, batch=2, timesteps=8, **options)
        return pipeline.inspect(str(tmp_path / "model.pt"), chosen, in_full=True)

    return run
