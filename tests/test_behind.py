"""A thread that is one thing behind its giver."""

from __future__ import annotations

import threading

import pytest
import torch

from rnndiag.behind import Behind

CPU = torch.device("cpu")


def test_everything_is_done_in_its_order() -> None:
    behind, done = Behind(CPU), []
    for place in range(50):
        behind.do(done.append, place, brief=place % 7 == 3)
    behind.finish()
    assert done == list(range(50))


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


@pytest.mark.parametrize("next_one", ["do", "finish"])
def test_what_is_raised_there_is_raised_here(next_one: str) -> None:
    behind = Behind(CPU)

    def fail(_: str) -> None:
        raise ZeroDivisionError

    behind.do(fail, "", brief=False)
    with pytest.raises(ZeroDivisionError):
        behind.finish() if next_one == "finish" else behind.do(print, "", brief=True)
    behind.finish()


def test_denormal_numbers_are_flushed_there_too() -> None:
    behind, found = Behind(CPU), []
    behind.do(lambda x: found.append(x * 0.5), torch.tensor([2e-38]), brief=False)
    behind.finish()
    assert float(found[0]) == 0
