"""`--context FILE.toml`: what may stand there, and what is said of what may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rnndiag.errors import BadOption
from rnndiag.evidence import context
from rnndiag.evidence.context import Context
from rnndiag.records import LayerSettings, Settings


def read(folder: Path, text: str) -> Context:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return context.read(path)


def refused(folder: Path, text: str) -> tuple[str, str]:
    """Message, without the folder, and hint."""
    with pytest.raises(BadOption) as caught:
        read(folder, text)
    return caught.value.message.replace(f"{folder}/", ""), caught.value.hint


def values(settings: Settings | LayerSettings) -> dict[str, Any]:
    return {
        name: setting.value
        for name, setting in vars(settings).items()
        if setting is not None and name not in ("layers", "conflicts")
    }


EXAMPLE = context.__doc__.partition("::\n")[2].partition("\nA layer goes")[0]  # type: ignore[union-attr]


def test_the_documented_example(tmp_path: Path) -> None:
    found = read(tmp_path, EXAMPLE)
    assert values(found.settings) == {
        "optimizer": "AdamW",
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
        "clipping": "clipnorm 1",
        "steps": 20000,
        "epochs": 40,
        "batch_size": 32,
        "samples": 16000,
        "shuffle": True,
        "split": (0.8, 0.1, 0.1),
        "test_in_training": False,
    }
    assert values(found.layer) == {"recurrent_dropout": 0.2}
    assert {name: values(own) for name, own in found.layers.items()} == {
        "lstm_1": {
            "kernel_decay": 1e-4,
            "recurrent_decay": 1e-5,
            "bias_decay": 0.0,
            "penalty": True,
            "dropout": 0.1,
            "kernel_constraint": "MaxNorm 3",
            "activity": "",
            "use_bias": True,
            "stateful": False,
        }
    }
    path = str(tmp_path / "run.toml")
    assert found.source == path
    assert {own.source for own in vars(found.layer).values() if own} == {path}
    assert found.settings.optimizer is not None
    assert found.settings.optimizer.source == path


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, "")
    assert found == Context(source=str(tmp_path / "run.toml"))


def test_dashes_and_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_bytes(b"\xef\xbb\xbflearning-rate = 1\n")
    found = context.read(tmp_path / "run.toml")
    assert values(found.settings) == {"learning_rate": 1.0}


@pytest.mark.parametrize("head", ["layers.encoder.lstm_l0", 'layers."encoder.lstm_l0"'])
def test_layer_names_with_dots(tmp_path: Path, head: str) -> None:
    found = read(tmp_path, f"[layers.plain]\n[{head}]\ndropout = 0.5\n")
    assert {name: values(own) for name, own in found.layers.items()} == {
        "plain": {},
        "encoder.lstm_l0": {"dropout": 0.5},
    }
    assert found.places["encoder.lstm_l0"] == f"{tmp_path / 'run.toml'}, line 2"


def test_a_layer_and_another_whose_name_goes_on(tmp_path: Path) -> None:
    text = "[layers.rnn]\ndropout = 0.1\n[layers.rnn.l0]\ndropout = 0.2\n"
    found = read(tmp_path, text)
    assert {name: values(own) for name, own in found.layers.items()} == {
        "rnn": {"dropout": 0.1},
        "rnn.l0": {"dropout": 0.2},
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("false", ""),
        ('""', ""),
        ("0", ""),
        ("0.5", "clip 0.5"),
        ('"by value 3"', "by value 3"),
    ],
)
def test_clipping(tmp_path: Path, written: str, meant: str) -> None:
    assert values(read(tmp_path, f"clipping = {written}").settings) == {"clipping": meant}


@pytest.mark.parametrize(
    ("written", "meant"),
    [("[80, 10, 10]", (0.8, 0.1, 0.1)), ("[0.75, 0.25, 0]", (0.75, 0.25, 0.0))],
)
def test_split(tmp_path: Path, written: str, meant: tuple[float, ...]) -> None:
    assert values(read(tmp_path, f"split = {written}").settings) == {"split": meant}


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("optimiser = 'Adam'", "line 1: unknown key optimiser", "did you mean optimizer"),
        ("\nlearnin-rate = 1", "line 2: unknown key learnin_rate", "did you mean learning_rate"),
        ("zzz = 1", "line 1: unknown key zzz", "known: optimizer, learning_rate"),
        ("[layers]\ndropuot = 0", "line 2: unknown key layers.dropuot", "did you mean dropout"),
        ("[layers.a]\n\nbias-decy = 0", "line 3: unknown key layers.a.bias_decy", "bias_decay"),
        ("dropout = 0.5", "line 1: dropout is a setting of layers", "under [layers]"),
        ("[layers]\nsamples = 5", "line 2: samples is a setting of the network", "above all"),
        ("steps = 1\nlr = 3\nsteps-x=2", "line 2: unknown key lr", "known: optimizer"),
        ("batch_size = 1\nbatch-size = 2", "line 2: batch_size stands there twice", ""),
    ],
)
def test_unknown_keys(tmp_path: Path, text: str, message: str, hint: str) -> None:
    said, tip = refused(tmp_path, text)
    assert said == f"run.toml, {message}"
    assert hint in tip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer = ''", 'optimizer is "", but must be a text'),
        ("optimizer = 3", "optimizer is 3, but must be a text"),
        ("learning_rate = 0", "learning_rate is 0, but must be a number above 0"),
        ("learning_rate = nan", "learning_rate is nan, but must be a number above 0"),
        ("learning_rate = true", "learning_rate is true, but must be a number above 0"),
        ("weight_decay = -1e-4", "weight_decay is -0.0001, but must be a number that is not"),
        ("weight_decay = inf", "weight_decay is inf, but must be a number that is not negative"),
        (f"weight_decay = 1{'0' * 400}", "weight_decay is 1000"),
        ("clipping = true", 'clipping is true, but must be a text such as "clipnorm 1"'),
        ("clipping = -1", 'clipping is -1, but must be a text such as "clipnorm 1"'),
        ("steps = 0", "steps is 0, but must be a whole number of at least 1"),
        ("epochs = 1.5", "epochs is 1.5, but must be a whole number of at least 1"),
        ("batch_size = true", "batch_size is true, but must be a whole number of at least 1"),
        ("shuffle = 1", "shuffle is 1, but must be true or false"),
        ("split = [0.8, 0.2]", "split is [0.8, 0.2], but must be the shares of training"),
        ("split = [0.8, 0.3, 0.1]", "split is [0.8, 0.3, 0.1], but must be the shares of"),
        ("split = [1.2, -0.1, -0.1]", "split is [1.2, -0.1, -0.1], but must be the shares of"),
        ("[layers]\ndropout = 1", "layers.dropout is 1, but must be a number of at least 0"),
        ("[layers]\ndropout = -0.1", "layers.dropout is -0.1, but must be a number of at least"),
        ("[layers.a]\nkernel_decay = -1", "layers.a.kernel_decay is -1, but must be a number"),
        ("[layers.a]\npenalty = 'l2'", 'layers.a.penalty is "l2", but must be true or false'),
        ("[layers.a]\nactivity = true", "layers.a.activity is true, but must be a text such as"),
        ("layers = 3", "layers must be a table"),
        ("[[layers]]\ndropout = 0", "layers must be a table"),
    ],
)
def test_unfit_values(tmp_path: Path, text: str, message: str) -> None:
    said, _ = refused(tmp_path, text)
    assert f", line {text.count(chr(10)) + 1}: " in said or "table" in said
    assert message in said


@pytest.mark.parametrize(
    "text", ["optimizer = Adam", "[layers", "x = " + "[" * 5000, "a = 1\na = 2"]
)
def test_broken_toml(tmp_path: Path, text: str) -> None:
    said, hint = refused(tmp_path, text)
    assert said.startswith("run.toml: broken TOML: ")
    assert "quotes" in hint


def test_a_broken_file_is_told_with_its_line(tmp_path: Path) -> None:
    assert "line 2" in refused(tmp_path, "steps = 3\nsteps steps")[0]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"absent.toml: cannot be read: No such file"):
        context.read(tmp_path / "absent.toml")
    with pytest.raises(BadOption, match="cannot be read"):
        context.read(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'optimizer = "\xe4"')
    with pytest.raises(BadOption, match=r"latin.toml: is not UTF-8"):
        context.read(tmp_path / "latin.toml")


def test_a_line_that_only_looks_like_a_key_does_no_harm(tmp_path: Path) -> None:
    text = 'optimizer = """\nsteps = 3\n[layers]\n"""\nepochs = 0'
    assert refused(tmp_path, text)[0].endswith(
        "epochs is 0, but must be a whole number of at least 1"
    )


def test_every_setting_that_the_records_know_can_be_said() -> None:
    apart = {"decoupled", "conflicts", "layers"}
    assert set(context._NETWORK) == set(Settings.__dataclass_fields__) - apart
    assert set(context._LAYER) == set(LayerSettings.__dataclass_fields__)
