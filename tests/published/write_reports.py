"""Inspect the fetched checkpoints, and write the reports that the tests judge anew.

python -m tests.published.write_reports FOLDER
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rnndiag import pipeline
from rnndiag.outputs.reports import json as output
from rnndiag.records import Options
from tests.published import catalogue
from tests.published.catalogue import Checkpoint


def main() -> None:
    """Write a report on every checkpoint that rnndiag reads."""
    parser = argparse.ArgumentParser(description="Write the reports on published checkpoints.")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    for checkpoint in catalogue.checkpoints():
        # One line: what changed in a report is numbers, which nobody reads as a diff.
        text = json.dumps(inspected(checkpoint, folder), separators=(",", ":"))
        checkpoint.report.write_text(f"{text}\n", encoding="utf-8")
        print(checkpoint.report.name)


def inspected(checkpoint: Checkpoint, folder: Path) -> dict[str, Any]:
    """What ``inspect --format json`` prints of a fetched checkpoint, its path in the package."""
    report = pipeline.diagnose(str(checkpoint.fetched(folder)), Options(device="cpu"))
    file = replace(report.checkpoint, path=str(checkpoint.file.place))
    return output.report_data(replace(report, checkpoint=file))


if __name__ == "__main__":
    main()
