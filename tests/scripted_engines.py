"""A scripted HTTP server in the place of other people's models: chat completions, transcriptions, speech."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import msgspec

from tests.http_server import Quiet, http_server
from tests.waiting import PATIENCE_S


class Asked(msgspec.Struct, frozen=True):
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[["Exchange"], None]


class Exchange:
    """What an answer may do with the connection."""

    def __init__(self, handler: BaseHTTPRequestHandler, asked: Asked, released: threading.Event) -> None:
        self._handler = handler
        self.asked = asked
        self._released = released

    def begin(self, kind: str, length: int | None = None, status: int = 200, **headers: str) -> None:
        self._handler.send_response(status)
        self._handler.send_header("Content-Type", kind)
        if length is not None:
            self._handler.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()

    def write(self, data: bytes) -> None:
        self._handler.wfile.write(data)
        self._handler.wfile.flush()

    def hang(self) -> None:
        """Say nothing until the client is gone."""
        self._handler.connection.settimeout(PATIENCE_S)
        assert self._handler.connection.recv(1) == b""
        self._released.set()


class ScriptedEngine:
    """Answers one request after the other with what was put into ``answers``; the last one for good."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[Asked] = []
        self.client_gone = threading.Event()
        self.url = ""

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        asked = Asked(handler.command, handler.path, dict(handler.headers), body)
        self.asked.append(asked)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        try:
            answer(Exchange(handler, asked, self.client_gone))
        except (BrokenPipeError, ConnectionResetError):
            self.client_gone.set()

    @contextmanager
    def running(self) -> Iterator[ScriptedEngine]:
        owner = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner._answer(self)

            do_POST = do_GET  # noqa: N815 -- named by the library

        with http_server(Handler) as origin:
            self.url = f"{origin}/v1"
            yield self


def status(code: int, body: Any = None, **headers: str) -> Answer:
    """An HTTP error with this body."""
    data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()

    def answer(exchange: Exchange) -> None:
        exchange.begin("application/json", len(data), code, **headers)
        exchange.write(data)

    return answer


def whole(data: bytes, kind: str = "application/json") -> Answer:
    """All of this at once."""

    def answer(exchange: Exchange) -> None:
        exchange.begin(kind, len(data))
        exchange.write(data)

    return answer


def silent(exchange: Exchange) -> None:
    """Never says anything."""
    exchange.hang()


def events(*bodies: Any, then: Answer | None = None, done: bool = True) -> Answer:
    """A stream of events, each a JSON object or raw bytes."""

    def answer(exchange: Exchange) -> None:
        exchange.begin("text/event-stream")
        for body in bodies:
            exchange.write(body if isinstance(body, bytes) else b"data: " + json.dumps(body).encode() + b"\n\n")
        if then is not None:
            then(exchange)
        elif done:
            exchange.write(b"data: [DONE]\n\n")

    return answer


def delta(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One event of a chat completion."""
    change = {**({"content": content} if content is not None else {}), **more}
    return {"choices": [{"index": 0, "delta": change, "finish_reason": finish}]}


def call(index: int, arguments: str, call_id: str = "", name: str = "") -> dict[str, Any]:
    """Part of a function call."""
    function = {"arguments": arguments, **({"name": name} if name else {})}
    return delta(tool_calls=[{"index": index, "function": function, **({"id": call_id} if call_id else {})}])


def says(*words: str) -> Answer:
    """A chat completion of these words."""
    return events(*(delta(word) for word in words), delta(finish="stop"))
