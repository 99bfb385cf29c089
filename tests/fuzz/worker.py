"""A process that runs cases: numbers come in by lines, outcomes as JSON go out by lines.

What kills it, or keeps it, is for the process that started it to see (`runner`).
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import re
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from click.testing import CliRunner, Result

MOST_GROWTH = 256 << 20
"""Bytes of memory that one case may take above what the process has before it."""
_MOST_ADDRESSES = 4 << 30
"""The same for addresses: a hundred times as much would stop the machine, not the case."""
_REPORTS, _REFUSAL = (0, 1, 3), 2
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What moves a terminal's cursor, or turns its text around."""


Fault = tuple[str, str]
"""Its name, and what it is."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one case."""

    number: int
    verdict: str
    """``report``, ``refusal``, or the name of a fault."""
    detail: str = ""
    """The exit status, the kind of refusal, or what the fault is."""
    digest: str = ""
    """Of the files, so that it can be seen whether a case came out the same."""
    seconds: float = 0.0
    """Of the processor."""


class Sandbox:
    """Folders of one process, which is in one of them; only `scratch` may be written to."""

    def __init__(self, root: Path) -> None:
        self.given, self.scratch = root / "given", root / "scratch"
        self._secret, self._home = root / "secret", root / "home"
        for folder in (self.given, self.scratch, self._secret, self._home):
            folder.mkdir(parents=True, exist_ok=True)
        with h5py.File(self._secret / "secret.h5", "w") as file:
            file["secret"] = np.ones((5, 4), np.float32)
        (self._secret / "secret.bin").write_bytes(bytes(80))
        self.secrets = tuple(self._secret.iterdir())
        os.environ.update(HOME=str(self._home), TMPDIR=str(self.scratch))
        os.chdir(self.given)

    def clear(self) -> None:
        """Nothing is left of the last case."""
        for folder in (self.given, *self.scratch.iterdir()):
            for place in folder.iterdir():
                shutil.rmtree(place) if place.is_dir() else place.unlink()

    def state(self) -> dict[str, tuple[int, int]]:
        """Every file but in `scratch`, with what tells a change."""
        folders = (self.given, self._secret, self._home)
        files = (place for folder in folders for place in folder.rglob("*"))
        return {str(own): (own.stat().st_size, own.stat().st_mtime_ns) for own in files}


def main(root: Path) -> None:
    """Run the cases whose numbers stand on standard input."""
    answers = os.fdopen(os.dup(1), "w")
    noise = (root / "noise").open("w+b")
    for stream in (1, 2):
        os.dup2(noise.fileno(), stream)
    faulthandler.enable((root / "death").open("w"))
    sandbox = Sandbox(root)
    run = _Runner(sandbox, noise.fileno())
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(asdict(run.outcome(int(line)))) + "\n")
        answers.flush()


class _Runner:
    def __init__(self, sandbox: Sandbox, noise: int) -> None:
        import torch

        from rnndiag.cli import main as command
        from tests.fuzz import cases, drills
        from tests.fuzz.watching import Secret, Watch

        torch.set_num_threads(1)
        # With colors: without, click takes out what a file may have put there.
        self._invoke = partial(CliRunner().invoke, command, color=True)
        self._drill = partial(CliRunner().invoke, drills.command, color=True)
        self._case = cases.case
        self._sandbox, self._noise = sandbox, noise
        self._watch = Watch(readable=(sandbox.given,), writable=(sandbox.scratch,))
        self._secret = Secret(*sandbox.secrets)
        self._warm()
        limit = _status("VmSize") + _MOST_ADDRESSES
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))

    def _warm(self) -> None:
        """Import what sound files take: what is imported later, a file may have asked for."""
        import pkgutil

        import rnndiag
        from tests.fuzz import seeds

        for info in pkgutil.walk_packages(rnndiag.__path__, "rnndiag."):
            if info.name != "rnndiag.__main__":
                with contextlib.suppress(ImportError):
                    __import__(info.name)
        for kind, names in seeds.kinds().items():
            seed = seeds.seed(kind, names[0])
            for place, content in seed.files.items():
                target = self._sandbox.given / place
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(content)
            self._invoke(["advise", *seed.arguments])
            self._sandbox.clear()

    def outcome(self, number: int) -> Outcome:
        """Make the case, run it, and judge what came of it."""
        start = time.process_time()
        if number < 0:
            verdict, detail = self._judged([str(number)], self._drill)
            return Outcome(number=number, verdict=verdict, detail=detail)
        try:
            case = self._case(number)
        except Exception:
            return Outcome(number=number, verdict="fuzzer", detail=traceback.format_exc(limit=-4))
        case.write(self._sandbox.given)
        verdict, detail = self._judged(list(case.arguments), self._invoke)
        self._sandbox.clear()
        return Outcome(
            number=number,
            verdict=verdict,
            detail=detail,
            digest=case.digest,
            seconds=round(time.process_time() - start, 4),
        )

    def _judged(self, arguments: list[str], invoke: Callable[..., Result]) -> tuple[str, str]:
        before, memory = self._sandbox.state(), _forget_peak()
        os.ftruncate(self._noise, 0)
        self._secret.opened()  # by a mutator, which may write through a link of its own making
        self._watch.start()
        result = invoke(arguments)
        done = self._watch.stop()
        grown = _status("VmHWM") - memory
        noise = os.pread(self._noise, 2000, 0).decode("utf-8", "replace")
        faults = [
            *(fault.partition(": ")[::2] for fault in done),
            *([("file", "a secret was opened")] if self._secret.opened() else []),
            *([("file", "files were changed")] if self._sandbox.state() != before else []),
            *([("noise", noise)] if noise else []),
            *([("memory", f"{grown >> 20} MiB")] if grown > MOST_GROWTH else []),
        ]
        if "internal error" in result.stderr or "MemoryError" in result.stderr:
            faults.append(("internal error", _traceback(invoke(["--debug", *arguments]))))
        faults += _wrong_output(result, arguments)
        if faults:
            return faults[0][0], "\n".join(": ".join(fault) for fault in faults)
        if result.exit_code in _REPORTS:
            return "report", str(result.exit_code)
        return "refusal", result.stderr.splitlines()[0][:200]


def _traceback(result: Result) -> str:
    error = result.exception
    return "".join(traceback.format_exception(error)[-12:]) if error else "not again"


def _wrong_output(result: Result, arguments: list[str]) -> Iterator[Fault]:
    """What should not be in the output, and what should be and is not."""
    status, out, complaint = result.exit_code, result.stdout, result.stderr
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        yield "traceback", _traceback(result)
    found = _UNPRINTABLE.search(out + complaint)
    if found is not None:
        yield "unprintable", repr((out + complaint)[max(found.start() - 100, 0) :][:200])
    if status in _REPORTS and (complaint or not out):
        yield "complaint", complaint
    elif status == _REFUSAL and not _is_one_message(complaint):
        yield "message", complaint
    elif status not in (*_REPORTS, _REFUSAL):
        yield "status", str(status)
    if "json" in arguments and out:
        yield from _wrong_json(out, status)


def _wrong_json(out: str, status: int) -> Iterator[Fault]:
    try:
        told = json.loads(out, parse_constant=_no_number)
    except ValueError as error:
        yield "json", f"{error}: {out[:200]}"
        return
    if told["exit_code"] != status:
        yield "json", f"it says {told['exit_code']}, the status is {status}"


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _is_one_message(complaint: str) -> bool:
    """Whether there is a line of what is wrong, and perhaps one of what to try."""
    lines = complaint.splitlines()
    begins = lines[:1] != [] and lines[0].startswith("rnndiag: ")
    return begins and (len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("  ")))


def _status(name: str) -> int:
    """A number of this process, in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{name}:")[1].split()[0]) << 10


def _forget_peak() -> int:
    """Memory now; from here the peak counts anew."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
