"""A thread that is one thing behind its giver."""

from __future__ import annotations

import os
import threading

import pytest
import torch

from rnndiag.recurrence._behind import Behind, _may_use_two_cores

CPU = torch.device("cpu")


def test_everything_is_done_in_its_order() -> None:
    behind, done = Behind(CPU), []
    for place in range(50):
        behind.do(done.append, place, brief=place % 7 == 3)
    behind.finish()
    assert done == list(range(50))


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnndiag.recurrence._behind._may_use_two_cores", lambda: True)


def test_the_giver_goes_on_but_for_what_is_brief_or_another_devices() -> None:
    here, seen = threading.get_ident(), []

    def note(_: str) -> None:
        seen.append(threading.get_ident() == here)

    for device, brief in ((CPU, False), (CPU, True), (torch.device("meta"), False)):
        behind = Behind(device)
        behind.do(note, "", brief=brief)
        behind.finish()
    assert seen == [False, True, True]


def test_it_is_never_more_than_one_behind() -> None:
    behind, open_gate, first, begun = Behind(CPU), threading.Event(), threading.Event(), []

    def wait(place: int) -> None:
        begun.append(place)
        first.set()
        open_gate.wait(5)

    behind.do(wait, 0, brief=False)
    assert first.wait(5)
    giver = threading.Thread(target=behind.do, args=(wait, 1), kwargs={"brief": False})
    giver.start()
    assert begun == [0]
    assert giver.is_alive()
    open_gate.set()
    giver.join()
    behind.finish()
    assert begun == [0, 1]


@pytest.mark.parametrize("next_one", ["do", "finish", "end"])
def test_what_is_raised_there_is_raised_here_and_from_then_on(next_one: str) -> None:
    behind = Behind(CPU)

    def fail(_: str) -> None:
        raise ZeroDivisionError

    following = {"do": lambda: behind.do(print, "", brief=True)}
    behind.do(fail, "", brief=False)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            following.get(next_one, getattr(behind, next_one))()


def test_one_core_has_no_second_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for cores, asked, expected in (({0, 1}, "2", True), ({0}, "2", False), ({0, 1}, "1", False)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, own=cores: own, raising=False)
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert _may_use_two_cores() is expected


def test_it_ends_with_its_work() -> None:
    behind = Behind(CPU)
    behind.do(len, "", brief=False)
    behind.end()
    with pytest.raises(RuntimeError):
        behind.do(len, "", brief=False)


def test_denormal_numbers_are_flushed_there_too() -> None:
    behind, found = Behind(CPU), []
    behind.do(lambda x: found.append(x * 0.5), torch.tensor([2e-38]), brief=False)
    behind.finish()
    assert float(found[0]) == 0
