"""A report that was printed as JSON comes back as it was, or one message says why not."""

from __future__ import annotations

import copy
import functools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
import rule_reports as made
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnndiag import judging, pipeline
from rnndiag.errors import RnndiagError, UnreadableCheckpoint
from rnndiag.measurements.gate_activity import GateActivity
from rnndiag.measurements.timescale import Timescale
from rnndiag.outputs.reports import json as output
from rnndiag.records import (
    Failed,
    Finding,
    History,
    InputScale,
    Judgement,
    LayerSettings,
    NotJudged,
    Options,
    Outcome,
    Passed,
    Policy,
    Report,
    Series,
    Setting,
    Settings,
    Skipped,
    Surrounding,
    TrainingFact,
    Unread,
    WeightSizes,
)
from rnndiag.saved import _json
from rnndiag.saved import reports as saved_reports

SAMPLES = Path(__file__).parents[2] / "samples"
CHECKPOINTS = sorted(p for p in SAMPLES.iterdir() if p.suffix in (".h5", ".pt", ".ckpt"))
Saved = Callable[[Any], Path]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """A file of plain data, or of what ``--format json`` prints for reports."""

    def save(data: Any) -> Path:
        path = tmp_path / "report.json"
        reports = isinstance(data, (Report, Outcome))
        path.write_text(printed(data) if reports else json.dumps(data), encoding="utf-8")
        return path

    return save


def printed(what: Report | Outcome) -> str:
    outcome = Outcome(reports=(what,)) if isinstance(what, Report) else what
    return output.render(outcome, width=80, color=False, verbose=False)


def data_of(report: Report) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(printed(report))
    return data


def facts(report: Report) -> list[dict[str, Any]]:
    """Measurements as values that can be compared: gates by name have no equality."""
    return [
        {
            name: dict(fact) if isinstance(fact, Mapping) else fact
            for name, fact in layer.measurements.items()
        }
        for layer in report.layers
    ]


def complaint(path: Path) -> str:
    with pytest.raises(UnreadableCheckpoint) as caught:
        saved_reports.read(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert caught.value.hint
    return caught.value.message.removeprefix(f"{path}: ")


# ---------------------------------------------------------------- there and back


@functools.cache
def diagnosed(sample: Path) -> Report:
    probe = sample.with_suffix(".probe.npz")
    return pipeline.diagnose(str(sample), Options(probe=str(probe), loss="mean_square"))


@pytest.mark.parametrize("sample", CHECKPOINTS, ids=lambda path: path.name)
def test_samples_come_back_with_the_same_facts(sample: Path, saved: Saved) -> None:
    report = diagnosed(sample)
    (back,) = saved_reports.read(saved(report))
    assert facts(back) == facts(report)
    assert printed(back) == printed(report)


@pytest.mark.parametrize("sample", CHECKPOINTS, ids=lambda path: path.name)
def test_samples_get_the_same_judgement_again(sample: Path, saved: Saved) -> None:
    judged = judging.judge(diagnosed(sample), Policy())
    (back,) = saved_reports.read(saved(judged))
    again = judging.judge(back, Policy())
    assert again.judgement == judged.judgement
    assert again.exit_code == judged.exit_code


def full() -> Report:
    """A report with something in every place."""
    rate = Setting(value=1e-3, source="config")
    sizes = WeightSizes(kernel=(1.0, None), recurrent=(2.0, 3.0), bias=())
    return replace(
        made.report(made.layer(), made.layer("GRU", id="gru_1", direction="backward", call=2)),
        probe=replace(
            made.report().probe,
            loss=0.25,
            inputs=(InputScale(means=(0.5, -1.0), deviations=(1.0, 0.0), largest=(2.0, 7.0)),),
        ),
        network=(Surrounding(name="drop", kind="Dropout", arguments={"rate": 0.3}),),
        training=(
            TrainingFact(name="betas", value=[0.9, 0.999], source="optimizer"),
            TrainingFact(name="l2", value=1e-4, layer="lstm", parameter="lstm/kernel", source="x"),
        ),
        history=History(
            source="run.csv",
            epochs=(1.0, 2.0),
            axis="epoch",
            train=(1.5, None),
            validation=(),
            train_column="loss",
            notes=("short",),
        ),
        series=Series(
            checkpoints=("a.pt", "b.pt"), steps=(None, 2.0), layers={"lstm/forward": sizes}
        ),
        settings=Settings(
            optimizer=Setting(value="AdamW", source="context"),
            split=Setting(value=(0.8, 0.1, 0.1), source="context"),
            decoupled=Setting(value=True, source="context"),
            conflicts=("two rates",),
            layers={
                "lstm": LayerSettings(kernel_decay=rate, stateful=Setting(value=False, source=""))
            },
        ),
        notes=("a note",),
    )


def test_every_record_of_a_report_comes_back_equal(saved: Saved) -> None:
    report = full()
    (back,) = saved_reports.read(saved(report))
    assert facts(back) == facts(report)
    assert strip(back) == strip(report)


def strip(report: Report) -> Report:
    return replace(report, layers=tuple(replace(layer, measurements={}) for layer in report.layers))


def test_an_endless_timescale_is_infinite_again(saved: Saved) -> None:
    endless = Timescale(p10=0.0, p50=inf, p90=inf)
    report = made.report(made.layer(measurements={"timescale": endless}))
    path = saved(report)
    assert '"p50": null' in path.read_text(encoding="utf-8")
    assert facts(saved_reports.read(path)[0])[0]["timescale"] == endless


def test_null_that_means_none_stays_none(saved: Saved) -> None:
    flat = made.span(half_life=None, log10_profile=(0.0, None), by_seed=(None,))
    report = made.report(made.layer(measurements={"gradient_span": flat}))
    assert facts(saved_reports.read(saved(report))[0])[0]["gradient_span"] == flat


def test_gates_are_what_the_measurement_makes(saved: Saved) -> None:
    (back,) = saved_reports.read(saved(made.report()))
    gates = back.layers[0].measurements["gate_activity"]
    assert type(gates) is GateActivity
    assert list(gates) == list(made.GATES)


def test_missing_measurements_keep_their_own_reason(saved: Saved) -> None:
    """Of two directions and two calls of one layer, each has its own."""
    places: list[dict[str, Any]] = [
        {"direction": "forward"},
        {"direction": "backward"},
        {"direction": "forward", "call": 1},
    ]
    missing = [Skipped(reason="a"), Failed(reason="b"), Skipped(reason="c")]
    layers = [
        made.layer(measurements={"lyapunov": gap}, **place)
        for gap, place in zip(missing, places, strict=True)
    ]
    (back,) = saved_reports.read(saved(made.report(*layers)))
    read = [layer.measurements["lyapunov"] for layer in back.layers]
    assert read == missing
    assert [type(gap) for gap in read] == [Skipped, Failed, Skipped]


def test_a_missing_measurement_without_a_reason_is_skipped(saved: Saved) -> None:
    data = data_of(made.report(made.layer(measurements={"lyapunov": Skipped(reason="x")})))
    data["skipped"] = []
    assert facts(saved_reports.read(saved(data))[0])[0]["lyapunov"] == Skipped(
        reason="the report does not say why"
    )


def judged() -> Report:
    where: dict[str, Any] = {"rule": "RNN999", "name": "gone-rule", "layer": "lstm"}
    judgement = Judgement(
        findings=(Finding(**where, severity="error", confidence="high", message="bad"),),
        passed=(Passed(**where),),
        skipped=(NotJudged(**where, reason="no lag"),),
    )
    return replace(made.report(), judgement=judgement, exit_code=1)


def test_what_was_judged_is_left_out(saved: Saved) -> None:
    (back,) = saved_reports.read(saved(judged()))
    assert back.judgement is None
    assert back.exit_code == 0
    assert facts(back) == facts(made.report())


def test_a_broken_judgement_is_no_error(saved: Saved) -> None:
    data = data_of(judged())
    data.update(findings=3, passed=None, judged="?", judgement=[], exit_code="x")
    assert saved_reports.read(saved(data))[0].judgement is None


def test_a_report_in_which_nothing_was_analysed_keeps_its_status(saved: Saved) -> None:
    report = made.report(made.layer(analysed=False, reason="unknown cell", measurements={}))
    (back,) = saved_reports.read(saved(replace(report, exit_code=3)))
    assert back.exit_code == 3


def test_several_reports_come_back_with_what_was_unread(saved: Saved) -> None:
    reports = (full(), judged())
    unread = (Unread(path="c.pt", message="c.pt: is no checkpoint", hint="try"),)
    path = saved(Outcome(reports=reports, unread=unread))
    back = saved_reports.read_outcome(path)
    assert back.unread == unread
    for reports_read in (back.reports, saved_reports.read(path)):
        assert [facts(report) for report in reports_read] == [facts(report) for report in reports]
        assert [strip(report) for report in reports_read] == [strip(full()), strip(made.report())]


def test_unknown_keys_are_ignored(saved: Saved) -> None:
    data = data_of(full())
    data["future"] = {"deep": [1]}
    data["layers"][0]["future"] = 1
    data["layers"][0]["measurements"]["future"] = {"x": 1}
    data["layers"][0]["measurements"]["timescale"]["p99"] = 1.0
    (back,) = saved_reports.read(saved(data))
    assert facts(back) == facts(full())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_what_a_shell_redirected_can_be_read(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(printed(made.report()), encoding=encoding)
    assert saved_reports.recognises(path)
    assert facts(saved_reports.read(path)[0]) == facts(made.report())


def test_reading_imports_no_framework(saved: Saved) -> None:
    path = saved(full())
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from rnndiag.saved import reports as saved_reports\n"
        f"path = Path({str(path)!r})\n"
        "assert saved_reports.recognises(path)\n"
        "assert saved_reports.read(path)[0].layers[0].measurements['timescale'].p50 == 3\n"
        "heavy = {'torch', 'h5py', 'matplotlib', 'safetensors', 'keras'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- what is a report


@pytest.mark.parametrize("sample", CHECKPOINTS, ids=lambda path: path.name)
def test_checkpoints_are_no_reports(sample: Path) -> None:
    assert not saved_reports.recognises(sample)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n",
        b"[]",
        b'[{"schema_version": 1, "layers": []}]',
        b'{"schema_version": 1}',
        b'{"class_name": "Functional", "config": {"layers": []}}',
        b'{"baseline_version": 1, "checkpoints": {}}',
        b"\x7b\0\0\0\0\0\0\0" + b'{"weight": {"dtype": "F32"}}',
        b"PK\x03\x04",
    ],
)
def test_other_files_are_no_reports(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert not saved_reports.recognises(path)


def test_folders_and_missing_files_are_no_reports(tmp_path: Path) -> None:
    assert not saved_reports.recognises(tmp_path)
    assert not saved_reports.recognises(tmp_path / "missing.json")


def test_reports_are_recognised_in_any_order_of_keys_and_when_cut_short(saved: Saved) -> None:
    data = data_of(full())
    path = saved(dict(sorted(data.items())))
    assert saved_reports.recognises(path)
    assert saved_reports.read(path)
    path = saved(Outcome(reports=(full(), full())))
    assert saved_reports.recognises(path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: len(text) // 2], encoding="utf-8")
    assert saved_reports.recognises(path)
    assert complaint(path).startswith("is no JSON: ")


# ---------------------------------------------------------------- bad files


def at(data: Any, *keys: Any) -> Any:
    for key in keys:
        data = data[key]
    return data


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["schema_version"], 2, "was written by a newer rnndiag: schema 2"),
        (["schema_version"], "1", "$.schema_version: expected `int`, got `str`"),
        (["schema_version"], True, "$.schema_version: expected `int`, got `bool`"),
        (["layers"], {}, "$.layers: expected `array`, got `object`"),
        (["layers", 1], [], "$.layers[1]: expected `object`, got `array`"),
        (["layers", 1, "index"], "0", "$.layers[1].index: expected `int`, got `str`"),
        (["layers", 0, "direction"], "up", "$.layers[0].direction: invalid enum value 'up'"),
        (
            ["layers", 1, "measurements", "gradient_span", "span"],
            2.5,
            "$.layers[1].measurements.gradient_span.span: expected `int`, got `float`",
        ),
        (
            ["layers", 1, "measurements", "gate_activity"],
            [1],
            "$.layers[1].measurements.gate_activity: expected `object`, got `array`",
        ),
        (
            ["layers", 0, "measurements", "timescale"],
            7,
            "$.layers[0].measurements.timescale: expected `object`, got `int`",
        ),
        (["checkpoint", "path"], None, "$.checkpoint.path: expected `str`, got `null`"),
        (["probe", "source"], 1, "$.probe.source: expected `str`, got `int`"),
        (["skipped"], {}, "$.skipped: expected `array`, got `object`"),
        (
            ["settings", "optimizer", "value"],
            3,
            "$.settings.optimizer.value: expected `str`, got `int`",
        ),
    ],
)
def test_ill_typed_keys_are_named(keys: list[Any], value: Any, message: str, saved: Saved) -> None:
    data = data_of(full())
    at(data, *keys[:-1])[keys[-1]] = value
    assert complaint(saved(data)) == message


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["schema_version"], "$.schema_version: expected `int`, got `null`"),
        (["layers"], "$: object missing required field `layers`"),
        (["checkpoint"], "$: object missing required field `checkpoint`"),
        (["layers", 1, "hidden_size"], "$.layers[1]: object missing required field `hidden_size`"),
        (
            ["layers", 0, "measurements", "timescale", "p90"],
            "$.layers[0].measurements.timescale: object missing required field `p90`",
        ),
    ],
)
def test_missing_keys_are_named(keys: list[Any], message: str, saved: Saved) -> None:
    data = data_of(full())
    del at(data, *keys[:-1])[keys[-1]]
    assert complaint(saved(data)) == message


def test_keys_are_named_in_one_of_several_reports(saved: Saved) -> None:
    data = json.loads(printed(Outcome(reports=(full(), full()))))
    data["reports"][1]["layers"][0]["measurements"]["lyapunov"]["top"] = "x"
    place = "$.reports[1].layers[0].measurements.lyapunov.top"
    assert complaint(saved(data)) == f"{place}: expected `float`, got `str`"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "does not hold a JSON object"),
        (None, "does not hold a JSON object"),
        ({"schema_version": 1, "reports": []}, "holds no report"),
        ({"schema_version": 1, "reports": {}}, "$.reports: expected `array`, got `object`"),
        ({"schema_version": 1, "reports": [1]}, "$.reports[0]: expected `object`, got `int`"),
        ({"schema_version": 99, "reports": 0}, "was written by a newer rnndiag: schema 99"),
    ],
)
def test_files_of_another_shape(data: Any, message: str, saved: Saved) -> None:
    assert complaint(saved(data)) == message


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": 1, "layers": [', "{'a': 1}", "\0"])
def test_broken_json_is_one_message(text: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    assert complaint(path).startswith("is no JSON: ")


def test_bytes_that_are_no_text_are_one_message(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b'{"schema_version": 1, "layers": "\xff\xfe\xff"}')
    assert complaint(path).startswith("is no JSON: ")


@pytest.mark.parametrize("levels", [100, 900, 100_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a": ', "}")])
def test_deep_nesting_is_one_message(levels: int, begin: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    inner = begin * levels + "1" + end * levels
    path.write_text(f'{{"schema_version": 1, "layers": [], "x": {inner}}}', encoding="utf-8")
    assert complaint(path) == "is nested too deeply"


def test_nesting_that_no_one_stumbles_over_is_read(saved: Saved) -> None:
    inner: Any = 1
    for _ in range(90):
        inner = [inner]
    report = made.report(made.layer(arguments={"x": inner}))
    (back,) = saved_reports.read(saved(report))
    assert printed(back) == printed(report)


def test_a_file_that_is_too_large_is_not_read(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(full())
    monkeypatch.setattr(_json, "LARGEST", 2**10)
    assert complaint(path) == "is larger than 0 MiB"


def test_long_numbers_are_one_message(saved: Saved, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(f'{{"schema_version": 1{"0" * 10_000}, "layers": []}}', encoding="utf-8")
    assert complaint(path).startswith(("is no JSON: ", "was written by a newer rnndiag"))


def test_a_missing_file_or_a_folder_is_one_message(tmp_path: Path) -> None:
    assert complaint(tmp_path / "missing.json") == "cannot be read: No such file or directory"
    assert complaint(tmp_path) == "cannot be read: Is a directory"


# ---------------------------------------------------------------- anything at all


def places(data: Any, keys: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The keys that lead to each value in some JSON."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items if isinstance(data, (dict, list)) else ():
        yield (*keys, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*keys, key))


WHOLE = data_of(full())
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3)
) | st.sampled_from([[], {}, [None], {"a": 1}, 10**400])


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.sampled_from(list(places(WHOLE))), junk=JUNK)
def test_any_one_wrong_value_is_read_or_refused(
    place: tuple[Any, ...], junk: Any, tmp_path: Path
) -> None:
    data = copy.deepcopy(WHOLE)
    at(data, *place[:-1])[place[-1]] = junk
    path = tmp_path / "report.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    answer = read_or_refusal(path)
    assert answer.startswith((f"{path}: ", "{"))


def read_or_refusal(path: Path) -> str:
    try:
        (back,) = saved_reports.read(path)
    except RnndiagError as error:
        return error.message
    return printed(back)
