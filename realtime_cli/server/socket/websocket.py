"""One WebSocket, server side: the protocol by ``websockets`` without its I/O, the socket by us.

https://websockets.readthedocs.io/en/stable/howto/sansio.html. One thread reads; any thread sends. ``websockets``' own
threaded connection has two threads more for each client.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

PING_S = 20.0
"""A client from which nothing came for so long is asked for a sign of life, and given up after as long again; the
remote service asks as often."""

SEND_S = 30.0
"""A client that takes nothing for so long is given up: what is sent to it would be kept for ever."""

CLOSE_S = 2.0
"""For the other side's half of the closing handshake."""

FOR_EVER = -1.0
"""As a time-out of a lock."""

TICK_S = 0.5
"""How often a waiting reader looks at the time."""

READ_BYTES = 65_536

MOST_REASON_BYTES = 123
"""RFC 6455, 5.5.1."""

INVALID_DATA = 1007
"""A text message that is no UTF-8 (RFC 6455, 7.4.1)."""

BINARY = b""
"""Stands for a binary message, which the protocol does not have."""


class Gone(Exception):
    """The connection is over."""


class WebSocket:
    """A socket whose opening handshake has been read."""

    def __init__(self, sock: socket.socket, most_bytes: int) -> None:
        """``most_bytes``: a larger message ends the connection with 1009."""
        self.sock = sock
        self._protocol = ServerProtocol(select_subprotocol=_select, max_size=most_bytes)
        # The protocol is one state machine for the reading and the sending threads, and what it wants sent leaves in
        # the order in which it wanted it.
        self._state = threading.Lock()
        self._unsent: deque[bytes] = deque()
        # Not the same lock: a client that reads slowly must not keep its own messages from being read, or both sides
        # wait for each other.
        self._writing = threading.Lock()
        self._close_by: float | None = None
        """When the other side's half of the closing handshake has to be there."""

    def accept(self, path: str, headers: Mapping[str, str]) -> bool:
        """Answer the handshake; False when it was wrong, and the client has been told. Raises Gone.

        The request was read by the HTTP server; of it the library gets only what it needs, and so no key.
        """
        self.sock.settimeout(SEND_S)
        head = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        with self._state:
            self._protocol.receive_data("\r\n".join(head).encode("latin-1", "replace"))
            for request in self._protocol.events_received():
                if isinstance(request, Request):
                    self._protocol.send_response(self._protocol.accept(request))
            self._collect()
            accepted = self._protocol.state is State.OPEN
        self._flush()
        return accepted

    def messages(self) -> Iterator[str | bytes]:
        """Text messages as they come, and BINARY for others. Ends with the connection. One thread; blocks."""
        parts: list[Frame] = []
        over = False
        with selectors.DefaultSelector() as selector:
            selector.register(self.sock, selectors.EVENT_READ)
            while not over and self._wait(selector):
                frames, over = self._receive()
                for frame in frames:
                    if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                        continue
                    parts.append(frame)
                    if frame.fin:
                        message, parts = _joined(parts), []
                        if message is None:
                            self.close(INVALID_DATA, "invalid UTF-8")
                        else:
                            yield message

    def send(self, text: str) -> None:
        """Send a text message. Any thread; blocks while the client takes nothing. Raises Gone."""
        with self._state:
            if self._protocol.state is not State.OPEN:
                raise Gone
            self._protocol.send_text(text.encode())
            self._collect()
        self._flush()

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; :meth:`messages` ends with it. Any thread; may be called twice."""
        with self._state:
            if self._protocol.state is not State.OPEN:
                return
            self._protocol.send_close(code, reason.encode()[:MOST_REASON_BYTES].decode(errors="ignore"))
            self._collect()
            self._close_by = time.monotonic() + CLOSE_S
        with suppress(Gone):
            # A client that takes nothing keeps who sends to it waiting, but not who ends it.
            self._flush(0)

    def finish(self) -> None:
        """Answer the client's closing handshake, and let go of the socket. The reading thread; blocks a bit."""
        with suppress(Gone):
            self._flush(CLOSE_S)
        self.drop()

    def drop(self) -> None:
        """Let go of the socket at once. Any thread; may be called twice."""
        with suppress(OSError):  # the client was faster
            self.sock.shutdown(socket.SHUT_RDWR)

    def _wait(self, selector: selectors.BaseSelector) -> bool:
        """Wait until something comes; False when nothing will."""
        asked = False
        heard_at = time.monotonic()
        while not selector.select(TICK_S):
            now = time.monotonic()
            if self._close_by is not None:
                if now >= self._close_by:
                    return False
            elif now - heard_at >= PING_S:
                if asked or not self._ping():
                    return False
                asked, heard_at = True, now
        return True

    def _receive(self) -> tuple[list[Frame], bool]:
        """What came, and whether it was the last."""
        try:
            data = self.sock.recv(READ_BYTES)
        except OSError:
            data = b""
        with self._state:
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            frames = [event for event in self._protocol.events_received() if isinstance(event, Frame)]
            self._collect()
            if self._protocol.state is not State.OPEN and self._close_by is None:
                self._close_by = time.monotonic() + CLOSE_S
            over = not data or self._protocol.state is State.CLOSED or _is_last(frames)
        if over:
            return frames, True  # the answer to a farewell is sent by finish, when all else is seen to
        try:
            self._flush(0)
        except Gone:
            return frames, True
        return frames, False

    def _ping(self) -> bool:
        with self._state:
            if self._protocol.state is not State.OPEN:
                return False
            self._protocol.send_ping(b"")
            self._collect()
        try:
            self._flush(0)
        except Gone:
            return False
        return True

    def _collect(self) -> None:
        """Note what the protocol wants sent; under its lock."""
        self._unsent.extend(self._protocol.data_to_send())

    def _flush(self, wait_s: float = FOR_EVER) -> None:
        """Send what is unsent. Whoever is sending just now will, if that takes longer than ``wait_s``. Raises Gone."""
        while self._unsent:
            if not self._writing.acquire(timeout=wait_s):
                return
            try:
                while self._unsent:
                    chunk = self._unsent.popleft()
                    if chunk:
                        self.sock.sendall(chunk)
                    else:
                        self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                self._unsent.clear()
                self.drop()
                raise Gone from None
            finally:
                self._writing.release()


def _is_last(frames: list[Frame]) -> bool:
    """The client's half of the closing handshake: the other was sent before, or is its answer."""
    return bool(frames) and frames[-1].opcode is Opcode.CLOSE


def _select(_protocol: ServerProtocol, offered: object) -> Subprotocol | None:
    """``realtime`` if it is offered. Never the one that holds the key; and to clients that offer none, none."""
    return Subprotocol("realtime") if isinstance(offered, list | tuple) and "realtime" in offered else None


def _joined(parts: list[Frame]) -> str | bytes | None:
    """The message in its fragments; None when it is no text."""
    if parts[0].opcode is Opcode.BINARY:
        return BINARY
    try:
        return b"".join(part.data for part in parts).decode()
    except UnicodeDecodeError:
        return None
