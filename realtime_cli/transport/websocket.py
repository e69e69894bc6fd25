"""The connection to a server on the network, over websocket-client's ``run_forever``.

What that library needs looking after, all seen in its version 1.9 (https://github.com/websocket-client/websocket-client):

- It catches what a handler raises and hands it to ``on_error``, bugs and lost connections alike. Here the first error
  ends the connection, and ``run`` raises it: translated if it is the network's, as it is if it is a bug.
- It checks UTF-8 byte by byte in Python: 3.4 ms for a 20 kB message. Without that, receiving one costs 54 µs of CPU
  all told (76 µs with TLS), and ``bytes.decode`` checks as well.
- It follows redirects and sends the key to wherever they lead.
- Its ``close`` waits up to three seconds and reads from the socket meanwhile; and after the server closed first, it
  leaves the socket open.
- It logs errors with the server's headers in them.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any, Literal

import msgspec
import websocket

from realtime_cli.errors import ConnectionFailed, RealtimeError
from realtime_cli.protocol.codec import from_json
from realtime_cli.protocol.error_codes import closed, detail_in, refused
from realtime_cli.protocol.items import ErrorDetail
from realtime_cli.protocol.redaction import loggable, redact
from realtime_cli.providers.endpoint import Endpoint
from realtime_cli.transport.dialing import Cancelled, dial

OnWire = Callable[[Literal["sent", "received"], str], None]
"""Told of each message, secrets hidden and audio shortened, on the thread that sends or receives it."""

CONNECT_TIMEOUT_S = 10.0
"""TCP, TLS and the websocket handshake together; servers on other continents need less than one."""

PING_INTERVAL_S = 15.0
PING_TIMEOUT_S = 10.0
"""With these a dead network is noticed within 10 to 35 s, also while nobody speaks; OpenAI itself pings each 20 s."""

STALL_TIMEOUT_S = 20.0
"""How long one read or write may stand still in the middle of a message before the connection counts as lost."""

FAREWELL_S = 2.0
"""How long a failed ``send`` waits for ``run`` to find out why, so that both tell the same."""

_NORMAL_CLOSURE = struct.pack("!H", websocket.STATUS_NORMAL)

logging.getLogger("websocket").setLevel(logging.CRITICAL + 1)


class WebSocketTransport:
    """One connection to ``endpoint``; a :class:`~realtime_cli.ports.Transport`. Not to be run twice."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        ping_interval_s: float = PING_INTERVAL_S,
        ping_timeout_s: float = PING_TIMEOUT_S,
        on_wire: OnWire | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._connect_timeout_s = connect_timeout_s
        self._ping_interval_s = ping_interval_s
        self._ping_timeout_s = ping_timeout_s
        self._on_wire = on_wire
        self._closing = threading.Event()
        self._ended = threading.Event()
        self._failure: Exception | None = None
        self._lock = threading.Lock()  # the socket is made and closed by run's thread while close may want to use it
        self._sock: socket.socket | None = None
        self._sending = threading.Lock()  # held while a message is on its way, so that close never waits behind one
        self._connection: websocket.WebSocket | None = None  # set once the handshake is done

    def run(self, on_open: Callable[[], None], on_message: Callable[[str], None]) -> None:
        """Connect, then hand over each message, until the connection ends. Own thread.

        Returns after :meth:`close`; raises ConnectionFailed when refused or lost. Both callbacks are called on this
        thread and must return at once; what they raise ends the connection and is raised here.
        """
        try:
            self._run(on_open, on_message)
        except RealtimeError as failure:
            self._failure = failure
            raise
        finally:
            self._ended.set()

    def send(self, text: str) -> None:
        """Send one message; blocks while the network does. Any thread. Raises ConnectionFailed, as ``run`` does."""
        connection = self._connection
        if connection is None:
            raise ConnectionFailed("there is no connection yet", "wait for the session to open")
        try:
            with self._sending:
                connection.send(text)
        except (websocket.WebSocketException, OSError) as error:
            self._hang_up()
            self._ended.wait(FAREWELL_S)
            raise self._failure or self._lost(error) from None
        if self._on_wire:
            self._on_wire("sent", loggable(text, self._secrets))

    def close(self) -> None:
        """Ask ``run`` to end. Any thread; does not wait; may be called twice or before ``run``.

        While ``run`` resolves a name, which nothing can interrupt, it ends when that is done.
        """
        self._closing.set()
        self._say_farewell()
        self._hang_up()

    @property
    def _secrets(self) -> tuple[str, ...]:
        return (self._endpoint.key,) if self._endpoint.key else ()

    def _run(self, on_open: Callable[[], None], on_message: Callable[[str], None]) -> None:
        try:
            sock = dial(self._endpoint.url, self._connect_timeout_s, self._closing)
        except Cancelled:
            return
        with self._lock:
            self._sock = sock
        try:
            if not self._closing.is_set():
                error = self._converse(sock, on_open, on_message)
                self._judge(error)
        finally:
            with self._lock:
                self._sock = None
                sock.close()

    def _converse(
        self, sock: socket.socket, on_open: Callable[[], None], on_message: Callable[[str], None]
    ) -> Exception | None:
        """Handshake, then messages to the end. Returns the first error, the library's own for a close included."""
        errors: list[Exception] = []

        def opened(app: Any) -> None:
            sock.settimeout(STALL_TIMEOUT_S)
            self._connection = app.sock
            on_open()

        def received(_app: Any, data: bytes) -> None:
            text = self._text(data)
            if self._on_wire:
                self._on_wire("received", loggable(text, self._secrets))
            on_message(text)

        def failed(app: Any, error: Exception) -> None:
            errors.append(error)
            app.keep_running = False
            # Before the library's own close, which would wait for the server's.
            self._say_farewell()
            self._hang_up()

        app = websocket.WebSocketApp(
            self._endpoint.url,
            header=dict(self._endpoint.headers),
            on_open=opened,
            on_message=received,
            on_error=failed,
            socket=sock,
        )
        app.run_forever(
            ping_interval=self._ping_interval_s,
            ping_timeout=self._ping_timeout_s,
            skip_utf8_validation=True,
            suppress_origin=True,
            # The library opens a socket of its own only to follow a redirect. An impossible proxy prevents that.
            proxy_type="http",
            http_proxy_host="redirected",
            http_proxy_port=0,
            http_no_proxy=["redirected"],
        )
        return errors[0] if errors else None

    def _judge(self, error: Exception | None) -> None:
        """Raise what ended the connection, unless that was asked for."""
        network = error is None or isinstance(error, websocket.WebSocketException | OSError)
        if self._closing.is_set() and network:
            return
        if error is not None and not network:
            raise error
        raise self._translated(error) from None

    def _translated(self, error: Exception | None) -> ConnectionFailed:
        target = self._endpoint.target
        if isinstance(error, websocket.WebSocketBadStatusException) and error.status_code:
            return refused(error.status_code, _detail(error.resp_body, self._secrets), target)
        if self._connection is None:
            return self._failed_handshake(error)
        if isinstance(error, websocket.WebSocketConnectionClosedException) and hasattr(error, "status_code"):
            return closed(error.status_code, redact(getattr(error, "reason", None) or "", self._secrets), target)
        return self._lost(error)

    def _failed_handshake(self, error: Exception | None) -> ConnectionFailed:
        where = self._endpoint.where
        if isinstance(error, websocket.WebSocketTimeoutException | TimeoutError):
            return ConnectionFailed(
                f"{where} took the connection but does not answer", "is this a Realtime endpoint? check --base-url"
            )
        if isinstance(error, websocket.WebSocketProxyException):
            return ConnectionFailed(f"{where} redirects elsewhere", "find out where it is now and use --base-url")
        if isinstance(error, websocket.WebSocketConnectionClosedException | OSError):
            return ConnectionFailed(
                f"{where} closes the connection at once", "is this a Realtime endpoint? ws:// or wss://?"
            )
        return ConnectionFailed(f"{where} is no websocket server", "check --base-url: is this a Realtime endpoint?")

    def _lost(self, error: Exception | None) -> ConnectionFailed:
        where = self._endpoint.where
        if isinstance(error, websocket.WebSocketTimeoutException | TimeoutError):
            return ConnectionFailed(f"{where} does not answer any more", "check the network")
        if isinstance(error, websocket.WebSocketProtocolException | websocket.WebSocketPayloadException):
            return ConnectionFailed(f"{where} breaks the websocket protocol", "check --base-url")
        why = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        return ConnectionFailed(f"the connection to {where} was lost{why}", "check the network")

    def _text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise ConnectionFailed(
                f"{self._endpoint.where} sent something that is not text", "is this a Realtime endpoint?"
            ) from None

    def _say_farewell(self) -> None:
        """Send a close frame, unless a message is stuck in a dead network: then there is nobody to say farewell to."""
        connection = self._connection
        if connection is None or not connection.connected or not self._sending.acquire(blocking=False):
            return
        try:
            with contextlib.suppress(websocket.WebSocketException, OSError):
                connection.send(_NORMAL_CLOSURE, websocket.ABNF.OPCODE_CLOSE)
        finally:
            self._sending.release()

    def _hang_up(self) -> None:
        """Wake ``run`` and whoever is stuck in ``send``: the socket comes to an end on both sides."""
        with self._lock, contextlib.suppress(OSError):
            if isinstance(self._sock, ssl.SSLSocket):
                # Its own shutdown would throw the TLS state away under the feet of the thread that reads.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
            elif self._sock is not None:
                self._sock.shutdown(socket.SHUT_RDWR)


def _detail(body: bytes | None, secrets: tuple[str, ...]) -> ErrorDetail:
    """What the body of an HTTP answer says went wrong, if it says so in JSON."""
    try:
        detail = detail_in(from_json(body or b""))
    except (ValueError, RecursionError):
        return ErrorDetail()
    return msgspec.structs.replace(detail, message=redact(detail.message, secrets))
