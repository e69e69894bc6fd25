"""A Realtime client as short as it can be: sends what it hears and plays what it gets, with blocks of 5 ms, no more.

No transcript that is true to what was heard, no echo control, no jitter buffer, nothing when the network or a device
goes. ``python -m benchmarks.bare_client`` talks with the server in ``OPENAI_BASE_URL`` until it is ended.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from typing import Any

import sounddevice
import websocket

BLOCK_BYTES = 960
"""An append: 20 ms, as long as this program's."""

FORM: dict[str, Any] = {"samplerate": 24_000, "channels": 1, "dtype": "int16", "blocksize": 120, "latency": "low"}


class BareClient:
    """One conversation."""

    def __init__(self, url: str) -> None:
        self._app = websocket.WebSocketApp(
            url, header={"Authorization": "Bearer none"}, on_open=self._opened, on_message=self._received
        )
        # The device's thread takes what the socket's thread adds.
        self._lock = threading.Lock()
        self._to_play = bytearray()
        self._captured = bytearray()
        self._speaker = sounddevice.RawOutputStream(callback=self._play, **FORM)
        self._microphone = sounddevice.RawInputStream(callback=self._capture, **FORM)

    def run(self) -> None:
        """Talk; blocks until the connection ends."""
        self._speaker.start()
        self._app.run_forever()

    def _opened(self, app: Any) -> None:
        app.send(json.dumps({"type": "session.update", "session": {"type": "realtime"}}))
        self._microphone.start()

    def _received(self, _app: Any, message: str) -> None:
        event = json.loads(message)
        if event["type"] == "response.output_audio.delta":
            sound = base64.b64decode(event["delta"])
            with self._lock:
                self._to_play.extend(sound)
        elif event["type"] == "input_audio_buffer.speech_started":
            with self._lock:
                self._to_play.clear()

    def _capture(self, indata: Any, _frames: int, _time: Any, _status: Any) -> None:
        self._captured.extend(indata)
        if len(self._captured) >= BLOCK_BYTES:
            block = base64.b64encode(self._captured[:BLOCK_BYTES]).decode()
            del self._captured[:BLOCK_BYTES]
            self._app.send(json.dumps({"type": "input_audio_buffer.append", "audio": block}))

    def _play(self, outdata: Any, _frames: int, _time: Any, _status: Any) -> None:
        with self._lock:
            count = min(len(self._to_play), len(outdata))
            outdata[:count] = self._to_play[:count]
            del self._to_play[:count]
        outdata[count:] = bytes(len(outdata) - count)


if __name__ == "__main__":
    address = os.environ["OPENAI_BASE_URL"].replace("http", "ws", 1)
    BareClient(f"{address}/realtime?model=gpt-realtime").run()
