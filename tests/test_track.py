"""Checkpoints followed over a run: their order, gaps, and since when a finding holds."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from advise_runs import SAMPLES
from rule_reports import layer as healthy_layer
from rule_settings import checkpoints, decayed, trained
from torch import nn

from rnndiag import advising, judging, pipeline, tracking
from rnndiag.advising import Case, Evidence
from rnndiag.errors import BadOption, BadProbe
from rnndiag.records import (
    Course,
    Finding,
    Options,
    Passed,
    Policy,
    Report,
    Series,
)
from rnndiag.tracking import _since
from rnndiag.tracking._layers import growth
from rnndiag.tracking._seen import Seen, prefix, seen_on_series

FAST = Options(batch=2, seeds=1, timesteps=4)
RUN = SAMPLES / "bias_outgrows"


def save(path: Path, scale: float = 1.0, units: int = 4, **facts: Any) -> Path:
    """An LSTM whose weights are all `scale`, and what else the file tells."""
    state = {k: torch.full_like(v, scale) for k, v in nn.LSTM(3, units).state_dict().items()}
    torch.save({"model": state, **facts} if facts else state, path)
    return path


def track(*paths: Path | str, norms_only: bool = True, **more: Any) -> Course:
    return tracking.track([*map(str, paths)], Case(options=FAST, **more), norms_only=norms_only)


def files(course: Course) -> list[str]:
    return [Path(point.path).name for point in course.points]


# ---------------------------------------------------------------- the sample


@pytest.fixture(scope="module")
def sample() -> Course:
    """All its checkpoints with its probe; the series' rules see no more than their norms."""
    options = Options(probe=str(SAMPLES / "bias_outgrows.probe.npz"))
    return tracking.track([str(RUN)], Case(options=options))


def since(course: Course) -> dict[str, int | None]:
    return {own.finding.rule: own.since for own in course.findings}


def test_the_sample_raises_the_rule_with_the_epoch_from_which_it_held(sample: Course) -> None:
    assert sample.axis == "epoch"
    assert [point.step for point in sample.points] == list(range(1, 13))
    (told,) = (own for own in sample.findings if own.finding.rule == "RNN304")
    assert told.since is not None
    assert sample.points[told.since].step == 5
    assert [said.rule for said in sample.points[told.since].appeared] == ["RNN304"]
    for place, point in enumerate(sample.points):
        assert ("RNN304" in {said.rule for said in point.said}) == (place >= told.since)


def test_the_rules_say_the_same_of_the_weights_alone(sample: Course) -> None:
    """Three times faster, and of the series' rules not a word less."""
    course = track(RUN)
    assert course.layers[0].growth == sample.layers[0].growth
    rules = ("RNN304", "RNN305", "RNN306")
    assert {k: v for k, v in since(course).items() if k in rules} == {
        k: v for k, v in since(sample).items() if k in rules
    }
    assert {own.judged for own in course.points[:-1]} == {"series"}
    assert since(course)["RNN403"] is None
    assert since(sample)["RNN403"] == 0


def test_advise_with_the_series_agrees(sample: Course) -> None:
    last = str(RUN / "epoch-12.pt")
    options = Options(probe=str(SAMPLES / "bias_outgrows.probe.npz"))
    case = Case(options=options, evidence=Evidence(series=(str(RUN),)))
    report = advising.advise([last], lambda _: case).reports[0]
    assert report.series == sample.report.series
    assert report.judgement == sample.report.judgement
    assert report.exit_code == sample.exit_code


def test_growth_is_that_of_the_files(sample: Course) -> None:
    states = [torch.load(RUN / f"epoch-{k}.pt")["model_state_dict"] for k in (1, 12)]
    norms = [float((own["rnn.bias_ih_l0"] + own["rnn.bias_hh_l0"]).norm()) for own in states]
    grown = sample.layers[0].growth["bias"]
    assert (grown.first, grown.last) == pytest.approx(tuple(norms))
    assert sample.points[0].layers["rnn/forward"].norms.bias == pytest.approx(norms[0])


def test_numbers_of_a_point_are_those_of_its_report(sample: Course) -> None:
    report = pipeline.diagnose(
        str(RUN / "epoch-12.pt"), Options(probe=str(SAMPLES / "bias_outgrows.probe.npz"))
    )
    facts, own = report.layers[0].measurements, sample.points[-1].layers["rnn/forward"]
    assert own.reach is not None
    assert own.reach.span == facts["gradient_span"].span
    assert own.dead == facts["unit_activity"].dead_share
    assert own.extreme == facts["unit_activity"].extreme_share
    assert own.stuck == max(gate.stuck_share for gate in facts["gate_activity"].values())


# ---------------------------------------------------------------- order and gaps


def test_files_tell_the_order_else_names_do(tmp_path: Path) -> None:
    for name, epoch in (("a", 3), ("b", 1), ("c", 2)):
        save(tmp_path / f"{name}.pt", epoch=epoch)
    course = track(tmp_path)
    assert (files(course), course.axis) == (["b.pt", "c.pt", "a.pt"], "epoch")
    save(tmp_path / "d.pt")
    course = track(tmp_path)
    assert (files(course), course.axis) == (["a.pt", "b.pt", "c.pt", "d.pt"], "checkpoint")
    assert "the names give the order" in course.notes[0]


def test_steps_and_natural_names(tmp_path: Path) -> None:
    for k in (100, 9, 10):
        save(tmp_path / f"step-{k}.pt")
    assert files(track(tmp_path)) == ["step-9.pt", "step-10.pt", "step-100.pt"]
    for k in (100, 9, 10):
        save(tmp_path / f"step-{k}.pt", global_step=1000 - k)
    course = track(tmp_path)
    assert (files(course)[0], course.axis) == ("step-100.pt", "step")


def test_a_broken_file_is_a_gap_where_it_would_stand(tmp_path: Path) -> None:
    for k in range(1, 6):
        save(tmp_path / f"{k}.pt", float(k), epoch=k)
    whole = (tmp_path / "3.pt").read_bytes()
    (tmp_path / "3.pt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "0.pt").write_bytes(b"")
    save(tmp_path / "6.pt", units=7, epoch=6)
    (tmp_path / "notes.txt").write_text("nothing to see here")
    course = track(tmp_path)
    assert files(course) == ["1.pt", "2.pt", "4.pt", "5.pt"]
    told = {Path(gap.path).name: (gap.before, gap.reason) for gap in course.gaps}
    assert list(told) == ["0.pt", "3.pt", "6.pt"]
    assert [before for before, _ in told.values()] == [0, 2, 4]
    assert f"1 file is no checkpoint: {tmp_path / 'notes.txt'}" in course.notes
    assert "damaged" in told["3.pt"][1]
    assert told["6.pt"][1] == "its recurrent layers are others"
    assert course.exit_code == 0


def test_what_lies_beside_the_checkpoints_is_no_gap(tmp_path: Path) -> None:
    for k in (1, 2, 4):
        save(tmp_path / f"{k}.pt", epoch=k)
    (tmp_path / "3.pt").write_text("no more a checkpoint, but called as one")
    for name, text in (("notes.txt", "fine"), ("config.json", "{}"), ("run.csv", "a,b")):
        (tmp_path / name).write_text(text)
    course = track(tmp_path)
    assert [Path(gap.path).name for gap in course.gaps] == ["3.pt"]
    (note,) = [own for own in course.notes if "no checkpoint" in own]
    assert note.startswith("3 files are no checkpoints: ")
    assert note.endswith("run.csv")


def test_a_layer_of_another_shape_is_said(tmp_path: Path) -> None:
    def net(units: int) -> dict[str, torch.Tensor]:
        parts = {"a": nn.LSTM(3, 4), "b": nn.GRU(3, units)}
        return {f"{k}.{n}": t for k, own in parts.items() for n, t in own.state_dict().items()}

    for k in (1, 2, 3):
        torch.save(net(9 if k == 2 else 5), tmp_path / f"{k}.pt")
    course = track(tmp_path)
    assert [point.layers["b/forward"].norms.kernel is None for point in course.points] == [
        *(False, True, False)
    ]
    assert f"{tmp_path / '2.pt'} lacks b/forward, or has it in another shape" in course.notes


def test_a_file_named_twice_counts_once_and_a_copy_is_said(tmp_path: Path) -> None:
    one, two = (save(tmp_path / f"{k}.pt", epoch=k) for k in (1, 2))
    assert files(track(one, two, one, tmp_path)) == ["1.pt", "2.pt"]
    copy = save(tmp_path / "best.pt", epoch=2)
    course = track(tmp_path)
    assert files(course) == ["1.pt", "2.pt", "best.pt"]
    assert f"{two} and {copy} tell the same epoch, 2" in course.notes


@pytest.mark.parametrize("norms_only", [True, False])
def test_one_checkpoint_is_no_series(tmp_path: Path, norms_only: bool) -> None:
    path = save(tmp_path / "1.pt")
    with pytest.raises(BadOption, match="needs 2 checkpoints") as caught:
        track(path, path, norms_only=norms_only)
    assert "pattern in quotes" in caught.value.hint


def test_one_run_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays of a checkpoint is its report: the arrays of the probe are let go."""
    import gc
    import weakref

    alive: list[weakref.ref[Any]] = []
    inspect = pipeline.inspect

    def watched(*arguments: Any) -> Any:
        gc.collect()
        assert [ref for ref in alive if ref() is not None] == []
        found = inspect(*arguments)
        alive.append(weakref.ref(found.run))
        return found

    monkeypatch.setattr(pipeline, "inspect", watched)
    for k in (1, 2, 3):
        save(tmp_path / f"{k}.pt")
    track(tmp_path, norms_only=False)
    assert len(alive) == 3


# ---------------------------------------------------------------- what the probe cannot be run on


def fail_on(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    """Let the probe not fit some of the files; returns the names of those it is run on."""
    inspect, ran = pipeline.inspect, []

    def picky(path: str, *more: Any) -> Any:
        ran.append(Path(path).name)
        if ran[-1] in names:
            raise BadProbe(f"{path}: the probe does not fit", "give another")
        return inspect(path, *more)

    monkeypatch.setattr(pipeline, "inspect", picky)
    return ran


def test_what_cannot_be_run_keeps_its_norms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k in (1, 2, 3):
        save(tmp_path / f"{k}.pt", float(k))
    fail_on(monkeypatch, "2.pt", "3.pt")
    course = track(tmp_path, norms_only=False)
    assert [point.judged for point in course.points] == ["all", "none", "none"]
    assert course.points[1].reason == "the probe does not fit"
    assert course.points[2].layers["lstm/forward"].norms.kernel == pytest.approx(3 * 48**0.5)
    assert course.points[2].layers["lstm/forward"].reach is None
    assert course.report.checkpoint.path == str(tmp_path / "1.pt")
    assert f"judged is {tmp_path / '1.pt'}, the last that could be run" in course.notes
    assert course.report.series is not None
    assert len(course.report.series.checkpoints) == 1


def test_the_last_that_can_be_run_is_looked_for_from_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k in (1, 2, 3):
        save(tmp_path / f"{k}.pt")
    ran = fail_on(monkeypatch, "3.pt")
    course = track(tmp_path)
    assert ran == ["3.pt", "2.pt"]
    assert [point.judged for point in course.points] == ["series", "all", "none"]


@pytest.mark.parametrize("norms_only", [True, False])
def test_a_probe_that_fits_none_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, norms_only: bool
) -> None:
    for k in (1, 2):
        save(tmp_path / f"{k}.pt")
    fail_on(monkeypatch, "1.pt", "2.pt")
    with pytest.raises(BadProbe, match=r"1\.pt: the probe does not fit"):
        track(tmp_path, norms_only=norms_only)


# ---------------------------------------------------------------- prefixes


def test_a_prefix_knows_nothing_of_what_came_later() -> None:
    series = checkpoints((1, 2, 3), (4, 5, 6), (7, 8, 9))
    assert prefix(series, 2) == checkpoints((1, 2), (4, 5), (7, 8))
    assert prefix(series, 3) == series
    assert prefix(checkpoints((1, 2), (4, 5)), 1).layers["lstm/forward"].bias == ()


def judged(series: Series, **changes: Any) -> Report:
    made = trained(decayed(1e-3, 1e-3, 0.0), healthy_layer(**changes), series=series)
    return judging.judge(made, Policy())


def held(bias: tuple[float, ...]) -> list[bool]:
    """At which prefixes of a hand-made series RNN304 is found."""
    series = checkpoints((8,) * len(bias), (10,) * len(bias), bias)
    seen = seen_on_series(series, len(bias), Case(), judged(series))
    return [any(own.rule == "RNN304" for own in it.findings) for it in seen]


def test_the_rule_is_asked_of_every_prefix() -> None:
    """Biases count from three checkpoints on, and above twice their first norm."""
    assert held((1, 3, 3, 3)) == [False, False, True, True]
    assert held((1, 1, 2, 2.1, 1.9, 2.5)) == [False, False, False, True, False, True]
    assert held((0, 1, 1, 2.1)) == [False, False, False, True]


def test_what_rests_on_the_last_weights_is_not_told_of_earlier_ones() -> None:
    """A huge weight in the last checkpoint says nothing of the first."""
    series = checkpoints((8, 7, 6), (10, 9, 8), (1, 1, 1))
    report = judged(series)
    assert report.judgement is not None
    low = Case(policy=Policy(thresholds={"RNN305": {"largest": 0.01}}))
    (seen, *_) = seen_on_series(series, 3, low, report)
    assert seen.findings == ()
    again = judging.judge(report, low.policy).judgement
    assert again is not None
    (huge,) = (own for own in again.findings if own.rule == "RNN305")
    assert "largest weight" in huge.message


def test_rules_that_are_not_chosen_are_not_asked() -> None:
    series = checkpoints((8, 8, 8), (10, 10, 10), (1, 3, 3))
    without = Case(policy=Policy(ignore=("RNN304",)))
    last = seen_on_series(series, 3, without, judged(series))[-1]
    assert [own.rule for own in last.findings] == ["RNN305"]
    none = Case(policy=Policy(select=("RNN1",)))
    assert [own.judged for own in seen_on_series(series, 3, none, judged(series))] == ["none"] * 3


# ---------------------------------------------------------------- since when


def finding(rule: str = "RNN304", layer: str = "lstm") -> Finding:
    return Finding(
        rule=rule,
        name="rule",
        severity="warning",
        confidence="high",
        message="",
        layer=layer,
        evidence={"checkpoints": 3} if rule == "RNN304" else {},
    )


PASSED = (Passed(rule="RNN304", name="rule", layer="lstm"),)
YES = Seen(judged="all", findings=(finding(),))
NO = Seen(judged="all", passed=PASSED)
ELSEWHERE = Seen(judged="all", findings=(finding(layer="other"),), passed=PASSED)
SKIPPED = Seen(judged="all")
GAP = Seen(judged="none")
SERIES = Seen(judged="series", findings=(finding(),))
SERIES_NO = Seen(judged="series", passed=PASSED)


@pytest.mark.parametrize(
    ("followed", "expected"),
    [
        ([YES, YES, YES], 0),
        ([NO, YES, YES], 1),
        ([YES, NO, YES], 2),
        ([NO, YES, GAP, YES], 1),
        ([NO, YES, SKIPPED, YES], 1),
        ([SKIPPED, SKIPPED, YES], 2),
        ([NO, GAP, YES], 2),
        ([ELSEWHERE, YES], 1),
        ([SERIES_NO, SERIES, SERIES, YES], 1),
        ([GAP, YES], None),
        ([YES], 0),
    ],
)
def test_since_the_first_from_which_it_held(followed: list[Seen], expected: int | None) -> None:
    (told,) = _since.lasting(followed, len(followed) - 1)
    assert told.since == expected


def test_a_rule_that_was_not_asked_before_has_no_beginning() -> None:
    last = Seen(judged="all", findings=(finding("RNN103"),))
    (told,) = _since.lasting([SERIES, SERIES, last], 2)
    assert told.since is None


# ---------------------------------------------------------------- growth


def test_the_rate_of_an_exponential_is_its_exponent() -> None:
    grown = growth([(t, 3 * math.exp(0.25 * t)) for t in (0.0, 1.0, 5.0, 6.0)])
    assert grown.rate == pytest.approx(0.25)
    assert grown.factor == pytest.approx(math.exp(1.5))


def test_the_rate_is_the_median_of_the_slopes() -> None:
    """Of the pairs (0, 1), (0, 3), (1, 3): ln 2, ln 2 / 3, 0."""
    assert growth([(0, 1.0), (1, 2.0), (3, 2.0)]).rate == pytest.approx(math.log(2) / 3)


@pytest.mark.parametrize("pairs", [[(1.0, 2.0)], [(1.0, 2.0), (1.0, 3.0)]])
def test_a_single_moment_has_no_rate(pairs: list[tuple[float, float]]) -> None:
    assert growth(pairs).rate is None


def test_a_long_run_is_thinned() -> None:
    grown = growth([(float(t), math.exp(0.001 * t)) for t in range(5000)])
    assert grown.rate == pytest.approx(0.001)
    assert grown.last == pytest.approx(math.exp(4.999))


def test_nothing_grows_from_zero_and_what_is_not_finite_is_left_out(tmp_path: Path) -> None:
    for k, scale in enumerate((0.0, 1.0, float("nan"), 2.0)):
        save(tmp_path / f"{k}.pt", scale)
    grown = track(tmp_path).layers[0].growth["kernel"]
    assert (grown.first, grown.last) == pytest.approx((48**0.5, 2 * 48**0.5))
    assert grown.rate == pytest.approx(math.log(2) / 2)


def test_progress_never_goes_back(tmp_path: Path) -> None:
    for k in (1, 2, 3):
        save(tmp_path / f"{k}.pt")
    for norms_only in (True, False):
        heard: list[float] = []
        tracking.track(
            [str(tmp_path)],
            Case(options=FAST),
            norms_only=norms_only,
            progress=lambda what, done, heard=heard: heard.append(done),  # type: ignore[misc]
        )
        assert heard == sorted(heard)
        assert 0 <= heard[0] <= heard[-1] <= 1


def test_judged_with_what_is_known(tmp_path: Path) -> None:
    """Evidence and policy are those of `advise`, the lag among them."""
    course = tracking.track(
        [str(RUN)],
        replace(Case(options=FAST), policy=Policy(lag=99, fail_on="note")),
        norms_only=True,
    )
    assert course.lag == 99
    assert course.exit_code == 1
