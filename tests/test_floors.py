"""The house stands: a file imports only from its own room and from floors below."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "realtime_cli"

FLOORS = {
    "errors": 0,
    "pcm": 0,
    "protocol": 1,
    "playout": 1,
    "images": 2,
    "config_file": 1,
    "config": 2,
    "resolve": 3,
    "providers": 2,
    "conversation": 2,
    "controls": 0,
    "interrupts": 0,
    "threads": 0,
    "ports": 3,
    "audio": 4,
    "terminal": 4,
    "tools": 4,
    "view": 4,
    "local": 4,
    "transport": 5,
    "workers": 5,
    "probing": 5,
    "tokens": 6,
    "microphone": 6,
    "session": 7,
    "doctor": 6,
    "cli": 8,
    "__main__": 9,
}


def room(module: str) -> str:
    """``realtime_cli.local.engines.silero`` lives in ``local``."""
    return module.split(".")[1]


def imports(path: Path) -> list[str]:
    """The modules of this package that a file imports, wherever in the file."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("realtime_cli"):
            module = node.module or ""
            found += [f"{module}.{name.name}" for name in node.names] if module == "realtime_cli" else [module]
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.startswith("realtime_cli.")]
    return [module for module in found if module != "realtime_cli.__version__"]


def files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_from_its_own_room_and_from_floors_below(path: Path) -> None:
    here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert here in FLOORS, f"{here} has no floor"
    for module in imports(path):
        there = room(module)
        assert there == here or FLOORS[there] < FLOORS[here], f"{here} may not import {module}"


def test_on_the_clients_side_only_two_files_start_threads() -> None:
    starters = {
        path.relative_to(PACKAGE).as_posix()
        for path in files()
        if "threading.Thread(" in path.read_text(encoding="utf-8") and "local" not in path.parts
    }
    assert starters == {"threads.py", "probing.py"}
