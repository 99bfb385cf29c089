"""A share of the mutated files, always the same; and that the fuzzer sees what it looks for."""

from __future__ import annotations

import sys

import pytest

from tests.fuzz import cases, drills, runner, seeds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells of memory and files")

CASES = range(300)
AGAIN = 20
"""Cases that are made a second time."""


def test_mutated_files_are_reported_or_refused() -> None:
    outcomes = {outcome.number: outcome for outcome in runner.run(CASES, 1)}
    faults = [own for own in outcomes.values() if own.verdict not in ("report", "refusal")]
    assert not faults, "\n".join(f"{own.number}: {own.verdict}: {own.detail}" for own in faults)
    assert sorted(outcomes) == list(CASES)
    # Either alone would mean that the files are hardly changed, or no longer looked at.
    assert {own.verdict for own in outcomes.values()} == {"report", "refusal"}
    for number in CASES[:AGAIN]:
        assert cases.case(number).digest == outcomes[number].digest


def test_faults_are_seen() -> None:
    outcomes = {own.number: own for own in runner.run(drills.numbers(), 1, longest=1.0)}
    assert {number: own.verdict for number, own in outcomes.items()} == drills.numbers()


def test_every_seed_is_a_whole_file() -> None:
    whole = {
        (kind, name): seeds.seed(kind, name) for kind, own in seeds.kinds().items() for name in own
    }
    assert all(seed.files and seed.arguments for seed in whole.values())
    assert len({tuple(seed.files.values()) for seed in whole.values()}) == len(whole)
