"""Looks at the server: the way to it, the session that a chat would have, and one tiny turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from realtime_cli.conversation.failures import failure_of
from realtime_cli.conversation.records import Trouble
from realtime_cli.doctor.check import Check, failed, good
from realtime_cli.doctor.probing import PATIENCE_S, begin, outcome, wait_a_moment
from realtime_cli.errors import ConnectionFailed, InputError, RealtimeError, TurnError
from realtime_cli.ports import Transport
from realtime_cli.protocol import conversation_events as c
from realtime_cli.protocol import response_events as r
from realtime_cli.protocol.client_events import ClientEvent, ConversationItemCreate, ResponseCreate, SessionUpdate
from realtime_cli.protocol.codec import ServerEvent, UnknownEvent
from realtime_cli.protocol.dialects import Dialect, dialect_of, from_wire, to_wire
from realtime_cli.protocol.error_codes import (
    Key,
    Severity,
    classify,
    code_of,
    dialect_shown_by,
    fatal_error,
    remedy_for,
)
from realtime_cli.protocol.items import Content, ErrorDetail, Item
from realtime_cli.providers.endpoint import Endpoint
from realtime_cli.transport.dialing import dial

NETWORK, SESSION, REPLY = "network", "session", "reply"

CONNECT_S = 10.0
HELLO_S = 30.0
"""How long a server may take to open a session, and the embedded one to load: ten times what it needs."""

OPTIONS_S = 3.0
"""How long a refusal of the options is waited for; compatible servers need not confirm them."""

REPLY_S = 60.0
FAREWELL_S = 3.0
"""What the embedded server gets to end its threads."""

QUESTION = "Answer with one word: hello."

FIRST_WORDS = (r.OutputTextDelta, r.OutputTranscriptDelta, r.OutputAudioDelta)

Event = TypeVar("Event", bound=ServerEvent)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the server: the sessions of a chat and of a written turn, in each dialect it may speak."""

    chat: Mapping[Dialect, Mapping[str, Any]]
    typed: Mapping[Dialect, Mapping[str, Any]]
    dialect: Dialect
    """The one it is taken to speak."""
    key: Key = Key()
    embedded: bool = False
    """The server is in this process: it is loaded rather than reached, and costs nothing."""


def check_network(place: Endpoint) -> Check:
    """Name, connection and encryption, with the time that each took. Blocks for ten seconds at most."""
    steps: list[str] = []
    stopping = threading.Event()

    def look() -> None:
        before = time.monotonic()

        def done(step: str) -> None:
            nonlocal before
            now = time.monotonic()
            steps.append(f"{step} {(now - before) * 1000:.0f} ms")
            before = now

        dial(place.url, CONNECT_S, stopping, done).close()

    try:
        outcome(begin(NETWORK, look))
    except RealtimeError as error:
        return failed(NETWORK, error)
    finally:
        stopping.set()
    return good(NETWORK, f"{place.where}: {', '.join(steps)}")


def check_session(transport: Transport, plan: Plan, *, turn: bool) -> Iterator[Check]:
    """Open the session of a chat, and with ``turn`` ask for one word. Blocks on the main thread."""
    name = SESSION
    try:
        with Line(transport, plan) as line:
            yield good(SESSION, _open(line))
            if turn:
                name = REPLY
                yield good(REPLY, _ask(line))
    except RealtimeError as error:
        yield failed(name, error)


def _open(line: Line) -> str:
    plan = line.plan
    created, created_ms = line.wait_for((c.SessionCreated,), HELLO_S, "opened no session")
    line.correct(dialect_of(created.session))
    line.update(plan.chat)
    if plan.embedded:
        return f"loaded after {created_ms:.0f} ms"
    model = f" with {model}" if (model := created.session.get("model")) else ""
    key = f"; the key in {plan.key.variable} is accepted" if plan.key.state == "sent" else ""
    return f"connected after {line.opened_ms:.0f} ms, session{model} after {created_ms:.0f} ms{key}"


def _ask(line: Line) -> str:
    line.update(line.plan.typed)
    content = Content(type="input_text", text=QUESTION)
    began = time.monotonic()
    line.send(ConversationItemCreate(item=Item(type="message", role="user", content=(content,))))
    line.send(ResponseCreate())
    first, first_ms = line.wait_for((*FIRST_WORDS, r.ResponseDone), REPLY_S, "gave no answer", began)
    done = first if isinstance(first, r.ResponseDone) else line.wait_for((r.ResponseDone,), REPLY_S, "never ended")[0]
    failure = failure_of(done.response, empty=done is first)
    if failure is not None and (done is first or done.response.status == "failed"):
        raise _turn_error(failure, done.response.status)
    tokens = done.response.usage.total_tokens if done.response.usage else None
    cost = f"; it cost {tokens} tokens" if tokens and not line.plan.embedded else ""
    return f"first words after {first_ms:.0f} ms{cost}"


class Line:
    """A connection, used by the main thread from top to bottom: send, then wait for what must come."""

    def __init__(self, transport: Transport, plan: Plan) -> None:
        self.plan = plan
        self.opened_ms = 0.0
        self._transport = transport
        self._dialect = plan.dialect
        self._corrected = False
        self._inbox: SimpleQueue[ServerEvent | UnknownEvent | RealtimeError | None] = SimpleQueue()
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._running = begin("websocket", partial(self._transport.run, self._opened, self._received))
        self._running.add_done_callback(lambda _: self._inbox.put(None))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()
        if kind is None:
            deadline = time.monotonic() + FAREWELL_S
            while not self._running.done() and time.monotonic() < deadline:
                wait_a_moment(self._running)

    def send(self, event: ClientEvent) -> None:
        """Send an event in the server's dialect. Raises ConnectionFailed."""
        self._transport.send(to_wire(event, self._dialect))

    def update(self, sessions: Mapping[Dialect, Mapping[str, Any]]) -> None:
        """Set the session's options, and wait for the answer if one comes. Raises InputError when they are refused."""
        self.send(SessionUpdate(session=sessions[self._dialect]))
        deadline = time.monotonic() + OPTIONS_S
        while (left_s := deadline - time.monotonic()) > 0:
            event = self._next(left_s)
            if isinstance(event, c.SessionUpdated):
                return
            if not isinstance(event, c.ErrorEvent):
                continue
            if self.correct(dialect_shown_by(event.error)):
                self.update(sessions)
                return
            if classify(event.error) is Severity.FATAL:
                raise fatal_error(event.error, self.plan.key)
            problem = f"the server refuses an option: {event.error.message}"
            raise InputError(problem, "change it or leave it out")

    def correct(self, shown: Dialect | None) -> bool:
        """Go on in the dialect that the server has ``shown``, once, if it may speak that."""
        if shown is None or shown is self._dialect or self._corrected or shown not in self.plan.chat:
            return False
        self._dialect, self._corrected = shown, True
        return True

    def wait_for(
        self, kinds: tuple[type[Event], ...], patience_s: float, otherwise: str, began: float | None = None
    ) -> tuple[Event, float]:
        """The next event of these kinds, and the milliseconds to it since ``began`` (or the connection's beginning).

        Raises what ended the connection or was refused, and ConnectionFailed, ``otherwise``, when it takes too long.
        """
        deadline = time.monotonic() + patience_s
        while (left_s := deadline - time.monotonic()) > 0:
            event = self._next(left_s)
            if isinstance(event, kinds):
                return event, (time.monotonic() - (began or self._began)) * 1000
            if isinstance(event, c.ErrorEvent) and classify(event.error) is not Severity.BENIGN:
                raise _refusal(event.error, self.plan.key)
        raise ConnectionFailed(
            f"the server took the connection but {otherwise} within {patience_s:.0f} s",
            "is this a Realtime endpoint? check --base-url, --model and --dialect",
        )

    def _next(self, patience_s: float) -> ServerEvent | UnknownEvent | None:
        """What comes next, or None when nothing came for a moment."""
        try:
            event = self._inbox.get(timeout=min(patience_s, PATIENCE_S))
        except Empty:
            return None
        if event is None:
            outcome(self._running)
            raise ConnectionFailed("the server closed the connection", "run the command again")
        if isinstance(event, RealtimeError):
            raise event
        return event

    def _opened(self) -> None:
        self.opened_ms = (time.monotonic() - self._began) * 1000

    def _received(self, text: str) -> None:
        try:
            self._inbox.put(from_wire(text))
        except RealtimeError as error:
            self._inbox.put(error)


def _turn_error(failure: Trouble, status: str) -> TurnError:
    """What failed, and the remedy apart from it."""
    if status == "failed":
        remedy = remedy_for(failure.code or "")
        return TurnError(failure.message.removesuffix(f": {remedy}"), remedy)
    problem, _, remedy = failure.message.partition(": ")
    return TurnError(problem, remedy)


def _refusal(error: ErrorDetail, key: Key) -> RealtimeError:
    if classify(error) is Severity.FATAL:
        return fatal_error(error, key)
    words = error.message or code_of(error) or "no reason given"
    return TurnError(f"the server reports: {words}", remedy_for(code_of(error), error.param or "", key, words))
