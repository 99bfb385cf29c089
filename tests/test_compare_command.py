"""``rnndiag compare`` as it is typed: tables, JSON, folders, exit statuses, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from advise_runs import FAST, SAMPLES, run

PLAIN, DECAYED = SAMPLES / "zen_plain.pt", SAMPLES / "zen_decayed.pt"
PROBE = ("--probe", SAMPLES / "zen_plain.probe.npz")


def test_recurrent_decay_is_seen_in_what_it_shrinks() -> None:
    result = run("compare", PLAIN, DECAYED, *PROBE, "--format", "json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    (layer,) = found["layers"]
    changes = {own["name"]: own for own in layer["changes"]}
    assert changes["recurrent_norm"]["after"] < 0.7 * changes["recurrent_norm"]["before"]
    assert changes["recurrent_norm"]["verdict"] == "changed"
    # The kernel was not decayed.
    assert changes["kernel_norm"]["verdict"] == "same"
    assert changes["recurrent_budget"]["after"] < changes["recurrent_budget"]["before"]
    assert "RNN404" in {own["rule"] for own in found["appeared"]}
    assert found["before"]["checkpoint"]["path"] == str(PLAIN)


def test_a_regression_is_a_status_where_that_is_asked_for() -> None:
    assert run("compare", PLAIN, DECAYED, *PROBE, "--fail-on", "regression").exit_code == 1
    assert run("compare", PLAIN, PLAIN, *PROBE, "--fail-on", "regression").exit_code == 0
    loose = ("--tolerance", "span=0.9", "--ignore", "RNN404", "--fail-on", "regression")
    assert run("compare", PLAIN, DECAYED, *PROBE, *loose).exit_code == 0


def test_the_table_fits_80_columns_and_names_what_got_worse() -> None:
    result = run("compare", PLAIN, DECAYED, *PROBE)
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "‖R‖" in result.stdout
    assert "‖K‖" not in result.stdout
    assert "2 regressions" in result.stdout
    verbose = run("compare", PLAIN, DECAYED, *PROBE, "-v").stdout
    assert "‖K‖" in verbose


def test_markdown_says_it_in_a_comment() -> None:
    text = run("compare", PLAIN, DECAYED, *PROBE, "--format", "markdown").stdout
    assert text.startswith("## rnndiag: 2 regressions")
    assert "| ‖R‖ |" in text


def test_saved_reports_are_compared_without_their_checkpoints(tmp_path: Path) -> None:
    saved = tmp_path / "before.json"
    assert run("inspect", PLAIN, *PROBE, "--format", "json", "--output", saved).exit_code == 0
    result = run("compare", saved, saved, "--format", "json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["regressions"] == []
    refused = run("compare", saved, saved, *PROBE)
    assert refused.exit_code == 2
    assert "measured already" in refused.stderr


def test_a_keras_and_a_pytorch_file(tmp_path: Path) -> None:
    import torch

    gru = torch.nn.GRU(2, 32)
    torch.save({f"rnn.{name}": own for name, own in gru.state_dict().items()}, tmp_path / "g.pt")
    keras = SAMPLES / "adding_gru.h5"
    result = run("compare", keras, tmp_path / "g.pt", *FAST[:4], "--format", "json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    (layer,) = found["layers"]
    assert layer["matched_by"] == "order and shape"
    # Keras's network takes 50 steps alone, so that PyTorch's probe has as many.
    assert found["after"]["probe"]["timesteps"] == 50


def test_a_folder_with_figures(tmp_path: Path) -> None:
    result = run("compare", PLAIN, DECAYED, *PROBE, "-o", tmp_path / "report")
    assert result.exit_code == 0, result.stderr
    names = {file.name for file in (tmp_path / "report").iterdir()}
    assert {"index.html", "report.md", "report.json", "rnn-forward-changes.png"} <= names
    assert json.loads((tmp_path / "report" / "report.json").read_text())["regressions"]


def test_what_a_folder_was_about_is_told_when_it_is_replaced(tmp_path: Path) -> None:
    folder = ("-o", tmp_path / "report")
    assert "replaced" not in run("compare", PLAIN, DECAYED, *PROBE, *folder).stderr
    assert "replaced" not in run("compare", PLAIN, DECAYED, *PROBE, *folder).stderr
    told = run("compare", PLAIN, PLAIN, *PROBE, *folder).stderr
    assert "replaced the comparison of zen_plain.pt → zen_decayed.pt" in told
    refused = run("report", PLAIN, *PROBE, *folder)
    assert refused.exit_code == 2
    assert "`rnndiag compare` wrote on zen_plain.pt → zen_plain.pt" in refused.stderr
    forced = run("report", PLAIN, *PROBE, *folder, "--force")
    assert "replaced the comparison of" in forced.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((PLAIN, SAMPLES / "adding_gru.h5", *FAST[:4]), "no layer to compare"),
        ((PLAIN, "missing.pt"), "no such file"),
        ((PLAIN, DECAYED, "--tolerance", "span"), "not a name and a number"),
        ((PLAIN, DECAYED, "--tolerance", "span=-1"), "not a name and a number"),
        ((PLAIN, DECAYED, "--tolerance", "wide=1"), "nothing is compared that is called"),
        ((PLAIN, DECAYED, "--format", "svg"), "'svg' is not one of"),
        ((PLAIN, DECAYED, "-o", PLAIN), "no folder"),
        ((PLAIN, DECAYED, "--output", PLAIN), "would be overwritten"),
    ],
)
def test_bad_input_is_one_message(arguments: tuple[object, ...], told: str) -> None:
    before = PLAIN.read_bytes()
    result = run("compare", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert PLAIN.read_bytes() == before
