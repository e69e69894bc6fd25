"""A transport without a network: the voice server runs in this process, and the messages are the same JSON texts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from queue import SimpleQueue
from typing import Literal, Protocol, TypeAlias

from realtime_cli.errors import ConnectionFailed
from realtime_cli.ports import OnWire
from realtime_cli.protocol.redaction import loggable
from realtime_cli.server.connection import Ending
from realtime_cli.server.core.core import SessionPlan

Kind = Literal["realtime", "transcription"]
"""What a session is for: a conversation, or transcripts alone."""


class ServerEnd(Protocol):
    """The server's end of a connection."""

    def receive(self, text: str) -> None:
        """Take one message from the client; may block for a moment."""

    def close(self) -> None:
        """Ask the connection to end."""


class VoiceServer(Protocol):
    """What the transport connects to."""

    def connect(self, deliver: Callable[[str], None], ended: Callable[[Ending], None], plan: SessionPlan) -> ServerEnd:
        """A new connection; both callbacks come on a thread of the server's, ``ended`` once and last."""

    def close(self) -> None:
        """End the server; blocks for at most some seconds."""


MakeServer: TypeAlias = Callable[[Callable[[str], None], Callable[[], bool]], VoiceServer]
"""Loads a server: called with a taker of short lines about the progress, and a question whether to stop.

Blocks for seconds. Raises :mod:`realtime_cli.errors`, or CancelledError when it was to stop.
"""


class LoopbackTransport:
    """One connection to a server in this process (:class:`realtime_cli.ports.Transport`)."""

    def __init__(
        self,
        make_server: MakeServer,
        on_notice: Callable[[str], None],
        kind: Kind = "realtime",
        *,
        on_wire: OnWire | None = None,
    ) -> None:
        """``on_notice`` is told how the loading goes, on any thread; ``on_wire`` gets what passes, fit for a log."""
        self._on_wire = on_wire
        self._kind = kind
        self._make_server = make_server
        self._on_notice = on_notice
        self._messages: SimpleQueue[str | Ending] = SimpleQueue()
        self._closing = threading.Event()
        self._server_end: ServerEnd | None = None

    def run(self, on_open: Callable[[], None], on_message: Callable[[str], None]) -> None:
        """Load the server, connect, then hand over each message, until :meth:`close`. Own thread.

        Raises whatever the loading raises, usually ConfigError, and ConnectionFailed when the server breaks.
        """
        try:
            server = self._make_server(self._on_notice, self._closing.is_set)
        except CancelledError:
            return
        try:
            server_end = server.connect(self._messages.put, self._messages.put, SessionPlan(kind=self._kind))
            self._server_end = server_end
            on_open()
            while not isinstance(message := self._messages.get(), Ending):
                if self._on_wire:
                    self._on_wire("received", loggable(message))
                on_message(message)
            server_end.close()
        finally:
            server.close()
        if message.problem is not None:
            raise ConnectionFailed(message.problem)

    def send(self, text: str) -> None:
        """Send one message; blocks while the server has too many to take. Raises ConnectionFailed until connected."""
        if self._server_end is None:
            raise ConnectionFailed("the local voice server is not connected yet")
        self._server_end.receive(text)
        if self._on_wire:
            self._on_wire("sent", loggable(text))

    def watch(self, *, urgent: bool, woke: bool = False) -> None:
        """Nothing: what is in this process is there."""

    @property
    def silent_s(self) -> float:
        """Always 0.0: no silence here means anything."""
        return 0.0

    def close(self) -> None:
        """Ask ``run`` to end. Any thread; does not wait; may be called twice or before ``run``."""
        self._closing.set()
        self._messages.put(Ending())
