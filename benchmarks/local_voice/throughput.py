"""What the voice server's socket carries without engines, beside the same through a bare ``websockets`` echo."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import websocket
from websockets.sync.server import serve as serve_echo

from benchmarks.figures import Series, show
from realtime_cli.audio.core.pcm import BLOCK_FRAMES, BLOCK_MS
from realtime_cli.protocol.dialects import append_message
from tests.local_engines import Reciter
from tests.serving import serving
from tests.waiting import PATIENCE_S

EVENTS = 5000


def measure(rounds: int) -> None:
    """Measure by turns and print."""
    runs = [(_echo(), _inwards(), _outwards()) for _ in range(rounds)]
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


def _echo() -> float:
    """Messages a second through a bare echo; every one comes back."""
    message = append_message(bytes(2 * BLOCK_FRAMES))
    with serve_echo(_answer, "127.0.0.1", 0, compression=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = websocket.create_connection(f"ws://127.0.0.1:{server.socket.getsockname()[1]}", timeout=PATIENCE_S)
        taken = _timed(lambda: _pass_through(client, message))
        client.close()
    return EVENTS / taken


def _answer(connection: Any) -> None:
    for message in connection:
        connection.send(message)


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
    with serving() as serve, serve.connect(check=lambda _event: None) as client:
        client.until("session.created")
        client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        client.until("session.updated")

        def all_of_them() -> None:
            for _ in range(EVENTS):
                client.socket.send(message)
            client.send("input_audio_buffer.clear")
            client.until("input_audio_buffer.cleared")

        return EVENTS / _timed(all_of_them)


def _outwards() -> float:
    """Deltas of a written reply a second."""
    reciter = Reciter(["word "] * EVENTS)
    with serving(lm=reciter) as serve, serve.connect(check=lambda _event: None) as client:
        client.send("response.create", response={"output_modalities": ["text"], "max_output_tokens": 2 * EVENTS})
        client.until("response.created")
        return EVENTS / _timed(lambda: client.until("response.done"))


def _timed(act: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun
