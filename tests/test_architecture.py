"""The walls between the steps, held by what the source files import."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "rnndiag"
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
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reached(path: Path, seen: set[Path]) -> set[str]:
    """What a file imports, directly or through the package's own modules."""
    found: set[str] = set()
    for name in imports(path):
        found.add(name)
        own = PACKAGE.parent / (name.replace(".", "/") + ".py")
        if own.is_file() and own not in seen:
            seen.add(own)
            found |= reached(own, seen)
    return found


def files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted(PACKAGE.glob(f"{folder}/*.py"))]


def breaches(paths: list[Path], forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{path.relative_to(PACKAGE)} reaches {name}"
        for path in paths
        for name in sorted(reached(path, {path}))
        if any(name == wall or name.startswith(f"{wall}.") for wall in forbidden)
    ]


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("measurements", ("torch", "h5py", "matplotlib", "rnndiag.network", "rnndiag.cells")),
        ("outputs", ("torch", "h5py", "matplotlib", "rnndiag.measurements", "rnndiag.network")),
        ("rules", ("torch", "h5py", "matplotlib")),
        ("checkpoints", ("rnndiag.network", "rnndiag.layers", "rnndiag.cells", "rnndiag.wiring")),
        ("cells", ("rnndiag.layers", "rnndiag.network", "rnndiag.checkpoints", "h5py")),
        ("layers", ("rnndiag.checkpoints", "rnndiag.wiring", "rnndiag.execution", "h5py")),
        ("wiring", ("rnndiag.checkpoints", "rnndiag.network", "rnndiag.execution", "h5py")),
    ],
)
def test_data_flows_one_way(folder: str, forbidden: tuple[str, ...]) -> None:
    assert breaches(files(folder), forbidden) == []


def test_only_figures_import_matplotlib_and_only_the_cli_imports_click() -> None:
    owners = {"matplotlib": "figures", "click": "cli.py"}
    for module, owner in owners.items():
        for path in PACKAGE.rglob("*.py"):
            users = [name for name in imports(path) if name.split(".")[0] == module]
            assert not users or owner in str(path.relative_to(PACKAGE)), path


@pytest.mark.parametrize("arguments", [["--help"], ["inspect", "--help"], ["--version"]])
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
