"""The voice server on a real socket, with engines of known behaviour, and a plain client of it."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import websocket as websocket_client

from realtime_cli.server.engines.loading import Engines, Loaders
from realtime_cli.server.local_server import LocalServer
from realtime_cli.server.socket.admission import Limits, Policy
from realtime_cli.server.socket.client_secrets import KeyMaker
from realtime_cli.server.socket.http_routes import Site
from realtime_cli.server.socket.socket_server import SocketServer
from realtime_cli.server.webrtc.calls import Calls
from tests.local_engines import Beeper, LoudnessVad, Reciter, SecondsHeard
from tests.schema_check import check_order, check_server_event
from tests.waiting import PATIENCE_S

Event = dict[str, Any]


class Serving:
    """A server that listens."""

    def __init__(self, server: SocketServer, calls: Calls, lm: Any, stt: SecondsHeard, said: list[str]) -> None:
        self.server = server
        self.calls = calls
        self.lm = lm
        self.stt = stt
        self.said = said
        """Lines about sessions."""

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}/v1"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}/v1/realtime"

    def connect(self, query: str = "?model=tests", **options: Any) -> Client:
        return Client(self.websocket_url + query, **options)


@contextmanager
def serving(
    *,
    token: str | None = None,
    origins: tuple[str, ...] = (),
    lm: Any = None,
    tts: Any = None,
    vad: Any = LoudnessVad,
    stt: Any = None,
    **limits: Any,
) -> Iterator[Serving]:
    """A server on loopback until the end of the block."""
    model, ear = lm or Reciter(), stt or SecondsHeard()
    voice = LocalServer(
        Engines(
            Loaders(
                voice_activity=lambda: vad,
                speech_to_text=lambda: ear,
                language_model=lambda: model,
                text_to_speech=lambda: tts or Beeper(),
            )
        )
    )
    said: list[str] = []
    site = Site(Policy(token, KeyMaker(token), origins), ("local",), 1_700_000_000, Limits(**limits))
    server = SocketServer(site, (socket.AF_INET, "127.0.0.1", 0), on_session=said.append)
    calls = Calls(server, voice)
    server.routes = {**server.routes, **calls.routes}
    try:
        server.start(voice)
        yield Serving(server, calls, model, ear, said)
    finally:
        server.close(PATIENCE_S)
        calls.close(PATIENCE_S)
        voice.close(PATIENCE_S)


class Closed(Exception):
    """The server has closed the connection."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Client:
    """A WebSocket and all that came over it, each event checked against the official types."""

    def __init__(self, url: str, *, check: Any = check_server_event, **options: Any) -> None:
        options.setdefault("header", ["Authorization: Bearer any"])
        self.socket = websocket_client.create_connection(url, timeout=PATIENCE_S, **options)
        self._sock: socket.socket = self.socket.sock
        self.events: list[Event] = []
        self._check = check

    def send(self, kind: str, **fields: Any) -> None:
        self.socket.send(json.dumps({"type": kind, **fields}))

    def append(self, audio: bytes) -> None:
        """In blocks of 100 ms."""
        for at in range(0, len(audio), 4800):
            self.send("input_audio_buffer.append", audio=base64.b64encode(audio[at : at + 4800]).decode())

    def say(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})

    def next(self) -> Event:
        """The next event. Raises Closed."""
        opcode, data = self.socket.recv_data()
        if opcode == websocket_client.ABNF.OPCODE_CLOSE:
            raise Closed(int.from_bytes(data[:2], "big"), data[2:].decode())
        event: Event = json.loads(data)
        self._check(event)
        self.events.append(event)
        return event

    def until(self, kind: str) -> Event:
        """The next event of a type; no error may come before it."""
        while (event := self.next())["type"] != kind:
            assert event["type"] != "error", event
        if self._check is check_server_event:
            check_order(self.events)
        return event

    def closed(self) -> Closed:
        """Wait until the server closes the connection."""
        while True:
            try:
                self.next()
            except Closed as closed:
                return closed

    def reset(self) -> None:
        """Break the connection without a word, as a killed process does."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self._sock.close()

    def close(self) -> None:
        """Close the connection; the client's library forgets the socket when the server was faster."""
        self.socket.close()
        self._sock.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
