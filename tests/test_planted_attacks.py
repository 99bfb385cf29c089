"""Files made to do harm, through the command line: nothing in them runs, and none takes memory.

A file that has nothing but the attack, or whose reading would be one, is refused: status 2.
Code beside good recurrent layers is reported and not run, and the layers are analysed: to
refuse a model for its Lambda would tell its owner nothing, and he is safe either way. Where
the code is all that there is, status 3 says that nothing was analysed.
"""

from __future__ import annotations

import base64
import json
import marshal
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from tests import keras_files

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "tests/data/keras/keras-3.15/lstm_stacked_dropout.keras"
KERNEL = "layers/lstm/cell/vars/0"
SECRET = "0.123456789"
MARK = "was-run"
Layers = list[dict[str, Any]]


class Writes:
    """As an object in a pickle: a command that makes a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (MARK,)


# ---------------------------------------------------------------- the attacks


def pickle_alone(path: Path) -> None:
    torch.save(Writes(), path)


def pickle_beside_weights(path: Path) -> None:
    torch.save({"state_dict": nn.LSTM(3, 4).state_dict(), "config": Writes()}, path)


def code_layer(kind: str) -> Callable[[Layers], None]:
    """A layer whose configuration holds code, in the place of the first dropout."""
    code = compile(f"import os; os.mkdir({MARK!r})", "<attack>", "exec")
    configs: dict[str, dict[str, Any]] = {
        "Lambda": {
            "function": {
                "class_name": "__lambda__",
                "config": {
                    "code": base64.b64encode(marshal.dumps(code)).decode(),
                    "defaults": None,
                    "closure": None,
                },
            }
        },
        "TorchModuleWrapper": {"module": base64.b64encode(pickle.dumps(Writes())).decode()},
        "Planted": {},
    }

    def edit(layers: Layers) -> None:
        place = next(k for k, own in enumerate(layers) if own["class_name"] == "Dropout")
        name = layers[place]["config"]["name"]
        module = "planted" if kind == "Planted" else "keras.layers"
        layers[place] |= {
            "class_name": kind,
            "module": module,
            "registered_name": f"planted>{kind}",
            "config": {"name": name, **configs[kind]},
        }

    return edit


def configured(edit: Callable[[Layers], Any]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        keras_files.reconfigured(MODEL, path, lambda config: edit(config["config"]["layers"]))

    return make


def code_alone(kind: str) -> Callable[[Layers], None]:
    """The same, without any recurrent layer."""

    def edit(layers: Layers) -> None:
        code_layer(kind)(layers)
        layers[:] = [own for own in layers if own["class_name"] in ("InputLayer", kind)]

    return edit


def linked(path: Path) -> None:
    """An array that is a link to another file's."""
    other = path.with_name("secret.h5")
    with h5py.File(other, "w") as file:
        file["secret"] = np.full((5, 32), float(SECRET), dtype=np.float32)

    def edit(file: h5py.File) -> None:
        del file[KERNEL]
        file[KERNEL] = h5py.ExternalLink(str(other), "/secret")

    keras_files.reweighted(MODEL, path, edit)


def terabytes(path: Path) -> None:
    """3.6 TiB in 14 KB."""
    path.write_bytes((ROOT / "tests/data/keras/keras-2.2.4/regularized.h5").read_bytes())
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file["model_weights"].visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        del file["model_weights"][names[0]]
        file["model_weights"].create_dataset(names[0], shape=(10**6, 10**6), dtype="f4")


def bomb(path: Path) -> None:
    """400 MiB of zeros in 2 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, content in keras_files.members(MODEL).items():
            with file.open(name, "w") as member:
                if name == keras_files.WEIGHTS:
                    for _ in range(400):
                        member.write(bytes(1 << 20))
                else:
                    member.write(content)


def torch_bomb(path: Path) -> None:
    torch.save(nn.LSTM(3, 4).state_dict(), path)
    held = keras_files.members(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, content in held.items():
            with file.open(name, "w") as member:
                member.write(content)
                for _ in range(400 * name.endswith("data/0")):
                    member.write(bytes(1 << 20))


def deep(path: Path) -> None:
    held = keras_files.members(MODEL)
    keras_files.pack({**held, keras_files.CONFIG: b'{"a":' * 100_000}, path)


def deep_attribute(path: Path) -> None:
    path.write_bytes((ROOT / "samples/adding_gru.h5").read_bytes())
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = "[" * 100_000


def endless(layers: Layers) -> None:
    """A billion timesteps."""
    layers[0]["config"]["batch_shape"] = [None, 10**9, 5]


ATTACKS: dict[str, tuple[str, int, Callable[[Path], None]]] = {
    "a pickle that would write a file": ("m.pt", 2, pickle_alone),
    "the same beside weights": ("m.pt", 0, pickle_beside_weights),
    "a Lambda": ("m.keras", 0, configured(code_layer("Lambda"))),
    "a Lambda alone": ("m.keras", 3, configured(code_alone("Lambda"))),
    "a TorchModuleWrapper": ("m.keras", 0, configured(code_layer("TorchModuleWrapper"))),
    "a TorchModuleWrapper alone": ("m.keras", 3, configured(code_alone("TorchModuleWrapper"))),
    "an importable module": ("m.keras", 0, configured(code_layer("Planted"))),
    "a link to a secret": ("m.keras", 2, linked),
    "terabytes": ("m.h5", 2, terabytes),
    "a bomb": ("m.keras", 2, bomb),
    "a bomb of torch's": ("m.pt", 2, torch_bomb),
    "a deep configuration": ("m.keras", 2, deep),
    "a deep attribute": ("m.h5", 2, deep_attribute),
    "a billion timesteps": ("m.keras", 2, configured(endless)),
}
"""What the file is called, the status that is right, and how it is made."""

# ---------------------------------------------------------------- each in one process

MEASURE = """
import json, re, sys
from pathlib import Path
from click.testing import CliRunner
from rnndiag.cli import main

for path in sys.argv[1:]:
    arguments = ["inspect", path, "-v", "--batch", "1", "--seeds", "1"]
    result = CliRunner().invoke(main, arguments)
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
    print(json.dumps([result.exit_code, result.stdout, result.stderr, int(peak)]))
"""


@cache
def outcomes(folder: Path) -> dict[str, tuple[int, str, str, int]]:
    """Status, output, error and the process's peak memory so far; first of a small valid file."""
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells")
    (folder / "planted.py").write_text(f"import os\nos.mkdir({MARK!r})\n", encoding="utf-8")
    paths = [MODEL]
    for number, (name, _, make) in enumerate(ATTACKS.values()):
        paths.append(folder / f"{number}-{name}")
        make(paths[-1])
    work = folder / "work"
    work.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
        cwd=work,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])},
        timeout=120,
    )
    lines = [tuple(json.loads(line)) for line in done.stdout.splitlines()]
    return dict(zip(["small", *ATTACKS], lines, strict=True))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@pytest.mark.parametrize("name", ATTACKS)
def test_planted_attacks(name: str, folder: Path) -> None:
    _, wanted, _ = ATTACKS[name]
    small = outcomes(folder)["small"]
    assert small[0] == 0
    status, output, error, peak = outcomes(folder)[name]
    assert status == wanted, (output, error)
    assert peak < 2 * small[3]
    assert SECRET not in output + error
    assert "Traceback" not in error
    if status == 2:
        assert not output
        assert len(error.splitlines()) in (1, 2)
        assert "internal error" not in error
    assert list((folder / "work").iterdir()) == []


def test_code_beside_good_layers_is_reported(folder: Path) -> None:
    for name in ("a Lambda", "a TorchModuleWrapper", "an importable module"):
        _, output, _, _ = outcomes(folder)[name]
        assert "isolated" in output, name
        assert "2 of 2 RNN layers" in output, name
    assert "posix.mkdir" in outcomes(folder)["the same beside weights"][1]
