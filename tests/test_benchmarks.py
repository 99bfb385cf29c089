"""The benchmarks' own machinery; nothing here depends on how long anything takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rnndiag import registry
from rnndiag.running import execution
from rnndiag.running.recording import Wanted
from tests.benchmarks import __main__ as command
from tests.benchmarks import machine, networks, peers, phase, processes, tables
from tests.benchmarks.contest import Contestant, Pace, Ratio, Times, alternate, ratio
from tests.benchmarks.figures import Effort, Figure, compared, left_out
from tests.benchmarks.networks import GATES, MEMORIES, SHAPES, Kind, Memory, Shape

ROWS = {
    "phase_lstm": "measurement phase / (a), (b), (d)",
    "phase_gru": "measurement phase / (d)",
    "phase_gru_reset_before": "measurement phase / (d)",
    "phase_simple_rnn": "measurement phase / (d)",
    "start_up": "inspect / import torch; --help / import click",
    "long_sequences": "T = 10,000 / T = 1,000",
    "longest_sequence": "peak memory at T = 100,000",
    "big_files": "peak memory on the 2 GB file",
    "sweep": "sweep of 1,000 small checkpoints",
    "sweep_on_dask": "sweep of 200 on Dask",
    "gpu": "GPU / cuDNN",
    "denormals": "what the figures on vanishing weights have to be read with",
}
"""The lines of what has to be shown, by the row that shows each."""


class World:
    """A clock that only contestants move, and what they did."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def contestant(self, name: str, *seconds: float, **more: object) -> Contestant:
        """One that takes these times in turn, the last of them again and again."""
        left = list(seconds)

        def run() -> None:
            self.log.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return Contestant(name=name, run=run, **more)  # type: ignore[arg-type]

    def clock(self) -> float:
        return self.now


# ---------------------------------------------------------------- contests


def test_contestants_take_turns_after_a_round_that_does_not_count() -> None:
    world = World()
    both = [world.contestant("a", 100, 1, 5, 2), world.contestant("b", 50, 10)]
    times = alternate(both, Pace(rounds=3), world.clock)
    assert world.log == ["a", "b"] * 4
    assert times["a"].rounds == {0: 1, 1: 5, 2: 2}
    assert times["a"].median == 2
    assert times["b"].median == 10


def test_an_even_number_of_rounds_has_its_median_in_between() -> None:
    assert Times({0: 1.0, 1: 2.0, 2: 4.0, 3: 9.0}).median == 3


@pytest.mark.parametrize(("seconds", "rounds"), [(1.0, 5), (2.0, 3), (100.0, 2)])
def test_a_slow_contestant_sits_out(seconds: float, rounds: int) -> None:
    world = World()
    entrants = [world.contestant("slow", seconds), world.contestant("quick", 0.1)]
    times = alternate(entrants, Pace(rounds=5, least=2, seconds=5.0), world.clock)
    assert len(times["slow"].rounds) == rounds
    assert len(times["quick"].rounds) == 5


def test_one_known_to_be_slow_has_rounds_of_its_own() -> None:
    world = World()
    times = alternate([world.contestant("k", 0.1, rounds=2)], Pace(), world.clock)
    assert len(times["k"].rounds) == 2


def test_what_stands_around_a_run_is_not_timed() -> None:
    world = World()

    @contextmanager
    def around() -> Iterator[None]:
        world.now += 1000
        world.log.append("in")
        yield
        world.log.append("out")

    times = alternate([world.contestant("a", 1, around=around)], Pace(rounds=1), world.clock)
    assert world.log == ["in", "a", "out"] * 2
    assert times["a"].rounds == {0: 1}


def test_a_ratio_is_of_medians_and_its_reach_of_shared_rounds() -> None:
    found = ratio(Times({0: 2.0, 1: 4.0, 2: 9.0}), Times({0: 1.0, 1: 8.0}))
    assert found == Ratio(value=4 / 4.5, quickest=2.0, low=0.5, high=2.0)


# ---------------------------------------------------------------- figures


@pytest.mark.parametrize(
    ("value", "quickest", "reached"),
    [(1.0, 1.0, True), (1.1, 0.9, False), (0.9, 1.1, False), (None, 0.0, None)],
)
def test_a_target_is_reached_by_medians_and_by_quickest_runs(
    value: float | None, quickest: float, reached: bool | None
) -> None:
    spread = Ratio(value=0, quickest=quickest, low=0, high=0)
    figure = Figure(what="", against="", value=value, target=1.0, spread=spread)
    assert figure.reached is reached


def test_no_target_is_neither_reached_nor_missed() -> None:
    assert Figure(what="", against="", value=1.0).reached is None


# ---------------------------------------------------------------- the page


def figures() -> list[Figure]:
    ours, theirs = Times({0: 0.002}), Times({0: 0.001})
    return [
        compared("ours", "theirs", ours, theirs, 1.5),
        Figure(what="memory", against="nothing", value=1234.5, unit="MB", target=2000),
        left_out("other", "nothing", "no device", 2.0),
    ]


def test_the_page_says_what_each_row_is_and_what_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    tables.write([tables.section("Title.\n\nWhat it means.\n", "a machine", figures())], path)
    lines = path.read_text().splitlines()
    assert lines[0] == "# Benchmarks"
    assert lines[lines.index("## Title") + 2] == "What it means."
    assert "| ours | theirs | 2.00 | 2.00 | 2.00 – 2.00 | ≤ 1.5 | **no** | 2 ms / 1 ms |" in lines
    assert "| memory | nothing | 1,234 MB |  |  | ≤ 2000 MB | yes |  |" in lines
    assert "| other | nothing | not measured |  |  | ≤ 2 |  | no device |" in lines
    assert lines[-1] == "Taken on a machine."


def test_rows_that_were_not_run_again_stay_on_the_page(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    tables.write([tables.section(f"{name}.", "then", figures()) for name in ("B", "A")], path)
    before = path.read_text()
    tables.write([tables.section("B.", "now", [])], path)
    after = path.read_text()
    assert [line for line in after.splitlines() if line[:3] == "## "] == ["## A", "## B"]
    assert after.partition("\n## B")[0] == before.partition("\n## B")[0]
    assert after.count("Taken on now") == after.count("Taken on then") == 1


# ---------------------------------------------------------------- rows


def test_every_line_of_what_has_to_be_shown_has_its_row() -> None:
    rows = registry.modules(command.ROWS)
    assert set(rows) == set(ROWS)
    for row in rows.values():
        title, empty, about = (row.__doc__ or "").split("\n", 2)
        assert title.endswith(".")
        assert not empty
        assert about.strip()


@pytest.mark.parametrize("write", [[], ["--write"]])
def test_the_command_shows_and_keeps_rows(
    write: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    efforts: list[Effort] = []
    rows = {
        name: SimpleNamespace(
            __doc__=f"{name}.\n\nAbout.\n", figures=lambda e: efforts.append(e) or figures()
        )
        for name in ("first", "second")
    }
    monkeypatch.setattr(registry, "modules", lambda package: rows)
    path = tmp_path / "RESULTS.md"
    write_there = tables.write
    monkeypatch.setattr(tables, "write", lambda sections: write_there(sections, path))
    assert command.main(["--quick", "--only", "second", *write]) == 0
    told = capsys.readouterr().out
    assert machine.told().partition(",")[0] in told
    assert "second." in told
    assert "first." not in told
    assert [effort.quick for effort in efforts] == [True]
    assert path.exists() is bool(write)


def test_a_row_that_breaks_off_keeps_what_it_had(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def broken(effort: Effort) -> Iterator[Figure]:
        yield from figures()[:1]
        raise subprocess.CalledProcessError(2, "rnndiag", stderr="it fell over\n")

    rows = {
        "first": SimpleNamespace(__doc__="First.\n\nAbout.\n", figures=broken),
        "second": SimpleNamespace(__doc__="Second.\n\nAbout.\n", figures=lambda e: figures()),
    }
    monkeypatch.setattr(registry, "modules", lambda package: rows)
    assert command.main([]) == 0
    first, _, second = capsys.readouterr().out.partition("Second.")
    assert "2 ms / 1 ms" in first
    assert "broke off: it fell over" in first
    assert "no device" in second


# ---------------------------------------------------------------- like with like


@pytest.mark.parametrize("kind", GATES)
def test_every_peer_computes_the_same_states(kind: Kind) -> None:
    subject = networks.subject(kind, "vanishing", Shape(3, 12, 5, 7))
    run = execution.run(*phase.prepare(subject), wanted=Wanted(arrays=True))
    assert run.layers[0].arrays is not None
    expected = torch.from_numpy(run.layers[0].arrays.h)
    entrants = {entrant.name: entrant for entrant in peers.contestants(subject)}
    computing = [entrant for name, entrant in entrants.items() if not name.startswith("(d)")]
    assert len(computing) == 6 if kind != "GRU, reset before" else 4
    for entrant in computing:
        with entrant.around():
            torch.testing.assert_close(entrant.run(), expected, rtol=0, atol=1e-6)


def test_settings_are_put_back() -> None:
    threads = torch.get_num_threads()
    tiny = torch.tensor([1e-40])
    with peers.settings(1, flush=True):
        assert torch.get_num_threads() == 1
        assert float(tiny * 0.5) == 0
    assert torch.get_num_threads() == threads
    assert float(tiny * 0.5) > 0


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("timesteps", [shape.timesteps for shape in SHAPES[:2]])
def test_weights_forget_or_keep_as_they_say(kind: Kind, memory: Memory, timesteps: int) -> None:
    subject = networks.subject(kind, memory, Shape(2, timesteps, 16, 24))
    span = phase.measure(*phase.prepare(subject))[0]["gradient_span"]
    assert span.cotangent == "output"
    profile = [-400.0 if value is None else value for value in span.log10_profile]
    if memory == "vanishing":
        assert max(profile[int(0.7 * timesteps) :]) < -38
    else:
        assert min(profile) > -4
        assert span.censored


def test_the_targets_are_those_of_the_issue() -> None:
    found = {
        (shape.timesteps, memory): dict(phase._targets("LSTM", memory, shape))
        for shape in SHAPES
        for memory in MEMORIES
    }
    long = {peers.FUSED: 1.0, peers.UNROLLED: 0.7, peers.FLOOR: 2.5}
    gone = {peers.FUSED: 0.25, peers.UNROLLED: 0.4, peers.FLOOR: 2.5}
    floor = {peers.FLOOR: 2.5}
    for timesteps in (500, 1000):
        assert found[timesteps, "vanishing"] == gone
        assert found[timesteps, "long memory"] == long
    assert found[100, "vanishing"] == found[200, "long memory"] == floor
    assert phase._targets("GRU", "vanishing", SHAPES[1]) == floor


def test_the_floor_has_the_products_of_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    multiply: Callable[..., torch.Tensor] = torch.mm

    def noted(a: torch.Tensor, b: torch.Tensor, *, out: torch.Tensor) -> torch.Tensor:
        shapes.append((tuple(a.shape), tuple(b.shape)))
        return multiply(a, b, out=out)

    run = peers.products(networks.subject("GRU", "vanishing", Shape(2, 3, 5, 7)))
    monkeypatch.setattr(torch, "mm", noted)
    run()
    forward, backward = ((2, 7), (7, 21)), ((2, 21), (21, 7))
    assert shapes == [((6, 5), (5, 21)), *[forward] * 3, *[backward] * 3]


# ---------------------------------------------------------------- processes


def test_peak_memory_is_the_commands_own() -> None:
    """However much this process holds, and though memory is given back before the end."""
    held = bytearray(b"x" * 300_000_000)
    small = processes.peak_memory(["-S", "-c", "pass"])
    large = processes.peak_memory(["-S", "-c", "x = b'x' * 100_000_000; del x"])
    assert small < 100_000_000 < large < len(held)
    assert large - small == pytest.approx(100_000_000, rel=0.1)


def test_a_command_that_fails_gives_no_peak() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        processes.peak_memory(["-c", "raise SystemExit(3)"])


ABSENT = (
    *("pytest", "keras", "rich", "h5py", "click", "matplotlib", "safetensors", "msgspec"),
    *("jinja2", "distributed", "tomli"),
)
"""What a machine with a GPU and torch need not have."""


def test_the_gpu_script_needs_torch_alone_and_says_where_there_is_none() -> None:
    blocked = f"import sys; sys.modules.update(dict.fromkeys({ABSENT!r}))"
    hidden = "import torch; torch.cuda.is_available = lambda: False"
    run = "import runpy; runpy.run_module('tests.benchmarks.gpu', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", f"{blocked}\n{hidden}\n{run}"],
        cwd=processes.ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "no CUDA device here" in done.stdout
