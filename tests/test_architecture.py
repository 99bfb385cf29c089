"""The walls between the steps, held by what the source files import."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "rnndiag"
REGISTRY = tuple(f"registry.{name}" for name in ("module", "each", "modules", "classes"))
HEAVY = ("torch", "h5py", "matplotlib", "numpy", "safetensors")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports anywhere, type-checking blocks apart."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in REGISTRY:
            yield from registered(path, node.args[0])


def registered(path: Path, package: ast.expr) -> Iterator[str]:
    """The modules that the registry imports from a package, or from the file's own."""
    name = package.value if isinstance(package, ast.Constant) else f"rnndiag.{path.parent.name}"
    folder = PACKAGE.parent / str(name).replace(".", "/")
    # As in `registry.names`: what the others share is not among what the registry imports.
    shared = ("_", "base.")
    files = sorted(file for file in folder.glob("*.py") if not file.name.startswith(shared))
    yield from (f"{name}.{module.stem}" for module in files)


def source(name: str) -> Path | None:
    """The file of one of the package's own modules or packages.

    Not of the whole package, which offers the pipeline to users: importing it runs nothing.
    """
    place = PACKAGE.parent / name.replace(".", "/")
    found = [path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()]
    return found[0] if found and place != PACKAGE else None


def reached(path: Path, seen: set[Path]) -> set[str]:
    """What a file imports, directly or through the package's own modules."""
    found: set[str] = set()
    for name in imports(path):
        found.add(name)
        own = source(name)
        if own is not None and own not in seen:
            seen.add(own)
            found |= reached(own, seen)
    return found


def breaches(paths: list[Path], forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{path.relative_to(PACKAGE)} reaches {name}"
        for path in paths
        for name in sorted(reached(path, {path}))
        if any(name == wall or name.startswith(f"{wall}.") for wall in forbidden)
    ]


def within(*names: str) -> tuple[str, ...]:
    return tuple(f"rnndiag.{name}" for name in names)


FORMATS = ("torch", "h5py", "matplotlib", "safetensors")
RUNNING = within("checkpoints", "wiring", "layers", "cells", "recurrence", "running", "pipeline")
"""What reads a checkpoint and runs what is in it: a saved report has to do without."""
READERS = within(
    *(
        f"checkpoints.{path.stem}"
        for path in sorted((PACKAGE / "checkpoints").glob("[a-z]*.py"))
        if path.stem != "base"
    )
)
"""What reads whole checkpoints. What they share, such as reading tensors, others may use, too."""
TOLD_IN = within("cli", "outputs")
WALLS = {
    "checkpoints": within("running", "recurrence", "layers", "cells", "wiring", "live"),
    "live": (
        *("matplotlib", "click"),
        *within("running.execution", "measurements", "pipeline", "reporting"),
    ),
    "wiring": ("h5py", *within("checkpoints", "running")),
    "cells": ("h5py", *within("recurrence", "layers", "running", "checkpoints")),
    "recurrence": ("h5py", *within("layers", "running", "wiring", "checkpoints")),
    "layers": ("h5py", *within("checkpoints", "wiring", "running")),
    "probe": (*READERS, *within("wiring", "layers", "cells", "running")),
    "measurements": ("torch", "h5py", "matplotlib", *within("running", "cells")),
    "rules": (*FORMATS, *RUNNING, *TOLD_IN, *within("judging", "advising", "saved")),
    "snippets": (*FORMATS, "numpy", *RUNNING, *TOLD_IN, *within("rules", "measurements")),
    "decays.py": (*FORMATS, "numpy", *RUNNING, *within("rules", "measurements")),
    "ladders.py": (*FORMATS, "numpy", *RUNNING, *TOLD_IN, *within("rules", "measurements")),
    "judging.py": (*FORMATS, *RUNNING, *TOLD_IN, *within("advising", "saved")),
    "explaining.py": (*FORMATS, "numpy", *RUNNING, *TOLD_IN, *within("judging", "advising")),
    "configuration": (*FORMATS, "numpy", *RUNNING, *TOLD_IN, *within("judging", "advising")),
    "evidence": (*FORMATS, "numpy", *RUNNING, *TOLD_IN, *within("rules", "judging", "advising")),
    "saved": (*FORMATS, *RUNNING, *TOLD_IN, *within("advising")),
    "advising.py": ("matplotlib", "click", *TOLD_IN),
    "planning": ("matplotlib", "click", *TOLD_IN),
    "outputs/plans": (*FORMATS, "numpy", *RUNNING, *within("cli", "planning", "advising", "rules")),
    "comparing": ("matplotlib", "click", *within("cli", "figures", "publishing")),
    "outputs/comparisons": (*FORMATS, *RUNNING, *within("cli", "comparing", "advising")),
    "tracking": ("matplotlib", "click", *within("cli", "figures", "publishing")),
    "sweeping": ("matplotlib", "click", *within("cli", "figures", "publishing")),
    "outputs/sweeps": (*FORMATS, *RUNNING, *within("cli", "sweeping", "advising")),
    "outputs/courses": (*FORMATS, *RUNNING, *within("cli", "tracking", "advising")),
    "figures": ("torch", "h5py", *RUNNING, *within("cli", "judging", "advising")),
    "publishing": (*FORMATS, *RUNNING, *within("cli", "judging", "advising", "figures")),
    "outputs": (
        *FORMATS,
        *within("checkpoints", "wiring", "probe", "layers", "cells"),
        *within("recurrence", "running", "measurements"),
    ),
    "records": (*FORMATS, "numpy"),
    "reporting.py": (*FORMATS, *RUNNING),
    "arrays.py": ("torch", "h5py"),
}
"""What the files of a folder, or one file, must not import, in whatever roundabout way."""
WITHOUT_WALLS = ("evidence/series.py", "evidence/_members.py")
"""They read the other checkpoints of a training: that is evidence, too."""


def files(place: str) -> list[Path]:
    """The file, or all that a folder holds."""
    found = PACKAGE.glob(place if place.endswith(".py") else f"{place}/**/*.py")
    apart = [PACKAGE / name for name in WITHOUT_WALLS]
    return sorted(path for path in found if path not in apart)


@pytest.mark.parametrize("place", WALLS)
def test_data_flows_one_way(place: str) -> None:
    paths = files(place)
    assert paths
    assert breaches(paths, WALLS[place]) == []


def test_what_has_no_walls_needs_none() -> None:
    """An exception that is no longer one goes."""
    assert [name for name in WITHOUT_WALLS if not breaches([PACKAGE / name], RUNNING)] == []


@pytest.mark.parametrize("place", ["cli", "advising.py", "pipeline.py", "judging.py", "saved"])
def test_orders_are_given_without_a_framework(place: str) -> None:
    """They reach the frameworks by way of the steps, and import none themselves."""
    for path in files(place):
        own = {name.partition(".")[0] for name in imports(path)}
        assert own.isdisjoint(HEAVY), path


@pytest.mark.parametrize("name", ["probe.files", "measurements.lyapunov", "cells.lstm"])
def test_walls_are_not_walked_around(name: str) -> None:
    """By way of a package's own file, or of the registry."""
    assert breaches([PACKAGE / "pipeline.py"], within(name))


def test_only_figures_import_matplotlib_and_only_the_cli_imports_click() -> None:
    owners = {"matplotlib": "figures", "click": "cli"}
    for module, owner in owners.items():
        for path in PACKAGE.rglob("*.py"):
            users = [name for name in imports(path) if name.split(".")[0] == module]
            assert not users or owner in str(path.relative_to(PACKAGE)), path


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["inspect", "--help"],
        ["advise", "--help"],
        ["plan", "--help"],
        ["report", "--help"],
        ["compare", "--help"],
        ["track", "--help"],
        ["sweep", "--help"],
        ["rules"],
        ["explain", "RNN101"],
    ],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from rnndiag.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.exit(f'imported {loaded}' if loaded else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_module_and_public_name_has_a_docstring() -> None:
    missing = []
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if not ast.get_docstring(tree):
            missing.append(str(path))
        for node in tree.body:
            public = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_"
            if public and not ast.get_docstring(node):
                missing.append(f"{path.name}:{node.name}")
    assert missing == []


def test_no_file_grows_past_400_lines() -> None:
    long = {
        path.name: lines
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}
