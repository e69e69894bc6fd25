"""The listening socket and what becomes of those who connect: HTTP answers, and WebSockets as sessions.

Every client has a thread that reads, and every session one that decides and sends
(:class:`~realtime_cli.server.connection.Connection`).
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from realtime_cli.errors import ConfigError
from realtime_cli.server.connection import Ending
from realtime_cli.server.core.core import GOING_AWAY, SessionPlan
from realtime_cli.server.local_server import LocalServer
from realtime_cli.server.socket.admission import WRONG_REQUEST_CODE, Asked, NotAllowed, Wanted, no_room
from realtime_cli.server.socket.http_listener import Listener
from realtime_cli.server.socket.http_routes import ROUTES, Route, Site
from realtime_cli.server.socket.socket_session import Held, ServerEnd, SocketSession, turn_away
from realtime_cli.server.socket.waiting_room import WaitingRoom
from realtime_cli.server.socket.websocket import WebSocket

CLOSING_POLL_S = 0.1
"""How often the accepting thread looks whether it is to end."""


class Joinable(Protocol):
    """A call that a client may join."""

    def connect(self, deliver: Callable[[str], None], ended: Callable[[Ending], None]) -> ServerEnd:
        """Join it: what delivers a message to the client, and what is told of the end. Raises NotAllowed."""


class CallBook(Protocol):
    """The calls that are held."""

    def find(self, call_id: str, asked: Asked, now: float) -> Joinable:
        """The call that a request wants to join. Raises NotAllowed."""


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
        self._sidebands: set[Held] = set()
        self.waiting_room = WaitingRoom(_shut)
        self.calls: CallBook | None = None
        """Calls that may be joined."""
        try:
            self._listener = Listener(address, self)
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
            sessions, sidebands = tuple(self._sessions), tuple(self._sidebands)
        # The end of a call is that of its sidebands.
        for session in sessions:
            session.close(GOING_AWAY, "the server is shutting down")
        for session in (*sessions, *sidebands):
            if not session.over.wait(max(0.0, deadline - time.monotonic())):
                session.drop()

    def check_upgrade(self, asked: Asked) -> None:
        """Before a WebSocket is accepted. Raises NotAllowed for a call that cannot be joined, which the remote service
        refuses over HTTP; all else it refuses inside the WebSocket."""
        call_id = asked.query("call_id")
        try:
            if call_id is not None:
                self._called(call_id, asked)
        except NotAllowed as problem:
            if problem.status == 404:
                raise

    def hold(self, asked: Asked, websocket: WebSocket) -> None:
        """Hold the session that a client asks for, or its part in a call, until it ends. On the client's thread."""
        call_id = asked.query("call_id")
        try:
            if call_id is None:
                self._hold_session(asked, websocket)
            else:
                self._hold_sideband(asked, websocket, self._called(call_id, asked))
        except NotAllowed as problem:
            turn_away(websocket, problem, beta=asked.speaks_beta)

    def _hold_session(self, asked: Asked, websocket: WebSocket) -> None:
        plan = self.plan(self.site.policy.session(asked, time.time()))
        voice = self._voice
        assert voice is not None, "nobody is served before the start"  # noqa: S101 -- for the type
        session = SocketSession(websocket, asked.speaks_beta, plan.model)
        self.take_place(session)
        try:
            self.waiting_room.leave(websocket.sock)
            session.run(lambda deliver, ended: voice.connect(deliver, ended, plan))
        finally:
            # The place first: a client that comes back as soon as its farewell is answered must find it.
            self.give_up_place(session)
            session.finish()
            session.over.set()

    def _hold_sideband(self, asked: Asked, websocket: WebSocket, call: Joinable) -> None:
        """The call has a place already, and how many may join it is the call's affair."""

        def connect(deliver: Callable[[str], None], ended: Callable[[Ending], None]) -> ServerEnd:
            joined = call.connect(deliver, ended)
            self.waiting_room.leave(websocket.sock)
            return joined

        sideband = SocketSession(websocket, asked.speaks_beta, "a call")
        with self._lock:
            self._sidebands.add(sideband)
        try:
            sideband.run(connect)
            sideband.finish()
        finally:
            with self._lock:
                self._sidebands.discard(sideband)
            sideband.over.set()

    def _called(self, call_id: str, asked: Asked) -> Joinable:
        """Raises NotAllowed."""
        if self.calls is None:
            raise NotAllowed(404, WRONG_REQUEST_CODE, "call_id_not_found", "This server takes no calls.")
        return self.calls.find(call_id, asked, time.time())

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


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):  # the client was faster
        sock.shutdown(socket.SHUT_RDWR)
