"""The listening socket and what becomes of those who connect: HTTP answers, and WebSockets as sessions.

Every client has a thread that reads, and every session one that decides and sends
(:class:`~realtime_cli.server.connection.Connection`).
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from realtime_cli.errors import ConfigError
from realtime_cli.protocol.conversation_events import ErrorEvent
from realtime_cli.protocol.items import ErrorDetail
from realtime_cli.protocol.server_events import server_event_to_json
from realtime_cli.server.connection import Connection, Ending
from realtime_cli.server.core.core import GOING_AWAY, SessionPlan
from realtime_cli.server.local_server import LocalServer, new_id
from realtime_cli.server.socket.admission import Asked, NotAllowed, Wanted, no_room
from realtime_cli.server.socket.beta import beta_from_server, ga_from_client
from realtime_cli.server.socket.http_routes import (
    MOST_BODY_BYTES,
    ROUTES,
    Answer,
    HttpRequest,
    Route,
    Site,
    answer,
    error,
)
from realtime_cli.server.socket.websocket import BINARY, READ_BYTES, Gone, WebSocket

_LOG = logging.getLogger(__name__)

REALTIME_PATH = "/v1/realtime"

MOST_MESSAGE_BYTES = 21 * 1024 * 1024
"""15 MiB of audio, the documented limit of an event, in base64, and its event around it."""

REQUEST_S = 10.0
"""For a request to arrive, and for its answer to be taken."""

CLOSING_POLL_S = 0.1
"""How often the accepting thread looks whether it is to end."""

MOST_DISCARDED_BYTES = 16_000_000
"""Of a request's body that is too long."""

MOST_WAITING = 64
"""Clients beyond the sessions: HTTP requests, and handshakes under way. More are turned away unread."""


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


class SocketServer:
    """Listens until it is closed. :meth:`start` begins; any thread closes."""

    def __init__(
        self,
        site: Site,
        address: tuple[socket.AddressFamily, str, int],
        *,
        routes: Mapping[tuple[str, str], Route] = ROUTES,
        on_session: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Binds at once; who connects waits until :meth:`start`. Port 0 takes a free one. ``on_session`` gets a line
        for each session that begins or ends, on its threads. Raises ConfigError when the address cannot be had."""
        self._voice: LocalServer | None = None
        self.site = site
        self.routes = routes
        self._on_session = on_session
        self._closing = threading.Event()
        # Clients come and go on threads of their own.
        self._lock = threading.Lock()
        self._sessions: set[Held] = set()
        self._clients = 0
        try:
            self._listener = _Listener(address, self)
        except OSError as problem:
            _family, host, port = address
            reason = problem.strerror or f"{problem}"
            remedy = "choose another with --host and --port"
            raise ConfigError(f"cannot listen on {host}:{port} ({reason})", remedy) from problem
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(CLOSING_POLL_S,), name="socket-server", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._listener.server_address[1])

    @property
    def sessions(self) -> int:
        """How many sessions are held."""
        return len(self._sessions)

    @property
    def waiting(self) -> int:
        """How many utterances and sentences of theirs wait for an engine."""
        return self._voice.engines.waiting if self._voice else 0

    def start(self, voice: LocalServer | None) -> None:
        """Begin to answer, with sessions of ``voice`` if there are to be any. Does not block."""
        self._voice = voice
        self._thread.start()

    def close(self, within_s: float = 1.0) -> None:
        """Take no more clients, end all sessions with 1001, wait for them. Any other thread; may be called twice."""
        deadline = time.monotonic() + within_s
        self._closing.set()
        if self._thread.is_alive():
            self._listener.shutdown()
        self._listener.server_close()
        with self._lock:
            sessions = tuple(self._sessions)
        for session in sessions:
            session.close(GOING_AWAY, "the server is shutting down")
        for session in sessions:
            if not session.over.wait(max(0.0, deadline - time.monotonic())):
                session.drop()

    def enter(self) -> bool:
        """A client has connected; False: there are too many."""
        with self._lock:
            if self._clients >= self.site.limits.sessions + MOST_WAITING:
                return False
            self._clients += 1
            return True

    def leave(self) -> None:
        """A client has gone."""
        with self._lock:
            self._clients -= 1

    def hold(self, asked: Asked, socket_: WebSocket) -> None:
        """Hold the session that a client asks for, until either ends it. On the client's thread."""
        try:
            wanted = self.site.policy.session(asked, time.time())
            plan = self.plan(wanted)
            session = _Session(socket_, asked.speaks_beta, plan.model)
            self.take_place(session)
        except NotAllowed as problem:
            _turn_away(socket_, problem, beta=asked.speaks_beta)
            return
        voice = self._voice
        assert voice is not None, "nobody is served before the start"  # noqa: S101 -- for the type
        try:
            session.run(voice, plan)
        finally:
            # The place first: a client that comes back at once must find it.
            self.give_up_place(session)
            session.over.set()

    def take_place(self, session: Held) -> None:
        """Count a session, by whatever way its client came. Any thread. Raises NotAllowed when all places are taken."""
        with self._lock:
            if self._closing.is_set() or len(self._sessions) >= self.site.limits.sessions:
                raise no_room(self.site.limits.sessions)
            self._sessions.add(session)
        self._tell(session, "began")

    def give_up_place(self, session: Held) -> None:
        """The session is over. Any thread."""
        with self._lock:
            self._sessions.discard(session)
        self._tell(session, "ended")

    def _tell(self, session: Held, what: str) -> None:
        self._on_session(f"session of {session.model} {what} ({self.sessions} of {self.site.limits.sessions})")

    def plan(self, wanted: Wanted) -> SessionPlan:
        """What a session is to be that begins now."""
        lifetime_s = self.site.limits.session_minutes * 60
        return SessionPlan(
            model=wanted.model or self.site.models[0],
            kind=wanted.kind,
            settings=wanted.grant.settings if wanted.grant else None,
            expires_at=int(time.time() + lifetime_s),
            lifetime_s=lifetime_s,
            idle_s=self.site.limits.idle_minutes * 60,
        )


class _Session:
    """One WebSocket joined to one connection of the voice server."""

    def __init__(self, socket_: WebSocket, beta: bool, model: str) -> None:
        self._socket = socket_
        self._beta = beta
        self.model = model
        self._connection: Connection | None = None
        self.over = threading.Event()

    def run(self, voice: LocalServer, plan: SessionPlan) -> None:
        """Carry messages both ways until one side ends. Blocks."""
        connection = self._connection = voice.connect(self._deliver, self._ended, plan)
        try:
            for message in self._socket.messages():
                if message is BINARY or isinstance(message, bytes):
                    connection.receive_binary()
                else:
                    connection.receive(ga_from_client(message) if self._beta else message)
        finally:
            connection.close()
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


def _turn_away(socket_: WebSocket, problem: NotAllowed, *, beta: bool) -> None:
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


class _Listener(ThreadingHTTPServer):
    """The accepting socket; a thread for each client."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    allow_reuse_address = True

    def __init__(self, address: tuple[socket.AddressFamily, str, int], owner: SocketServer) -> None:
        self.owner = owner
        self.address_family, host, port = address
        super().__init__((host, port), _Client)

    def server_bind(self) -> None:
        """Without the look-up of the own name, which may take seconds (http.server does one)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Turn clients away when there are far too many."""
        if self.owner.enter():
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.owner.leave()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 -- the base class's signature
        """A client that went away in the middle is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            _LOG.debug("a client's thread failed", exc_info=True)


class _Client(BaseHTTPRequestHandler):
    """One client's thread: HTTP requests until it leaves, or becomes a session."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"
    """Of what names none; as HTTP/0.9 it would get an answer without a status."""
    timeout = REQUEST_S
    rbufsize = 0
    """Unbuffered: what follows a handshake is the WebSocket's."""
    server: Any

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
    def _owner(self) -> SocketServer:
        owner: SocketServer = self.server.owner
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
            self._become_websocket(asked)
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

    def _become_websocket(self, asked: Asked) -> None:
        self.close_connection = True
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
            self.send_header("Access-Control-Allow-Headers", "Authorization, Content-Type, OpenAI-Beta")
            self.send_header("Access-Control-Allow-Methods", "GET, POST")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(made.body)


_HANDSHAKE = frozenset(
    {"host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"}
)
"""Headers of the opening handshake (RFC 6455, 4.1)."""
