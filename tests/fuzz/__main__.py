"""Mutated files through the command line, in numbers: ``python -m tests.fuzz``.

Every outcome is to be a report or a refusal. What else there is, is kept as files with the
case's number, of which ``--case NUMBER`` makes them again and shows what happens.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from tests.fuzz import cases, runner
from tests.fuzz.seeds import ROOT
from tests.fuzz.worker import Outcome

SOUND = ("report", "refusal")
_SHOWN_EVERY = 30.0
"""Seconds."""


def main() -> int:
    """Run the cases that were not run yet with the code as it is; 1 where there are faults."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--case", type=int, help="only this one, and tell all about it")
    parser.add_argument("--cases", type=int, default=20_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the number to begin with")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "fuzz", help="a folder")
    given = parser.parse_args()
    if given.case is not None:
        return _one(given.case, given.state)
    return _many(range(given.first, given.first + given.cases), given.jobs, given.state)


def _one(number: int, state: Path) -> int:
    case = cases.case(number)
    (outcome,) = runner.run([number], 1)
    folder = _keep(outcome, state)
    print(f"{case.kind}: {case.seed}", *case.mutations, sep="\n  ")
    print(f"cd {folder} && rnndiag --debug {' '.join(case.arguments)}")
    print(f"{outcome.verdict} after {outcome.seconds} s: {outcome.detail}")
    return outcome.verdict not in SOUND


def _many(numbers: Iterable[int], jobs: int, state: Path) -> int:
    """Outcomes are noted as they come, by the digest of the code; a run goes on where it ended."""
    notes = state / f"outcomes-{_code()}.jsonl"
    state.mkdir(parents=True, exist_ok=True)
    done = [Outcome(**json.loads(line)) for line in notes.open()] if notes.exists() else []
    known = {outcome.number for outcome in done}
    wanted = [number for number in numbers if number not in known]
    done = [outcome for outcome in done if outcome.number in numbers]
    shown = time.monotonic()
    with notes.open("a") as file:
        for outcome in runner.run(wanted, jobs):
            done.append(outcome)
            print(json.dumps(asdict(outcome)), file=file, flush=True)
            if outcome.verdict not in (*SOUND, "fuzzer"):
                _keep(outcome, state)
            if outcome.verdict not in SOUND:
                print(f"{outcome.number}: {outcome.verdict}: {outcome.detail[-600:]}", flush=True)
            if time.monotonic() - shown > _SHOWN_EVERY:
                shown = time.monotonic()
                print(_summary(done), flush=True)
    print(_table(done))
    return any(outcome.verdict not in SOUND for outcome in done)


def _keep(outcome: Outcome, state: Path) -> Path:
    """The files of a case and what became of them, in a folder of its number."""
    folder = state / str(outcome.number)
    case = cases.case(outcome.number)
    case.write(folder)
    told = (*case.mutations, f"rnndiag {' '.join(case.arguments)}", "", outcome.verdict)
    (folder / "OUTCOME").write_text("\n".join((*told, outcome.detail)))
    return folder


def _summary(outcomes: Iterable[Outcome]) -> str:
    counts = Counter(outcome.verdict for outcome in outcomes)
    return ", ".join(f"{verdict} {count}" for verdict, count in counts.most_common())


def _table(outcomes: list[Outcome]) -> str:
    """Counts by kind of file and verdict, and the time that cases took."""
    counts: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        kind = cases.kind_of(outcome.number)
        counts.setdefault(kind, Counter())[outcome.verdict] += 1
    verdicts = [*SOUND, *sorted({outcome.verdict for outcome in outcomes} - {*SOUND})]
    lines = [f"{'':16}" + "".join(f"{verdict:>16}" for verdict in verdicts)]
    for kind, own in sorted(counts.items()):
        lines.append(f"{kind:16}" + "".join(f"{own[verdict]:>16}" for verdict in verdicts))
    total = Counter(outcome.verdict for outcome in outcomes)
    lines.append(f"{'all':16}" + "".join(f"{total[verdict]:>16}" for verdict in verdicts))
    seconds = sorted(outcome.seconds for outcome in outcomes) or [0.0]
    mean, longest = sum(seconds) / len(seconds), seconds[-1]
    lines.append(f"{len(outcomes)} cases, {mean * 1000:.0f} ms each, the longest {longest:.1f} s")
    return "\n".join(lines)


def _code() -> str:
    """A digest of the program and the fuzzer: outcomes of other code count for nothing."""
    digest = hashlib.sha256()
    for folder in ("rnndiag", "tests/fuzz"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    sys.exit(main())
