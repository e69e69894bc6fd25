"""A session over a WebSocket: messages carried both ways, and those who are turned away told why."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeAlias

from realtime_cli.protocol.conversation_events import ErrorEvent
from realtime_cli.protocol.items import ErrorDetail
from realtime_cli.protocol.server_events import server_event_to_json
from realtime_cli.server.connection import Ending
from realtime_cli.server.local_server import new_id
from realtime_cli.server.socket.admission import NotAllowed
from realtime_cli.server.socket.beta import beta_from_server, ga_from_client
from realtime_cli.server.socket.websocket import Gone, WebSocket

_LOG = logging.getLogger(__name__)


class Held(Protocol):
    """A session as the server keeps count of it."""

    over: threading.Event
    """It has ended."""
    model: str
    """As it is called where sessions are told of."""

    def close(self, code: int, reason: str) -> None:
        """Ask it to end. Any thread; does not block."""

    def drop(self) -> None:
        """Let go of a client that does not take its end. Any thread; does not block."""


class ServerEnd(Protocol):
    """The voice server's end of a connection: one of its own, or a part in a call."""

    def receive(self, text: str) -> None:
        """Take one message from the client; blocks while too many wait."""

    def receive_binary(self) -> None:
        """The client sent what is no text."""

    def close(self) -> None:
        """Ask it to end. Does not wait; may be called twice."""


Connect: TypeAlias = Callable[[Callable[[str], None], Callable[[Ending], None]], ServerEnd]
"""Takes what delivers a message to the client, and what is told of the end."""


class SocketSession:
    """One WebSocket joined to one connection of the voice server."""

    def __init__(self, socket_: WebSocket, beta: bool, model: str) -> None:
        self._socket = socket_
        self._beta = beta
        self.model = model
        self._connection: ServerEnd | None = None
        self.over = threading.Event()

    def run(self, connect: Connect) -> None:
        """Carry messages both ways until one side ends. Blocks. Raises what ``connect`` does."""
        connection = self._connection = connect(self._deliver, self._ended)
        try:
            for message in self._socket.messages():
                if isinstance(message, bytes):
                    connection.receive_binary()
                else:
                    connection.receive(ga_from_client(message) if self._beta else message)
        finally:
            connection.close()

    def finish(self) -> None:
        """Answer the client's farewell, and let go of it. The thread of :meth:`run`, behind that; blocks a bit."""
        self._socket.finish()

    def close(self, code: int, reason: str) -> None:
        """Ask it to end. Any thread."""
        self._socket.close(code, reason)
        if self._connection is not None:
            self._connection.close()

    def drop(self) -> None:
        """Let go of the client. Any thread."""
        self._socket.drop()

    def _deliver(self, text: str) -> None:
        for message in beta_from_server(text) if self._beta else (text,):
            # The reading thread ends the session: it may be about to tell the client why.
            with suppress(Gone):
                self._socket.send(message)

    def _ended(self, ending: Ending) -> None:
        if ending.problem:
            _LOG.warning("a session ended: %s", ending.problem)
        self._socket.close(ending.code, ending.reason)


def turn_away(socket_: WebSocket, problem: NotAllowed, *, beta: bool) -> None:
    """Say why, then close: the remote service answers wrong keys and wrong requests inside the WebSocket."""
    detail = ErrorDetail(type="invalid_request_error", code=problem.code, message=problem.message)
    text = server_event_to_json(ErrorEvent(event_id=new_id("event"), error=detail))
    try:
        for message in beta_from_server(text) if beta else (text,):
            socket_.send(message)
        socket_.close(problem.close_code, f"invalid_request_error.{problem.code}")
        for _ in socket_.messages():
            pass
    except Gone:
        pass
    finally:
        socket_.finish()
