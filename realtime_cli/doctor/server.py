"""Looks at the server: the way to it, the session that a chat would have, and one tiny turn of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self, TypeVar

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.conversation import Conversation
from realtime_cli.conversation.effects import CloseMic, Effect, End, EndOfAudio, Flush, Play, Send, Show, Speak
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.records import AssistantDelta, Record, SessionStarted, Trouble, UsageReported
from realtime_cli.doctor.check import Check, failed, good
from realtime_cli.doctor.probing import POLL_S, begin, outcome, wait_a_moment
from realtime_cli.errors import ConnectionFailed, RealtimeError, TurnError
from realtime_cli.ports import Transport
from realtime_cli.protocol.conversation_events import SessionUpdated
from realtime_cli.protocol.dialects import Dialect, from_wire, to_wire
from realtime_cli.protocol.error_codes import remedy_for
from realtime_cli.protocol.split_characters import SplitCharacters
from realtime_cli.providers.endpoint import Endpoint
from realtime_cli.transport.dialing import dial

NETWORK, SESSION, REPLY = "network", "session", "reply"

CONNECT_S = 10.0

OPTIONS_S = 3.0
"""How long a refusal of the options is waited for; compatible servers need not confirm them."""

FAREWELL_S = 3.0
"""What the embedded server gets to end its threads."""

QUESTION = "Answer with one word: hello."

ALL_MS = 3_600_000
"""More than any answer lasts."""

Shown = TypeVar("Shown", bound=Record)


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


def check_session(
    transport: Transport, options: ConversationOptions, dialect: Dialect, *, embedded: bool, turn: bool
) -> Iterator[Check]:
    """Open the session of a chat, and with ``turn`` ask for one word in it. Blocks on the main thread.

    ``embedded``: the server is in this process: it is loaded rather than reached, and costs nothing.
    """
    name = SESSION
    try:
        with Dialogue(transport, options, dialect) as dialogue:
            yield good(SESSION, _open(dialogue, options, embedded=embedded))
            if turn:
                name = REPLY
                yield good(REPLY, _ask(dialogue, embedded=embedded))
    except RealtimeError as error:
        yield failed(name, error)


def _open(dialogue: Dialogue, options: ConversationOptions, *, embedded: bool) -> str:
    started, created_ms = dialogue.wait_for(SessionStarted)
    dialogue.wait_for_update()
    if embedded:
        return f"loaded after {created_ms:.0f} ms"
    model = f" with {started.model}" if started.model else ""
    key = f"; the key in {options.key.variable} is accepted" if options.key.state == "sent" else ""
    return f"connected after {dialogue.opened_ms:.0f} ms, session{model} after {created_ms:.0f} ms{key}"


def _ask(dialogue: Dialogue, *, embedded: bool) -> str:
    began_ms = dialogue.elapsed_ms
    dialogue.tell(f.Typed(QUESTION))
    dialogue.tell(f.InputsEnded())
    dialogue.wait_for_end()
    usage = dialogue.find(UsageReported)
    tokens = usage[0].input_tokens + usage[0].output_tokens if usage else 0
    cost = f"; it cost {tokens} tokens" if tokens and not embedded else ""
    first_ms = dialogue.elapsed_ms if dialogue.first_ms is None else dialogue.first_ms
    return f"first words after {first_ms - began_ms:.0f} ms{cost}"


class Dialogue:
    """A conversation without microphone and loudspeaker, held by the main thread until something is there."""

    def __init__(self, transport: Transport, options: ConversationOptions, dialect: Dialect) -> None:
        self.opened_ms = 0.0
        self.first_ms: float | None = None
        """When the first words or the first sound came."""
        self._core = Conversation(options)
        self._transport = transport
        self._dialect = dialect
        self._split = SplitCharacters()
        self._inbox: SimpleQueue[f.Fact | None] = SimpleQueue()
        self._shown: list[tuple[Record, float]] = []
        self._updated = False
        self._end: End | None = None
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

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the beginning."""
        return (time.monotonic() - self._began) * 1000

    def tell(self, fact: f.Fact) -> None:
        """Tell the conversation something, and do what it asks for. Raises what the connection ended with."""
        for effect in self._core.handle(fact, time.monotonic()):
            self._carry_out(effect)

    def wait_for(self, kind: type[Shown]) -> tuple[Shown, float]:
        """The first record of a kind, and the milliseconds to it. Raises what it ended with before that."""
        while not (found := self._find(kind)):
            self._go_on()
        return found[0]

    def wait_for_update(self) -> None:
        """Give the server some time to confirm or to refuse the session's options. Raises InputError for the latter."""
        deadline = time.monotonic() + OPTIONS_S
        while not self._updated and time.monotonic() < deadline:
            self._go_on(deadline)
        self._raise_end()

    def wait_for_end(self) -> None:
        """Until the question is answered. Raises TurnError where it is not."""
        while self._end is None:
            self._go_on()
        if self._end.error is None and self._end.exit_code:
            raise _turn_error(self.find(Trouble))
        self._raise_end()

    def find(self, kind: type[Shown]) -> list[Shown]:
        """The records of a kind so far."""
        return [record for record, _ in self._find(kind)]

    def _find(self, kind: type[Shown]) -> list[tuple[Shown, float]]:
        return [(record, ms) for record, ms in self._shown if isinstance(record, kind)]

    def _go_on(self, until: float | None = None) -> None:
        """One fact, or the time that the conversation waits for. Raises what it ended with."""
        self._raise_end()
        due = min((at for at in (self._core.deadline, until) if at is not None), default=None)
        wait_s = POLL_S if due is None else max(0.0, min(POLL_S, due - time.monotonic()))
        try:
            fact = self._inbox.get(timeout=wait_s)
        except Empty:
            self.tell(f.Tick())
            return
        if fact is None:
            outcome(self._running)
            raise ConnectionFailed("the server closed the connection", "run the command again")
        self._updated = self._updated or isinstance(fact, SessionUpdated)
        self.tell(fact)

    def _raise_end(self) -> None:
        if self._end is not None and self._end.error is not None:
            raise self._end.error

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Send():
                self._transport.send(to_wire(effect.event, self._dialect))
            case Speak():
                self._dialect = effect.dialect
            case Show():
                self._shown.append((effect.record, self.elapsed_ms))
                if isinstance(effect.record, AssistantDelta):
                    self._note_first_output()
            case Play():
                self._note_first_output()
            case EndOfAudio():
                # Nobody listens: all of it counts as heard at once.
                self.tell(f.Heard(effect.item_id, effect.content_index, ALL_MS, finished=True))
            case Flush():
                self.tell(f.Flushed(()))
            case CloseMic():
                self.tell(f.MicClosed(0))
            case End():
                self._end = effect

    def _note_first_output(self) -> None:
        self.first_ms = self.elapsed_ms if self.first_ms is None else self.first_ms

    def _opened(self) -> None:
        self.opened_ms = self.elapsed_ms
        self._inbox.put(f.Opened())

    def _received(self, text: str) -> None:
        try:
            self._inbox.put(from_wire(text, self._split))
        except RealtimeError as error:
            self._inbox.put(f.Failed(error))


def _turn_error(told: list[Trouble]) -> TurnError:
    """What failed, and the remedy apart from it."""
    if not told:
        return TurnError("the server gave no answer", "try again")
    remedy = remedy_for(told[-1].code or "")
    if remedy:
        return TurnError(told[-1].message.removesuffix(f": {remedy}"), remedy)
    problem, _, remedy = told[-1].message.partition(": ")
    return TurnError(told[-1].message) if told[-1].code else TurnError(problem, remedy)
