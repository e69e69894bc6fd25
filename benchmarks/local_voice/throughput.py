"""What the voice server's socket carries without engines, beside the same through a bare ``websockets`` echo."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import websocket
from websockets.sync.server import Server
from websockets.sync.server import serve as serve_echo

from benchmarks.figures import Series, show
from realtime_cli.audio.core.pcm import BLOCK_FRAMES, BLOCK_MS
from realtime_cli.protocol.dialects import append_message
from tests.local_engines import Reciter
from tests.serving import serving

EVENTS = 5000
LONGEST_WAIT_S = 120.0


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
        _in_background(server)
        client = websocket.create_connection(f"ws://127.0.0.1:{server.socket.getsockname()[1]}", timeout=LONGEST_WAIT_S)
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
        client = websocket.create_connection(f"{serve.websocket_url}?model=x", timeout=LONGEST_WAIT_S)
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
        client = websocket.create_connection(f"{serve.websocket_url}?model=x", timeout=LONGEST_WAIT_S)
        _send(client, "response.create", response={"output_modalities": ["text"], "max_output_tokens": 2 * EVENTS})
        _until(client, "response.created")
        taken = _timed(lambda: _until(client, "response.done"))
        client.close()
    return EVENTS / taken


def _timed(act: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _send(client: Any, kind: str, **fields: Any) -> None:
    client.send(json.dumps({"type": kind, **fields}))


def _until(client: Any, kind: str) -> None:
    while json.loads(client.recv())["type"] != kind:
        pass
