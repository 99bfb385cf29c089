"""Which device runs the probe."""

from __future__ import annotations

import torch

from rnndiag.errors import BadOption


def choose(name: str) -> torch.device:
    """``auto`` takes CUDA where there is one; raises `BadOption` where `name` is not there.

    TensorFloat-32 stays off, so that a GPU gives the CPU's numbers.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return torch.device("cuda" if available["cuda"] else "cpu")
    if name not in available:
        raise BadOption(f"device {name!r} is none of auto, {', '.join(available)}")
    if not available[name]:
        raise BadOption(f"--device {name}: this machine has none", "use --device auto")
    return torch.device(name)
