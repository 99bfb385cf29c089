"""How fast, how large, side by side: ``python -m tests.benchmarks`` (``make bench``).

Nothing here passes or fails: a target that is not reached is told with its figure.
"""

from __future__ import annotations

import argparse
import sys
from subprocess import CalledProcessError
from types import ModuleType

import torch
from rich.console import Console

from rnndiag import registry
from rnndiag.errors import RnndiagError
from tests.benchmarks import machine, tables
from tests.benchmarks.contest import Pace
from tests.benchmarks.figures import Effort, Figure, left_out

ROWS = f"{__package__}.rows"
ABOUT = """How fast, how large, side by side. Nothing here passes or fails: a target that is not
reached is told with its figure."""
QUICK = Effort(quick=True, pace=Pace(rounds=3, least=2, seconds=2.0))


def main(arguments: list[str] | None = None) -> int:
    """Run the rows that are asked for, and show each as soon as it is there."""
    rows = registry.modules(ROWS)
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=ABOUT)
    parser.epilog = tables.KEY
    parser.add_argument("--quick", action="store_true", help="a minute's worth of all rows")
    of = f"these rows alone, of {', '.join(rows)}"
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=rows, help=of)
    parser.add_argument("--write", action="store_true", help=f"keep it in {tables.RESULTS.name}")
    threads = "of the peers; one is steadier where the machine is busy. [default: torch's own]"
    parser.add_argument("--threads", type=int, metavar="N", help=threads)
    given = parser.parse_args(arguments)
    if given.threads is not None:
        torch.set_num_threads(given.threads)
    effort = QUICK if given.quick else Effort()
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(machine.told(), highlight=False)
    for name in given.only or rows:
        text = _section(rows[name], effort, console)
        # After each: what is there is kept, even if a later row takes too long.
        if given.write:
            tables.write([text])
    return 0


def _section(row: ModuleType, effort: Effort, console: Console) -> str:
    about = row.__doc__ or ""
    found: list[Figure] = []
    try:
        found.extend(row.figures(effort))
    except (RnndiagError, RuntimeError, CalledProcessError) as error:
        # What was measured until then counts, and the other rows still have their turn.
        wrong = getattr(error, "stderr", None) or error
        found.append(left_out("the rest", "", f"broke off: {wrong}".replace("\n", " ")[-300:]))
    console.print(tables.terminal(about.partition("\n")[0], found))
    return tables.section(about, machine.told(), found)


if __name__ == "__main__":
    sys.exit(main())
