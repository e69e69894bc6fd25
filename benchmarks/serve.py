"""What the voice server's socket carries, and how many spoken conversations it holds at once.

Without engines: events and seconds of audio a second, beside the same messages through a bare ``websockets`` echo in
the same run. With the bundled engines, in a process of its own: clients that speak the same question at the pace of
speech, all at once; from the end of their speech to the first sound of the answer, and the memory of the server.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import soundfile
import websocket
from websockets.sync.server import Server
from websockets.sync.server import serve as serve_echo

from benchmarks.figures import Series, arguments, show
from realtime_cli.audio.core.pcm import BLOCK_FRAMES, BLOCK_MS
from realtime_cli.protocol.dialects import append_message
from tests.local_engines import Reciter
from tests.serving import serving

QUESTION = Path(__file__).parent.parent / "examples" / "question.wav"
EVENTS = 5000
WAIT_S = 120.0
SILENCE_BLOCKS = 60
"""After the question: longer than the server's voice detection waits."""


def main() -> None:
    """Measure and print."""
    arguments(__doc__)
    runs = [(_echo(), _inwards(), _outwards()) for _ in range(3)]
    bare = Series("messages of 20 ms of audio through a bare echo, both ways", "1/s", [run[0] for run in runs])
    seconds = BLOCK_MS / 1000
    show(
        "The voice server's socket, without engines",
        [
            bare,
            Series("appends of 20 ms taken", "1/s", [run[1] for run in runs], bare, ratio=True),
            Series("seconds of audio taken a second", "s/s", [run[1] * seconds for run in runs]),
            Series("text deltas given", "1/s", [run[2] for run in runs], bare, ratio=True),
        ],
    )
    rows: list[Series] = []
    for sessions in (1, 2, 4):
        rows += _spoken(sessions)
    show("Spoken conversations at once, with the bundled engines", rows)


def _echo() -> float:
    """Messages a second through a bare echo; every one comes back."""
    message = append_message(bytes(2 * BLOCK_FRAMES))
    with serve_echo(_answer, "127.0.0.1", 0, compression=None) as server:
        _in_background(server)
        client = websocket.create_connection(f"ws://127.0.0.1:{server.socket.getsockname()[1]}", timeout=WAIT_S)
        taken = _timed(lambda: _pass_through(client, message))
        client.close()
        server.shutdown()
    return EVENTS / taken


def _answer(connection: Any) -> None:
    for message in connection:
        connection.send(message)


def _in_background(server: Server) -> None:
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _pass_through(client: Any, message: str) -> None:
    """Send on one thread, and read what comes back on this one."""
    sender = threading.Thread(target=lambda: [client.send(message) for _ in range(EVENTS)])
    sender.start()
    for _ in range(EVENTS):
        client.recv()
    sender.join()


def _inwards() -> float:
    """Appends a second, until the server has taken them all."""
    message = append_message(bytes(2 * BLOCK_FRAMES))
    with serving() as serve:
        client = websocket.create_connection(f"{serve.websocket_url}?model=x", timeout=WAIT_S)
        _until(client, "session.created")
        _send(client, "session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        _until(client, "session.updated")

        def all_of_them() -> None:
            for _ in range(EVENTS):
                client.send(message)
            _send(client, "input_audio_buffer.clear")
            _until(client, "input_audio_buffer.cleared")

        taken = _timed(all_of_them)
        client.close()
    return EVENTS / taken


def _outwards() -> float:
    """Deltas of a written reply a second."""
    with serving(lm=Reciter(["word "] * EVENTS)) as serve:
        client = websocket.create_connection(f"{serve.websocket_url}?model=x", timeout=WAIT_S)
        _send(client, "response.create", response={"output_modalities": ["text"], "max_output_tokens": 2 * EVENTS})
        _until(client, "response.created")
        taken = _timed(lambda: _until(client, "response.done"))
        client.close()
    return EVENTS / taken


def _timed(act: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _spoken(sessions: int) -> list[Series]:
    """Several clients speak at once."""
    with _program() as (url, pid):
        before = _resident_mb(pid)
        waits: list[float] = []
        clients = [threading.Thread(target=_ask, args=(url, waits)) for _ in range(sessions)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        after = _resident_mb(pid)
    return [
        Series(f"{sessions}: end of speech → first sound", "ms", waits, goal="< 1500"),
        Series(f"{sessions}: memory, before and after", "MB", [before, after]),
    ]


@contextmanager
def _program() -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "realtime_cli", "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["websocket_url"], process.pid
        process.terminate()


def _ask(url: str, waits: list[float]) -> None:
    """Three turns of one conversation, at the pace of speech."""
    client = websocket.create_connection(f"{url}?model=x", timeout=WAIT_S)
    pcm = soundfile.read(QUESTION, dtype="int16")[0].tobytes()
    block = 2 * BLOCK_FRAMES
    for _ in range(3):
        blocks = [pcm[at : at + block] for at in range(0, len(pcm), block)]
        begun = time.perf_counter()
        for number, audio in enumerate([*blocks, *[bytes(block)] * SILENCE_BLOCKS]):
            time.sleep(max(0.0, begun + number * BLOCK_MS / 1000 - time.perf_counter()))
            client.send(append_message(audio))
        ended = begun + len(blocks) * BLOCK_MS / 1000
        _until(client, "response.output_audio.delta")
        waits.append((time.perf_counter() - ended) * 1000)
        _until(client, "response.done")
    client.close()


def _send(client: Any, kind: str, **fields: Any) -> None:
    client.send(json.dumps({"type": kind, **fields}))


def _until(client: Any, kind: str) -> dict[str, Any]:
    while True:
        event: dict[str, Any] = json.loads(client.recv())
        if event["type"] == kind:
            return event


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    main()
