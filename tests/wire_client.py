"""The websocket transport as the session runs it, for tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from realtime_cli.errors import ConnectionFailed, RealtimeError
from realtime_cli.providers.endpoint import Endpoint, endpoint
from realtime_cli.providers.profiles import CUSTOM
from realtime_cli.transport.websocket import WebSocketTransport
from tests.scripted_server import HttpAnswer, Raw, Script, ScriptedServer
from tests.waiting import PATIENCE_S

KEY = "sk-proj-AbCdEfGhIjKlMnOpQrSt"


def reach(url: str) -> Endpoint:
    return endpoint(CUSTOM, {"OPENAI_API_KEY": KEY}, base_url=url, model="gpt-realtime-2.1")


class Client:
    """A transport on a thread of its own, as the session runs it."""

    def __init__(self, url: str, **options: Any) -> None:
        self.transport = WebSocketTransport(reach(url), **options)
        self.messages: list[str] = []
        self.opened = threading.Event()
        self.error: BaseException | None = None
        self._ended = False
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.transport.run(self.opened.set, self._take)
        except RealtimeError as error:
            self.error = error
        finally:
            with self._arrived:
                self._ended = True
                self._arrived.notify_all()

    def _take(self, message: str) -> None:
        with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()

    def wait_for(self, count: int) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.messages) >= count or self._ended, PATIENCE_S)
            assert len(self.messages) >= count, (
                f"the connection ended after {len(self.messages)} messages: {self.error}"
            )

    def wait_open(self) -> None:
        assert self.opened.wait(PATIENCE_S)

    @property
    def running(self) -> bool:
        """Whether the connection lasts; waits a moment for its end."""
        self._thread.join(0.02)
        return self._thread.is_alive()

    def join(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def close(self) -> None:
        self.transport.close()
        self.join()


@contextmanager
def connected(url: str, **options: Any) -> Iterator[Client]:
    client = Client(url, **options)
    try:
        client.wait_open()
        yield client
    finally:
        client.close()


def error_of(script: Script | HttpAnswer | Raw, **options: Any) -> ConnectionFailed:
    """How the connection fails when the server does this."""
    with ScriptedServer(script) as server:
        transport = WebSocketTransport(reach(server.url), **options)
        with pytest.raises(ConnectionFailed) as failed:
            transport.run(lambda: None, lambda _: None)
    return failed.value


def failure_of(script: Script | HttpAnswer | Raw, **options: Any) -> str:
    """What the user reads when the server does this."""
    error = error_of(script, **options)
    text = str(error)
    assert KEY not in text
    assert KEY not in repr(error)
    assert "\n" not in text
    return text


def send_until_it_fails(transport: WebSocketTransport, message: str = "{}") -> ConnectionFailed:
    """Send over and over; what it fails with."""
    while True:
        try:
            transport.send(message)
        except ConnectionFailed as failure:
            return failure


@contextmanager
def full_queue(listener: socket.socket) -> Iterator[str]:
    """The URL of a listener that answers no further connection."""
    waiting: list[socket.socket] = []
    try:
        while True:
            filler = socket.socket()
            waiting.append(filler)
            filler.settimeout(0.2)
            filler.connect(listener.getsockname())
    except TimeoutError:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        for filler in waiting:
            filler.close()
