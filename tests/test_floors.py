"""The house stands: a file imports only from its own room and from floors below."""

from __future__ import annotations

import ast
import re
from functools import cache
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


LATE = {
    **dict.fromkeys(
        [
            "realtime_cli.audio.core.echo_canceller",
            "realtime_cli.audio.core.g711",
            "realtime_cli.audio.core.gates",
            "realtime_cli.audio.core.playout",
            "realtime_cli.audio.core.resampling",
            "realtime_cli.journal.recording",
            "realtime_cli.server.listening.input_audio",
        ],
        "numpy, 80 ms: written turns do without",
    ),
    **dict.fromkeys(
        [
            "realtime_cli.server.engines.gguf",
            "realtime_cli.server.engines.hibari",
            "realtime_cli.server.engines.silero",
            "realtime_cli.server.engines.small_model",
            "realtime_cli.server.engines.smart_turn",
            "realtime_cli.server.engines.voices",
            "realtime_cli.server.engines.whisper",
            "realtime_cli.server.socket.socket_server",
            "realtime_cli.server.webrtc.call",
            "realtime_cli.server.webrtc.ice",
        ],
        "packages of an optional part, some of a second",
    ),
    **dict.fromkeys(
        [
            "realtime_cli.server.engines.chat_completions",
            "realtime_cli.server.engines.http_calls",
            "realtime_cli.server.engines.speech_calls",
        ],
        "20 to 50 ms: engines behind URLs only",
    ),
    "realtime_cli.server.engines.package_index": "urllib3, 30 ms: only to fetch",
    "realtime_cli.server.engines.loading": "urllib3, 60 ms: a test's server, or another's, has engines of its own",
    "realtime_cli.server.local_server": "50 ms: the embedded server only",
    "realtime_cli.transport.loopback": "50 ms: the embedded server only",
    "realtime_cli.transport.liveness": "websocket-client, 20 ms: servers behind a network only",
    "realtime_cli.transport.websocket": "websocket-client, 20 ms: servers behind a network only",
    "realtime_cli.audio.drivers.choose": "15 ms: who neither speaks nor listens does without",
    "realtime_cli.tools.loading": "pydantic, 170 ms: tools only",
    "realtime_cli.tools.mcp_servers": "asyncio, 80 ms: MCP servers only",
    "realtime_cli.tools.mcp_targets": "2 ms at every start: MCP servers only",
    "realtime_cli.tools.toolbox": "pydantic, 170 ms: tools only",
    "realtime_cli.terminal.chat_keyboard": "wcwidth, 30 ms: terminals only",
    "realtime_cli.terminal.typed_turns": "3 ms at every start: questions at a terminal only",
    "realtime_cli.view.typed_echo": "wcwidth, 30 ms: terminals only",
    "realtime_cli.view.live": "rich, 70 ms: live views only",
    "realtime_cli.view.progress": "wcwidth, 40 ms: terminals only",
    "realtime_cli.cli.resuming": "sqlite3, 14 ms: --resume only",
    "realtime_cli.view.right_to_left": "wcwidth, 30 ms: live views only",
    "realtime_cli.view.saved_lines": "wcwidth, 30 ms: terminals only",
    "realtime_cli.images": "3 ms at every start: pictures only",
    "realtime_cli.cli.main": "the garbage collector rests before it",
    "realtime_cli.cli.options": "the settings, 20 ms: not for --version",
    "realtime_cli.cli.running": "all that runs, 50 ms: not for --help",
}
"""What is imported in functions, and what it would cost at the top; all else is imported there."""


def room(module: str) -> str:
    """The room of ``realtime_cli.server.engines.silero`` is ``server.engines``."""
    parts = module.split(".")[1:]
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in FLOORS), parts[0])


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(node: ast.AST) -> list[str]:
    """The modules of this package that a statement imports."""
    if isinstance(node, ast.Import):
        return [name.name for name in node.names if name.name.startswith("realtime_cli.")]
    if not isinstance(node, ast.ImportFrom):
        return []
    assert node.level == 0, "a relative import hides where it goes"
    if not (node.module or "").startswith("realtime_cli"):
        return []
    named = [f"{node.module}.{name.name}" for name in node.names if f"{node.module}.{name.name}" in MODULES]
    return named if named or node.module == "realtime_cli" else [node.module or ""]


def imports(path: Path) -> list[str]:
    """The modules of this package that a file imports, wherever in the file."""
    return [module for node in ast.walk(parsed(path)) for module in imported(node)]


def late_imports(path: Path) -> list[str]:
    """Those of them that it imports in functions."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    found = [node for node in ast.walk(parsed(path)) if isinstance(node, functions)]
    return [module for function in found for node in ast.walk(function) for module in imported(node)]


def files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def name_of(path: Path) -> str:
    return ".".join(("realtime_cli", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


MODULES = frozenset(map(name_of, files()))


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_from_its_own_room_and_from_floors_below(path: Path) -> None:
    if path.name == "__init__.py":
        return
    here = room(name_of(path))
    assert here in FLOORS, f"{here} has no floor"
    for module in imports(path):
        there = room(module)
        assert there == here or FLOORS[there] < FLOORS[here], f"{here} may not import {module}"


def test_no_file_needs_itself_around_a_corner() -> None:
    needs = {name_of(path): set(imports(path)) for path in files()}
    while free := {module for module, needed in needs.items() if not needed & needs.keys()}:
        needs = {module: needed for module, needed in needs.items() if module not in free}
    assert not needs, f"they import each other: {sorted(needs)}"


def test_only_what_costs_time_at_the_start_or_may_be_missing_is_imported_in_a_function() -> None:
    late = {module for path in files() for module in late_imports(path)}
    assert not late - LATE.keys(), "import it at the top, or say in LATE what that would cost"
    assert not LATE.keys() - late, "it is imported at the top everywhere"


def test_on_the_clients_side_only_two_files_start_threads() -> None:
    starters = {
        path.relative_to(PACKAGE).as_posix()
        for path in files()
        if "threading.Thread(" in path.read_text(encoding="utf-8") and "server" not in path.parts
    }
    assert starters == {"session/threads.py", "doctor/probing.py"}


def test_the_readmes_walks_lead_to_files_and_methods_that_are_there() -> None:
    text = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    built = text[text.index("## How it is built") : text.index("## Troubleshooting")]
    named = set(re.findall(r"`([\w/]+\.py)`", built))
    # The table names a room's files without the room.
    assert {name for name in named if not (*PACKAGE.rglob(name), *PACKAGE.parent.glob(name))} == set()
    classes = [node for path in files() for node in parsed(path).body if isinstance(node, ast.ClassDef)]
    methods = {
        f"{each.name}.{node.name}" for each in classes for node in each.body if isinstance(node, ast.FunctionDef)
    }
    assert set(re.findall(r"`([A-Z]\w+\.\w+)`", built)) <= methods
