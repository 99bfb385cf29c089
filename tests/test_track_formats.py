"""What is written of a training run, in every format."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from rule_reports import report as healthy
from rule_reports import span
from training_courses import KEY, OUTGROWS, course, found, gap, layer, point

from rnndiag import figures, registry
from rnndiag.figures.base import Picture
from rnndiag.figures.training import losses
from rnndiag.measurements.unit_activity import UnitActivity
from rnndiag.outputs.words import courses as words
from rnndiag.publishing import course as pages
from rnndiag.records import Course, Growth, History, Lasting, LayerCourse, Norms
from rnndiag.tracking._regressions import between_ends

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = json.loads((resources.files("rnndiag.outputs.courses") / "schema.json").read_text("utf-8"))
REPORT = json.loads((resources.files("rnndiag.outputs.reports") / "schema.json").read_text("utf-8"))


def render(name: str, made: Course, *, verbose: bool = False, color: bool = False) -> str:
    text: str = registry.modules("rnndiag.outputs.courses")[name].render(
        made, width=80, color=color, verbose=verbose
    )
    return text


def rows(made: Course) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render("csv", made))))


# ---------------------------------------------------------------- CSV


def test_csv_is_as_it_was() -> None:
    points = [*course().points, point(3, None, reach=None, dead=None)]
    points[2] = replace(points[2], judged="none", said=(), reason="the probe does not fit")
    gaps = (gap(1), gap(None, "run/notes.txt", "no checkpoint,\nit says"))
    made = course(points, gaps=gaps)
    assert render("csv", made) == (GOLDEN / "track.csv").read_text(encoding="utf-8")


def test_csv_has_the_place_of_each_gap() -> None:
    gaps = (gap(0, "a"), gap(3, "z"), gap(2, "m"), gap(None, "notes.txt"))
    paths = [row["path"] for row in rows(course(gaps=gaps))]
    epochs = [f"run/epoch-{k}.pt" for k in (1, 2, 3)]
    assert paths == ["a", *epochs[:2], "m", epochs[2], "z", "notes.txt"]


def test_csv_of_names_has_neither_epoch_nor_step() -> None:
    found = rows(course(axis="checkpoint"))
    assert {row["epoch"] for row in found} == {row["step"] for row in found} == {""}


def test_csv_counts_findings_only_where_all_rules_were_asked() -> None:
    points = [replace(own, judged="series") for own in course().points[:-1]]
    made = course([*points, course().points[-1]])
    assert [row["warnings"] for row in rows(made)] == ["", "", "1"]


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize("changes", [{}, {"gaps": (gap(1), gap(None))}, {"axis": "checkpoint"}])
def test_json_follows_the_schema(changes: dict) -> None:
    data = json.loads(render("json", course(**changes)))
    Draft202012Validator(SCHEMA).validate(data)
    Draft202012Validator(REPORT).validate(data["last"])
    assert data["findings"][0]["since"] == {"checkpoint": 1, "path": "run/epoch-2.pt", "step": 2}
    assert data["layers"][0]["growth"]["bias"]["factor"] == 4


def test_the_schema_knows_every_key() -> None:
    data = json.loads(render("json", course()))
    del data["checkpoints"][0]["layers"][KEY]["norms"]["bias"]
    data["checkpoints"][1]["more"] = 1
    assert len(list(Draft202012Validator(SCHEMA).iter_errors(data))) == 2


def test_numbers_that_json_has_not_are_null() -> None:
    broken = point(1, norms=Norms(kernel=float("nan"), recurrent=float("inf")))
    data = json.loads(render("json", course([point(0), broken])))
    told = data["checkpoints"][1]["layers"][KEY]["norms"]
    assert told == {"kernel": None, "recurrent": None, "bias": None}


# ---------------------------------------------------------------- table and Markdown


def test_table_tells_each_quantity_from_first_to_last() -> None:
    text = render("table", course())
    bias = next(line for line in text.splitlines() if line.startswith("‖b‖"))
    # Norms share a scale of logarithms from 0.5 to 8: 1 is a quarter up, 2 is half up.
    assert bias.split() == ["‖b‖", "0.50", "▁▃▅", "2.00", "×", "4", "+100", "%"]
    assert "12" in next(line for line in text.splitlines() if line.startswith("span of 20"))
    assert "never any: dead units" in text
    assert "warning RNN304 bias-outgrows-kernels, lstm →, from epoch 2 on (epoch-2.pt)" in text
    assert max(map(len, text.splitlines())) <= 80


def test_verbose_tells_what_came_and_went() -> None:
    last = replace(course().points[2], said=(), gone=(OUTGROWS,))
    made = course([*course().points[:2], last])
    assert "epoch 2: new RNN304 bias-outgrows-kernels lstm →" in render("table", made, verbose=True)
    assert "epoch 3: gone RNN304" in render("table", made, verbose=True)
    assert "gone" not in render("table", made)


@pytest.mark.parametrize("name", ["table", "markdown"])
def test_a_censored_span_is_a_bound_and_gaps_are_said(name: str) -> None:
    points = [point(0), point(1, reach=replace(point(0).layers[KEY].reach, censored=True))]
    text = render(name, course(points, gaps=[gap(k, f"{k}.pt") for k in range(9)]))
    assert "≥ 12" in text
    assert "left out: 0.pt: damaged" in text
    assert "4 more files" in text


def test_notes_that_no_series_led_to_wait_for_verbose() -> None:
    note = found(replace(OUTGROWS, rule="RNN410", severity="note", name="other"), evidence={})
    made = course(findings=(*course().findings, Lasting(finding=note, since=None)))
    for name in ("table", "markdown"):
        assert "RNN410" not in render(name, made)
        assert "1 more note" in render(name, made)
        assert "RNN410" in render(name, made, verbose=True)


def test_markdown_cannot_be_broken_out_of() -> None:
    points = [replace(own, path="run/a|b<script>.pt") for own in course().points]
    made = course(points, notes=("see <script>",), axis="checkpoint")
    assert "<script>" not in render("markdown", made).replace("`", "")


def test_an_empty_course_of_numbers_is_still_told() -> None:
    """Weights that are not finite at any checkpoint."""
    points = [point(k, None, norms=Norms(), reach=None, extreme=None, stuck=None) for k in (0, 1)]
    made = course(points, growth={})
    for name in ("table", "markdown", "csv", "json"):
        assert render(name, made)
    assert pages.page(made, ()).sections


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("rate", "told"),
    [(0.6931471805599453, "+100 %"), (0.0, "+0 %"), (-900.0, "-100 %"), (900.0, "> 1e+20 %")],
)
def test_rates_are_percentages(rate: float, told: str) -> None:
    assert words.rate(course(), Growth(first=1, last=2, rate=rate)) == told


def test_rates_of_long_runs_are_told_for_a_piece_of_them() -> None:
    points = [replace(point(k), step=k * 10_000.0) for k in range(3)]
    made = course(points, axis="step")
    assert words.per(made) == (1000, "1,000 steps")
    assert words.rate(made, Growth(first=1, last=2, rate=1e-5)) == "+1.01 %"


def test_a_single_moment_has_no_rate() -> None:
    points = [replace(point(k), step=1.0) for k in range(2)]
    assert words.per(course(points)) == (1.0, "epoch")
    assert words.rate(course(points), Growth(first=1, last=1, rate=None)) == "–"


@pytest.mark.parametrize(
    ("since", "told"),
    [(None, ""), (0, "from the first on"), (2, "from epoch 3 on (epoch-3.pt)")],
)
def test_since_when(since: int | None, told: str) -> None:
    assert words.since(course(), Lasting(finding=found(), since=since)) == told


def test_checkpoints_that_names_order_are_called_by_name() -> None:
    made = course(axis="checkpoint")
    assert words.since(made, Lasting(finding=found(), since=1)) == "from epoch-2.pt on"
    assert words.extent(made) == "3 checkpoints, epoch-1.pt to epoch-3.pt"


def test_what_got_worse_is_told_without_a_finding() -> None:
    """Between the first and the last that were run: one between may be a gap."""
    seen = [layer(measurements={"gradient_span": span(span=k)}) for k in (16, 6)]
    first, last = (healthy(own) for own in seen)
    worse = between_ends([first, None, last], None)
    made = course(regressions=worse)
    told = "lstm →: span fell from 16 to 6 timesteps between epoch 1 and 3"
    assert list(words.regressions(made)) == [told]
    for name in ("table", "markdown"):
        assert told in render(name, made).replace("\\", "")
    written = json.loads(render("json", made))["regressions"]
    Draft202012Validator(SCHEMA["properties"]["regressions"]).validate(written)
    (data,) = written
    assert (data["name"], data["before"], data["after"]) == ("span", 16, 6)
    assert (data["first"], data["last"]) == (0, 2)
    page = pages.page(made, ())
    assert (told,) in [section.points for section in page.sections]
    assert between_ends([last, first], None) == ()
    assert between_ends([None, first], None) == ()


def test_shares_that_rose_are_told_without_an_axis() -> None:
    dead = [replace(healthy_units(), dead_share=own) for own in (0.0, 0.25)]
    reports = [healthy(layer(measurements={"unit_activity": own})) for own in dead]
    made = course(regressions=between_ends(reports, None), axis="checkpoint")
    (told,) = words.regressions(made)
    assert told == "lstm →: dead units rose from 0 % to 25 % between epoch-1.pt and epoch-2.pt"


def healthy_units() -> UnitActivity:
    found = layer().measurements["unit_activity"]
    assert isinstance(found, UnitActivity)
    return found


def test_losses_are_shown_where_a_history_tells_of_them() -> None:
    history = History(
        source="run.csv", epochs=(1.0, 2.0), train=(1.0, 0.5), validation=(1.0, 0.75), axis="epoch"
    )
    made = course()
    assert list(figures.draw(losses, made)) == []
    told = replace(made, report=replace(made.report, history=history))
    (picture,) = figures.draw(losses, told)
    assert isinstance(picture, Picture)
    assert picture.layer is None


def test_the_page_has_findings_layers_and_gaps() -> None:
    own = LayerCourse(key=KEY, layer=layer(), growth=course().layers[0].growth)
    page = pages.page(course(layers=(own,), gaps=(gap(1),)), (), ("a figure broke",))
    assert [section.title for section in page.sections] == [
        "Findings at the last checkpoint",
        "lstm →",
        "Over the run",
        "To keep in mind",
    ]
    assert page.sections[0].tables[0].rows == (
        ("RNN304 lstm/forward", "from epoch 2 on (epoch-2.pt)", "warning: bias-outgrows-kernels"),
    )
    assert page.sections[3].points[-1] == "a figure broke"
    assert page.verdict == "1 warning at the last checkpoint"
