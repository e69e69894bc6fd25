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
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import websocket

from realtime_cli.errors import ConnectionFailed, RealtimeError
from realtime_cli.ports import OnWire
from realtime_cli.protocol.redaction import hide, loggable
from realtime_cli.providers.endpoint import Endpoint
from realtime_cli.transport.dialing import Cancelled, dial
from realtime_cli.transport.failures import failed_handshake, lost, secrets_of
from realtime_cli.transport.liveness import Limits, Liveness, Verdict

CONNECT_TIMEOUT_S = 10.0
"""TCP, TLS and the websocket handshake together; servers on other continents need less than one."""

STALL_TIMEOUT_S = 20.0
"""How long one read or write may stand still in the middle of a message before the connection counts as lost."""

WAITING_BYTES = 32 << 10
"""How much the system may take that the network has not: half a second of speech. What waits for a slow network waits
in the program, where the oldest goes first."""

PROMPT_BYTES = 64 << 10
"""The longest message that the slowest network worth talking over passes on within seconds."""

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
        limits: Limits | None = None,
        on_wire: OnWire | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._connect_timeout_s = connect_timeout_s
        self._liveness = Liveness(limits or Limits())
        self._on_wire = on_wire
        self._closing = threading.Event()
        self._ended = threading.Event()
        self._failure: Exception | None = None
        self._unresponsive = False  # set before the socket is shut down because the server answers no more
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
                self._liveness.sending(time.monotonic() if len(text) <= PROMPT_BYTES else None)
                connection.send(text)
                self._liveness.sending(None)
        except (websocket.WebSocketException, OSError) as error:
            self._hang_up()
            self._ended.wait(FAREWELL_S)
            raise self._failure or self._why(error) from None
        if self._on_wire:
            self._on_wire("sent", loggable(text, secrets_of(self._endpoint)))

    def watch(self, *, urgent: bool, woke: bool = False) -> None:
        """See whether the server lives; one that does not is lost, and ``run`` says so. Any thread; does not wait."""
        if woke:
            self._liveness.woke()
        now = time.monotonic()
        verdict = self._liveness.judge(now, urgent=urgent)
        if verdict is Verdict.ASK:
            self._liveness.ask(now, self._ping)
        elif verdict is Verdict.DEAD:
            self._unresponsive = True
            self._hang_up()

    @property
    def silent_s(self) -> float:
        """For how long nothing has come from the server. Any thread."""
        return self._liveness.silent_s(time.monotonic())

    def close(self) -> None:
        """Ask ``run`` to end. Any thread; does not wait; may be called twice or before ``run``.

        While ``run`` resolves a name, which nothing can interrupt, it ends when that is done.
        """
        self._closing.set()
        self._say_farewell()
        self._hang_up()

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

        def lives(*_: Any) -> None:
            self._liveness.heard(time.monotonic())

        def opened(app: Any) -> None:
            sock.settimeout(STALL_TIMEOUT_S)
            _limit_unsent(sock)
            self._connection = app.sock
            lives()
            on_open()

        def received(_app: Any, data: bytes) -> None:
            lives()
            # The server knows the key, and may repeat it anywhere: nothing behind this line ever sees it.
            text = hide(self._text(data), secrets_of(self._endpoint))
            if self._on_wire:
                self._on_wire("received", loggable(text, secrets_of(self._endpoint)))
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
            on_ping=lives,
            on_pong=lives,
            socket=sock,
        )
        app.run_forever(
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
        raise self._why(error) from None

    def _why(self, error: Exception | None) -> ConnectionFailed:
        """What ended the connection, in words for the user."""
        if self._connection is None:
            return failed_handshake(error, self._endpoint)
        return lost(TimeoutError() if self._unresponsive else error, self._endpoint)

    def _text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise ConnectionFailed(
                f"{self._endpoint.where} sent something that is not text", "is this a Realtime endpoint?"
            ) from None

    def _ping(self) -> bool:
        """Send a ping if that takes no waiting: a message on its way, or a full buffer, will tell soon enough."""
        connection = self._connection
        if connection is None or not connection.connected or not self._sending.acquire(blocking=False):
            return False
        try:
            writable = connection.sock is not None and bool(select.select([], [connection.sock], [], 0)[1])
            if writable:
                connection.ping()
        except (websocket.WebSocketException, OSError, ValueError):
            return False  # closed meanwhile
        else:
            return writable
        finally:
            self._sending.release()

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


def _limit_unsent(sock: socket.socket) -> None:
    """Let the system keep little that is not sent yet, where it can be told so (Linux, macOS: tcp(7))."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, option, WAITING_BYTES)
