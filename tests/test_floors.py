"""The house stands: a file imports only from its own room and from floors below."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "realtime_cli"

FLOORS = {
    "errors": 0,
    "result_file": 1,
    "controls": 0,
    "network": 1,
    "ownership": 1,
    "printable": 0,
    "audio.core": 1,
    "settings.config_file": 2,
    "settings.folders": 0,
    "protocol": 2,
    "settings.settings": 3,
    "images": 3,
    "providers": 3,
    "conversation": 4,
    "conversation.transcription": 5,
    "settings.fields": 4,
    "settings.trust": 5,
    "settings.sources": 5,
    "settings.environment": 6,
    "ports": 5,
    "audio.drivers": 6,
    "terminal": 6,
    "tools": 6,
    "view": 6,
    "server.engines.interface": 6,
    "server.listening.endpointing": 6,
    "server.core": 7,
    "server.listening": 8,
    "server.engines": 8,
    "server": 9,
    "journal": 9,
    "server.socket": 10,
    "server.webrtc": 11,
    "transport": 10,
    "session": 11,
    "web": 12,
    "doctor": 12,
    "cli": 13,
    "__main__": 14,
}
"""Rooms, and rooms within rooms: the longest name that fits counts."""


def room(module: str) -> str:
    """The room of ``realtime_cli.server.engines.silero`` is ``server.engines``."""
    parts = module.split(".")[1:]
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in FLOORS), parts[0])


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
    if path.name == "__init__.py":
        return
    here = room(".".join(("realtime_cli", *path.relative_to(PACKAGE).with_suffix("").parts)))
    assert here in FLOORS, f"{here} has no floor"
    for module in imports(path):
        there = room(module)
        assert there == here or FLOORS[there] < FLOORS[here], f"{here} may not import {module}"


def test_on_the_clients_side_only_two_files_start_threads() -> None:
    starters = {
        path.relative_to(PACKAGE).as_posix()
        for path in files()
        if "threading.Thread(" in path.read_text(encoding="utf-8") and "server" not in path.parts
    }
    assert starters == {"session/threads.py", "doctor/probing.py"}
