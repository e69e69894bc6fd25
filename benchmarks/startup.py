"""How long the program takes to start: whole processes, from the fork to what a user or a server sees first.

Each is run by turns with a bare interpreter that only imports what such a program cannot do without.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from benchmarks.figures import Series, arguments, show
from benchmarks.sound import devices_if_any
from tests.running import environment
from tests.scripted_server import ScriptedServer
from tests.scripted_talk import Talk
from tests.waiting import PATIENCE_S

TYPED_NEEDS = "import typer, websocket"
VOICE_NEEDS = "import websocket, sounddevice, numpy"


def main() -> None:
    """Measure and print."""
    runs = arguments(__doc__, runs=10)["runs"]
    with (
        _moments() as (url, connected, told),
        devices_if_any() as devices,
        tempfile.TemporaryDirectory() as compiled,
    ):
        device_options = [] if devices else ["--mic", "none", "--speaker", "none"]
        variables = environment(**(devices.environment if devices else {}), PYTHONPYCACHEPREFIX=compiled)
        # An installed program is compiled once; in a workplace that forbids it, it would be at each start.
        variables.pop("PYTHONDONTWRITEBYTECODE", None)

        def program(*words: str) -> list[str]:
            return [sys.executable, "-m", "realtime_cli", *words]

        def ended(command: list[str]) -> float:
            began = time.monotonic()
            subprocess.run(command, env=variables, check=True, capture_output=True, timeout=PATIENCE_S)
            return time.monotonic() - began

        def seen(command: list[str], moments: SimpleQueue[float]) -> float:
            began = time.monotonic()
            process = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            try:
                return moments.get(timeout=PATIENCE_S) - began
            finally:
                process.terminate()
                process.wait(PATIENCE_S)
                _empty(connected)
                _empty(told)

        server = ("--base-url", url, "--json")
        measured: dict[str, Callable[[], float]] = {
            f'python -c "{TYPED_NEEDS}"': lambda: ended([sys.executable, "-c", TYPED_NEEDS]),
            "say: first event at the server": lambda: seen(program("say", "Hello", *server), told),
            f'python -c "{VOICE_NEEDS}"': lambda: ended([sys.executable, "-c", VOICE_NEEDS]),
            "chat: handshake at the server": lambda: seen(program("chat", *server, *device_options), connected),
            "chat: first event at the server": lambda: seen(program("chat", *server, *device_options), told),
            "--help, to its end": lambda: ended(program("--help")),
            "--version, to its end": lambda: ended(program("--version")),
        }
        values: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(int(runs) + 1):
            for name, measure in measured.items():
                values[name].append(measure())
    show_rows(values, "virtual devices" if devices else "no devices")


def show_rows(values: dict[str, list[float]], devices: str) -> None:
    """Print the table; the first round compiled, and does not count."""
    typed, say, voice, handshake, first_event, *rest = (Series(name, "s", warm[1:]) for name, warm in values.items())
    show(
        f"Start-up ({devices})",
        [
            typed,
            Series(say.name, "s", say.values, typed, ratio=True, goal="1.5 x"),
            *(Series(row.name, "s", row.values, typed, ratio=True) for row in rest),
            voice,
            Series(handshake.name, "s", handshake.values, voice, ratio=True, goal="2 x"),
            Series(first_event.name, "s", first_event.values, voice, ratio=True),
        ],
    )


@contextlib.contextmanager
def _moments() -> Iterator[tuple[str, SimpleQueue[float], SimpleQueue[float]]]:
    """A server's URL, and when clients shook hands with it and told it something first."""
    connected: SimpleQueue[float] = SimpleQueue()
    told: SimpleQueue[float] = SimpleQueue()

    def script(talk: Talk) -> None:
        connected.put(time.monotonic())
        talk.greet()
        talk.receive()
        told.put(time.monotonic())
        talk.obey_until_closed()

    with ScriptedServer(script, checked=False) as server:
        yield server.url, connected, told


def _empty(moments: SimpleQueue[float]) -> None:
    while not moments.empty():
        moments.get()


if __name__ == "__main__":
    main()
