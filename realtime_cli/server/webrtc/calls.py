"""Calls by WebRTC: the HTTP interface that begins and ends them, who may join one, and the thread that they run on."""

from __future__ import annotations

import asyncio
import hmac
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from typing import TYPE_CHECKING, TypeAlias

from realtime_cli.server.connection import Connection, Ending
from realtime_cli.server.core.core import GOING_AWAY, SessionPlan
from realtime_cli.server.local_server import LocalServer, new_id
from realtime_cli.server.socket.admission import WRONG_REQUEST_CODE, Asked, NotAllowed
from realtime_cli.server.socket.http_routes import Answer, HttpRequest, Route, Site
from realtime_cli.server.webrtc.offers import read_offer, with_session
from realtime_cli.server.webrtc.sideband import Sideband, no_such_call

if TYPE_CHECKING:
    from realtime_cli.server.socket.socket_server import SocketServer
    from realtime_cli.server.webrtc.call import Call

CALLS_PATH = "/v1/realtime/calls"
HANGUP_PATH = f"{CALLS_PATH}/{{id}}/hangup"

ANSWER_S = 10.0
"""For the answer to an offer; it takes as long as names of other machines in it need to be found."""

ENCODERS = 2
"""Threads on which aiortc encodes."""

INSTALL = "pip install 'realtime-voice-cli[web]'"


_Loop: TypeAlias = tuple[asyncio.AbstractEventLoop, asyncio.Event]
"""A loop that runs, and what lets it end; the event is set on the loop's thread."""


class Calls:
    """The calls of a server. Its thread begins with the first one, and so does the import of aiortc."""

    def __init__(self, server: SocketServer, voice: LocalServer) -> None:
        """Answers for ``server``, whose places the calls take and whose clients may join them, with sessions of
        ``voice``."""
        self._server = server
        server.calls = self
        self._voice = voice
        # Requests come on threads of their own, and calls end on the loop's.
        self._lock = threading.Lock()
        self._calls: dict[str, Call] = {}
        self._loop: _Loop | None = None
        self._thread: threading.Thread | None = None

    @property
    def routes(self) -> Mapping[tuple[str, str], Route]:
        """For the server's table."""
        return {("POST", CALLS_PATH): self._begin, ("POST", HANGUP_PATH): self._hang_up}

    def joining(self, call_id: str) -> Joining:
        """What :class:`~realtime_cli.transport.loopback.LoopbackTransport` connects to, to join a call from this
        process. Any thread. Raises NotAllowed for a call that is not there."""
        return Joining(self._called(call_id))

    def find(self, call_id: str, asked: Asked, now: float) -> Joining:
        """The same for who asks for it. To those who may not join, and who may not know, there is no such call: a call
        is joined with the server's own key, or with the ephemeral one that began it. Raises NotAllowed."""
        grant = self._server.site.policy.check_key(asked, now)
        call = self._called(call_id)
        if grant is not None and not hmac.compare_digest((asked.key or "").encode(), (call.key or "").encode()):
            raise no_such_call()
        return Joining(call)

    def close(self, within_s: float = 1.0) -> None:
        """End all calls and the thread. Blocks for about ``within_s``; any other thread; may be called twice."""
        with self._lock:
            calls, loop, thread = tuple(self._calls.values()), self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        for call in calls:
            call.close(GOING_AWAY)
        for call in calls:
            call.over.wait(within_s)
        running, stop = loop
        running.call_soon_threadsafe(stop.set)
        thread.join(within_s)

    def _begin(self, site: Site, request: HttpRequest) -> Answer:
        """Answer an offer. Blocks until the addresses of this machine are known."""
        wanted = site.policy.session(request.asked, request.now)
        # The server's own key joins every call.
        key = request.asked.key if wanted.grant else None
        offer = read_offer(request)
        wanted = with_session(wanted, offer.session)
        plan = self._server.plan(wanted)
        try:
            from realtime_cli.server.webrtc.call import Call
        except ModuleNotFoundError as error:
            message = f"This server has no WebRTC, because {error.name} is missing: {INSTALL}."
            raise NotAllowed(501, WRONG_REQUEST_CODE, "webrtc_not_installed", message) from None
        call = Call(new_id("rtc"), plan.model, key, self._connecting(plan), self._ended)
        self._server.take_place(call)
        with self._lock:
            self._calls[call.id] = call
            loop = self._running()
        answering = asyncio.run_coroutine_threadsafe(call.answer(offer.sdp), loop)
        try:
            sdp = answering.result(ANSWER_S)
        except TooLate:
            call.close()
            raise NotAllowed(504, WRONG_REQUEST_CODE, "no_answer", "The call could not be answered in time.") from None
        headers = {"Location": f"{CALLS_PATH}/{call.id}", "Access-Control-Expose-Headers": "Location"}
        return Answer(201, sdp.encode(), "application/sdp", headers)

    def _hang_up(self, _site: Site, request: HttpRequest) -> Answer:
        self.find(request.asked.path.split("/")[-2], request.asked, request.now).hang_up()
        return Answer(200, b"", "text/plain")

    def _connecting(self, plan: SessionPlan) -> Callable[..., Connection]:
        """What connects a call to the voice server."""
        return lambda deliver, ended: self._voice.connect(deliver, ended, plan)

    def _called(self, call_id: str) -> Call:
        call = self._calls.get(call_id)
        if call is None:
            raise no_such_call()
        return call

    def _running(self) -> asyncio.AbstractEventLoop:
        """The loop that calls run on. Called with the lock."""
        if self._loop is None:
            from realtime_cli.server.webrtc.ice import prepare

            prepare()
            begun: Future[_Loop] = Future()
            self._thread = threading.Thread(target=lambda: asyncio.run(_stay(begun)), name="calls", daemon=True)
            self._thread.start()
            self._loop = begun.result()
        return self._loop[0]

    def _ended(self, call: Call) -> None:
        with self._lock:
            self._calls.pop(call.id, None)
        self._server.give_up_place(call)


class Joining:
    """A call that may be joined from the side."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def connect(
        self,
        deliver: Callable[[str], None],
        ended: Callable[[Ending], None],
        plan: SessionPlan | None = None,  # noqa: ARG002 -- the call has its session
    ) -> Sideband:
        """Join it, as :class:`Sideband` has it. Any thread; does not block. Raises NotAllowed when it is over by now,
        or has too many clients."""
        return self._call.join(deliver, ended)

    def hang_up(self) -> None:
        """End it. Any thread; does not wait."""
        self._call.close()

    def close(self) -> None:
        """Nothing: the call goes on."""


async def _stay(begun: Future[_Loop]) -> None:
    """Let calls run until it is time to stop; what then is left is cancelled by asyncio."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.set_default_executor(ThreadPoolExecutor(ENCODERS, "call-encoder"))
    begun.set_result((loop, stop))
    await stop.wait()
