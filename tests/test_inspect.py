"""`rnndiag inspect` as a person and as a program see it; whole outputs, not excerpts.

`UPDATE_GOLDEN=1 pytest tests/test_inspect.py` writes the golden files again.
"""

from __future__ import annotations

import json
import os
import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

import rnndiag
from rnndiag.cli import main
from rnndiag.outputs.reports import table
from rnndiag.records import Outcome, Report

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
SAMPLES = sorted(path for path in (ROOT / "samples").iterdir() if path.suffix in (".h5", ".pt"))


def inspect(*arguments: str | Path, width: int = 80) -> Result:
    result = CliRunner().invoke(
        main, ["inspect", *map(str, arguments)], env={"COLUMNS": str(width)}, catch_exceptions=False
    )
    assert result.stderr == ""
    return result


def probe_of(sample: Path) -> Path:
    return sample.with_suffix(".probe.npz")


def schema() -> Draft202012Validator:
    text = (resources.files("rnndiag.outputs.reports") / "schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


@pytest.mark.parametrize(
    ("name", "arguments", "width"),
    [
        ("narrow", ["recall_default.pt", "--probe", "recall_default.probe.npz"], 80),
        ("wide", ["recall_default.pt", "--probe", "recall_default.probe.npz"], 160),
        ("verbose", ["brackets_bidirectional.h5", "-v"], 80),
        ("stacked", ["zen_overfit.ckpt", "--probe", "zen_overfit.probe.npz"], 80),
    ],
)
def test_golden_output(
    name: str, arguments: list[str], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT / "samples")
    printed = inspect(*arguments, width=width).stdout
    golden = GOLDEN / f"inspect_{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(printed, encoding="utf-8")
    assert printed == golden.read_text(encoding="utf-8")
    assert max(map(len, printed.splitlines())) <= width


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_json_follows_its_schema(sample: Path) -> None:
    result = inspect(sample, "--probe", probe_of(sample), "--format", "json")
    report = json.loads(result.stdout)
    assert list(schema().iter_errors(report)) == []
    assert report["exit_code"] == result.exit_code == 0
    assert report["layers"]


def test_json_tells_what_was_skipped_and_why() -> None:
    sample = ROOT / "samples/brackets_bidirectional.h5"
    report = json.loads(inspect(sample, "--format", "json").stdout)
    reasons = {item["measurement"]: item["reason"] for item in report["skipped"]}
    assert "not stateful" in reasons["carried_context"]
    assert all(layer["measurements"]["carried_context"] is None for layer in report["layers"])


def test_color_marks_the_span_and_changes_no_text() -> None:
    sample = ROOT / "samples/recall_default.pt"
    outcome = Outcome(reports=(rnndiag.diagnose(str(sample), probe=str(probe_of(sample))),))
    plain = table.render(outcome, width=100, color=False, verbose=False)
    colored = table.render(outcome, width=100, color=True, verbose=False)
    assert "\x1b[32m" in colored
    assert "\x1b" not in plain
    uncolored = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert [line.rstrip() for line in uncolored.splitlines()] == plain.splitlines()


def test_output_goes_to_the_file_alone(tmp_path: Path) -> None:
    sample, target = ROOT / "samples/recall_default.pt", tmp_path / "report.json"
    result = inspect(sample, "--format", "json", "--output", target)
    assert result.stdout == ""
    assert json.loads(target.read_text(encoding="utf-8"))["exit_code"] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_saved_arrays_are_named_shaped_and_in_processing_order(tmp_path: Path) -> None:
    sample, target = ROOT / "samples/brackets_bidirectional.h5", tmp_path / "arrays.npz"
    inspect(sample, "--probe", probe_of(sample), "--save-arrays", target)
    arrays = np.load(target)
    probe = np.load(probe_of(sample))["x"]
    ahead, back = (arrays[f"bidirectional/{way}/mask"] for way in ("forward", "backward"))
    np.testing.assert_array_equal(ahead, probe != 0)
    np.testing.assert_array_equal(back, (probe != 0)[:, ::-1])
    batch, steps = probe.shape
    units = arrays["bidirectional/forward/h"].shape[-1]
    for key in ("h", "c", "dL_dh", "dL_dc", "gamma"):
        assert arrays[f"bidirectional/backward/{key}"].shape == (batch, steps, units)
    assert arrays["bidirectional/forward/gates"].shape == (batch, steps, 4 * units)
    assert not arrays["bidirectional/forward/dL_dh"][~ahead].any()
    assert len(arrays["output"]) == batch


def test_the_headline_sample_reaches_170_steps_back_and_its_twin_does_not() -> None:
    spans = {}
    for name in ("recall_chrono", "recall_default"):
        sample = ROOT / f"samples/{name}.pt"
        report: Report = rnndiag.diagnose(str(sample), probe=str(probe_of(sample)))
        spans[name] = report.layers[0].measurements["gradient_span"]
    good, poor = spans["recall_chrono"], spans["recall_default"]
    assert good.timesteps >= 200
    assert good.span >= 170
    assert poor.span < 30
    assert not poor.censored


@pytest.mark.gpu
def test_cuda_gives_the_cpus_numbers() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    sample = ROOT / "samples/recall_default.pt"
    reports = [
        rnndiag.diagnose(str(sample), probe=str(probe_of(sample)), device=device)
        for device in ("cpu", "cuda")
    ]
    cpu, cuda = (report.layers[0].measurements["gradient_span"] for report in reports)
    assert cpu.span == cuda.span
    assert cpu.decay_per_step == pytest.approx(cuda.decay_per_step, rel=1e-4)
