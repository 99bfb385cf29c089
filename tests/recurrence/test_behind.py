"""A thread that is one thing behind its giver."""

from __future__ import annotations

import os
import threading

import pytest
import torch

from rnndiag.recurrence._behind import Behind, _may_use_two_cores

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnndiag.recurrence._behind._may_use_two_cores", lambda: True)


def test_everything_is_done_in_its_order() -> None:
    done: list[int] = []
    with Behind(CPU) as behind:
        for place in range(50):
            behind.do(done.append, place, brief=place % 7 == 3)
    assert done == list(range(50))


def test_the_giver_goes_on_but_for_what_is_brief_or_another_devices() -> None:
    here, seen = threading.get_ident(), []

    def note(_: str) -> None:
        seen.append(threading.get_ident() == here)

    for device, brief in ((CPU, False), (CPU, True), (torch.device("meta"), False)):
        with Behind(device) as behind:
            behind.do(note, "", brief=brief)
    assert seen == [False, True, True]


def test_it_is_never_more_than_one_behind() -> None:
    open_gate, first, begun = threading.Event(), threading.Event(), []

    def wait(place: int) -> None:
        begun.append(place)
        first.set()
        open_gate.wait(5)

    with Behind(CPU) as behind:
        behind.do(wait, 0, brief=False)
        assert first.wait(5)
        giver = threading.Thread(target=behind.do, args=(wait, 1), kwargs={"brief": False})
        giver.start()
        assert begun == [0]
        assert giver.is_alive()
        open_gate.set()
        giver.join()
    assert begun == [0, 1]


def _fail(_: str) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("brief", [False, True])
def test_what_is_raised_there_is_raised_here_by_what_comes_next(brief: bool) -> None:
    done: list[str] = []
    with Behind(CPU) as behind:
        behind.do(_fail, "", brief=False)
        with pytest.raises(ZeroDivisionError):
            behind.do(done.append, "next", brief=brief)
    assert done == []


def test_or_at_the_end() -> None:
    with pytest.raises(ZeroDivisionError), Behind(CPU) as behind:
        behind.do(_fail, "", brief=False)


def test_what_is_raised_here_is_not_covered_up() -> None:
    def both() -> None:
        with Behind(CPU) as behind:
            behind.do(_fail, "", brief=False)
            raise KeyError

    with pytest.raises(KeyError):
        both()


def test_one_core_has_no_second_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for cores, asked, expected in (({0, 1}, "2", True), ({0}, "2", False), ({0, 1}, "1", False)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, own=cores: own, raising=False)
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert _may_use_two_cores() is expected


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("behind")]


def test_no_thread_is_left() -> None:
    with Behind(CPU) as behind:
        behind.do(len, "", brief=False)
        assert len(_threads()) == 1
    assert _threads() == []
    with pytest.raises(RuntimeError):
        behind.do(len, "", brief=False)


def test_denormal_numbers_are_flushed_there_too() -> None:
    found: list[torch.Tensor] = []
    with Behind(CPU) as behind:
        behind.do(lambda x: found.append(x * 0.5), torch.tensor([2e-38]), brief=False)
    assert float(found[0]) == 0
