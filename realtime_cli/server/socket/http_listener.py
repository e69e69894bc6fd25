"""The accepting socket and a thread for each client: HTTP requests until it leaves, or becomes a WebSocket.

The standard library reads the requests; ``websockets`` takes none that has a body.
"""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from realtime_cli.server.socket.admission import Asked, NotAllowed
from realtime_cli.server.socket.http_routes import MOST_BODY_BYTES, Answer, HttpRequest, Route, Site, answer, error
from realtime_cli.server.socket.waiting_room import WaitingRoom
from realtime_cli.server.socket.websocket import READ_BYTES, WebSocket

_LOG = logging.getLogger(__name__)

REALTIME_PATH = "/v1/realtime"

MOST_MESSAGE_BYTES = 21 * 1024 * 1024
"""15 MiB of audio, the documented limit of an event, in base64, and its event around it."""

REQUEST_S = 10.0
"""For a request to arrive, and for its answer to be taken."""

MOST_DISCARDED_BYTES = 16_000_000
"""Of a request's body that is too long."""


class Owner(Protocol):
    """Who the clients are clients of."""

    site: Site
    routes: Mapping[tuple[str, str], Route]

    @property
    def sessions(self) -> int:
        """How many sessions are held."""

    @property
    def waiting(self) -> int:
        """How many utterances and sentences of theirs wait for an engine."""

    @property
    def waiting_room(self) -> WaitingRoom[socket.socket]:
        """Where clients are as long as they hold no session."""

    def check_upgrade(self, asked: Asked) -> None:
        """Before a WebSocket is accepted. Raises NotAllowed for what is refused over HTTP."""

    def hold(self, asked: Asked, websocket: WebSocket) -> None:
        """Hold the session that a client asks for, until either ends it. On the client's thread."""


class Listener(ThreadingHTTPServer):
    """The accepting socket; a thread for each client."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    allow_reuse_address = True

    def __init__(self, address: tuple[socket.AddressFamily, str, int], owner: Owner) -> None:
        self.owner = owner
        self.address_family, host, port = address
        super().__init__((host, port), HttpClient)

    def server_bind(self) -> None:
        """Without the look-up of the own name, which may take seconds (http.server does one)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Turn clients away when there are far too many."""
        if self.owner.waiting_room.enter(request):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.owner.waiting_room.leave(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 -- the base class's signature
        """A client that went away in the middle is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            _LOG.debug("a client's thread failed", exc_info=True)


class HttpClient(BaseHTTPRequestHandler):
    """One client's thread: HTTP requests until it leaves, or becomes a session."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"
    """Of what names none; as HTTP/0.9 it would get an answer without a status."""
    timeout = REQUEST_S
    rbufsize = 0
    """Unbuffered: what follows a handshake is the WebSocket's."""
    server: Any

    def handle_one_request(self) -> None:
        """Read a request and answer it."""
        self._owner.waiting_room.is_answered(self.connection)
        super().handle_one_request()

    def do_GET(self) -> None:
        """``GET``: a WebSocket, or an answer."""
        self._serve()

    do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 -- http.server's names

    def version_string(self) -> str:
        """Says nothing of versions."""
        return "realtime-cli"

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What is no HTTP at all gets the same kind of answer as everything else."""
        self.close_connection = True
        self._send(error(code, "invalid_request_error", None, f"{HTTPStatus(code).phrase}."), None)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: their lines may hold keys."""

    @property
    def _owner(self) -> Owner:
        owner: Owner = self.server.owner
        return owner

    def _serve(self) -> None:
        headers = {name.lower(): ", ".join(self.headers.get_all(name) or ()) for name in self.headers}
        asked = Asked("GET" if self.command == "HEAD" else self.command, self.path, headers)
        try:
            origin = self._owner.site.policy.check_page(asked)
        except NotAllowed as problem:
            self._send(error(problem.status, "invalid_request_error", problem.code, problem.message), None)
            return
        if asked.wants_websocket and asked.path == REALTIME_PATH:
            self._become_websocket(asked, origin)
            return
        if asked.path == REALTIME_PATH and asked.method == "GET":
            self._send(error(426, "invalid_request_error", None, "This is a WebSocket endpoint."), origin)
            return
        if self.command == "OPTIONS":
            self._send(Answer(204, b""), origin)
            return
        body = self._body()
        if body is None:
            self.close_connection = True
            self._send(error(413, "invalid_request_error", None, f"More than {MOST_BODY_BYTES} bytes."), origin)
            return
        self._owner.waiting_room.has_asked(self.connection)
        request = HttpRequest(asked, body, time.time(), self._owner.sessions, self._owner.waiting)
        self._send(answer(self._owner.site, self._owner.routes, request), origin)

    def _body(self) -> bytes | None:
        """The request's body; None when it is too long or of no stated length."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return None
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            return None
        if int(length) > MOST_BODY_BYTES:
            # A client that still writes when the connection is closed never reads why.
            for _ in self._parts(min(int(length), MOST_DISCARDED_BYTES)):
                pass
            return None
        return b"".join(self._parts(int(length)))

    def _parts(self, left: int) -> Iterator[bytes]:
        """So many bytes of the request, as they come."""
        while left and (part := self.rfile.read(min(left, READ_BYTES))):
            yield part
            left -= len(part)

    def _become_websocket(self, asked: Asked, origin: str | None) -> None:
        self._owner.waiting_room.has_asked(self.connection)
        self.close_connection = True
        try:
            self._owner.check_upgrade(asked)
        except NotAllowed as problem:
            self._send(error(problem.status, "invalid_request_error", problem.code, problem.message), origin)
            return
        websocket = WebSocket(self.connection, MOST_MESSAGE_BYTES)
        # The key among the subprotocols is not the library's business.
        wanted = {name: value for name, value in asked.headers.items() if name in _HANDSHAKE}
        if "realtime" in asked.subprotocols:
            wanted["sec-websocket-protocol"] = "realtime"
        if websocket.accept(asked.path, wanted):
            self._owner.hold(asked, websocket)

    def _send(self, made: Answer, origin: str | None) -> None:
        self.send_response(made.status)
        self.send_header("Content-Type", made.content_type)
        self.send_header("Content-Length", str(len(made.body)))
        for name, value in made.headers.items():
            self.send_header(name, value)
        if made.status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        if origin is not None:
            self.send_header("Access-Control-Allow-Origin", origin)
            self.send_header("Vary", "Origin")
            # Clients bring names of their own (X-OpenAI-Agents-SDK), and who may come has been decided by the origin.
            asked_for = self.headers.get("Access-Control-Request-Headers", "Authorization, Content-Type")
            self.send_header("Access-Control-Allow-Headers", " ".join(asked_for.split()))
            self.send_header("Access-Control-Allow-Methods", "GET, POST")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(made.body)


_HANDSHAKE = frozenset(
    {"host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"}
)
"""Headers of the opening handshake (RFC 6455, 4.1)."""
