"""What a page is told of its call, and what it tells: it asks for news, and answers questions.

A session's view and input (:mod:`realtime_cli.ports`). What is said stands in the events that the page gets from the
voice server itself; from here come the calls of functions, questions about them, and notices.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import msgspec

from realtime_cli.conversation.facts import Decided, Fact, Quit
from realtime_cli.conversation.records import (
    Ended,
    Notice,
    Record,
    Snapshot,
    ToolAsked,
    ToolCalled,
    ToolFinished,
    Trouble,
)
from realtime_cli.conversation.states import Recent
from realtime_cli.conversation.tool_definitions import Consent
from realtime_cli.printable import one_line, spelt_out
from realtime_cli.protocol.dialects import NotAnEvent, from_wire
from realtime_cli.view.tool_lines import always_text, call_text, question_text, result_text

WAIT_S = 20.0
"""How long a question for news waits for some; then it is answered with none."""

GONE_S = 60.0
"""A page that has not asked for so long is gone. Browsers slow a page down that is not looked at, but not so much."""

LOOK_S = 1.0
"""How often it is looked whether the page is gone."""

REMEMBERED_EVENTS = 4096
"""Ids of events that came from the side, which the page may tell once more."""


class Answered(msgspec.Struct, frozen=True):
    """The user's answer to the question about this call."""

    call_id: str
    consent: Consent


class Told(msgspec.Struct, frozen=True):
    """What a page tells of its call."""

    call: str
    answer: Answered | None = None
    events: tuple[str, ...] = ()
    """Messages from the voice server, where nobody joined from the side gets them."""
    left: bool = False
    """The call is over, or the page is closed."""


class Receiver(Protocol):
    """What takes the voice server's messages from the page."""

    def receive(self, message: str) -> None:
        """Take one. Any thread; returns at once."""


class PageChannel:
    """See the module; a View and an Input. Any thread, where nothing else is said."""

    frame_s = None

    def __init__(self) -> None:
        # Requests come on threads of their own, records on the view's, snapshots on the session's.
        self._changed = threading.Condition()
        self._news: list[dict[str, Any]] = []
        self._over = False
        self._left = False
        self._page_left = threading.Event()
        self._asked_at = time.monotonic()
        self._question: str | None = None
        self._answered = False
        """Whether the question was: another answer to it would be taken for one to the next."""
        self._trouble = ""
        self._post: Callable[[Fact], None] | None = None
        self._seen = Recent(REMEMBERED_EVENTS)
        self.receiver: Receiver | None = None
        """Set while the voice server's messages come through the page."""

    def tell(self, kind: str, **fields: Any) -> None:
        """Tell the page something; of no use after the end."""
        with self._changed:
            self._news.append({"type": kind, **fields})
            self._changed.notify_all()

    def news(self, after: int, wait_s: float = WAIT_S) -> tuple[list[dict[str, Any]], bool]:
        """What there is to tell behind the first ``after`` of it, and whether that is all. Blocks for some news."""
        with self._changed:
            self._asked_at = time.monotonic()
            self._changed.wait_for(lambda: len(self._news) > after or self._over, wait_s)
            self._asked_at = time.monotonic()
            return self._news[after:], self._over

    def end(self) -> None:
        """The session is over, and whoever waits for news waits no longer."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def take(self, told: Told) -> None:
        """Take what the page tells."""
        answer, post = told.answer, self._post
        if answer and post and self._is_awaited(answer):
            post(Decided(answer.consent))
        for message in told.events:
            self._receive(message)
        if told.left:
            self._page_left.set()
            self.leave()

    def wait_for_page(self, within_s: float) -> None:
        """Block until the page has left the call, which it does when it learns that it is over. A page that is between
        two questions for news asks once more, and has to find this process."""
        self._page_left.wait(max(0.0, within_s))

    def _is_awaited(self, answer: Answered) -> bool:
        """Whether this is the first answer to the question that stands."""
        with self._changed:
            awaited = answer.call_id == self._question and not self._answered
            self._answered = self._answered or awaited
        return awaited

    def leave(self) -> None:
        """The page is gone: what it was asked is refused, then the session ends."""
        self._left = True
        if self._post:
            # Means nothing where nothing is asked; the session shows how it stands after it.
            self._post(Decided("no"))

    def is_new(self, message: str) -> bool:
        """Whether neither the side nor the page has told this message before, as far as the server names its events."""
        name = _id_of(message)
        with self._changed:
            known = bool(name) and name in self._seen
            if name:
                self._seen.add(name)
        return not known

    def _receive(self, message: str) -> None:
        if not self.is_new(message):
            return
        if receiver := self.receiver:
            receiver.receive(message)
        elif self._post:
            with suppress(NotAnEvent):
                self._post(from_wire(message))

    def open(self) -> None:
        """Nothing: the page is there."""

    def close(self) -> None:
        """Nothing: it shows how the call ended."""

    def draw(self, snapshot: Snapshot) -> None:
        """Nothing: what is said the page draws itself."""

    def show(self, record: Record, t: float) -> None:  # noqa: ARG002 -- the page has a clock of its own
        """Tell the page what it cannot know. View thread."""
        match record:
            case ToolCalled():
                self.tell("tool_call", call_id=record.call_id, text=_line(call_text(record)), server=record.server)
            case ToolAsked():
                always = always_text(record)
                self.tell("question", call_id=record.call_id, text=question_text(record), always=always)
            case ToolFinished():
                text = _line(result_text(record))
                self.tell("tool_result", call_id=record.call_id, text=text, failed=record.failed)
            case Notice():
                self.tell("notice", text=_line(record.text))
            case Trouble():
                self._trouble = _line(record.message)
            case Ended():
                problem = self._trouble if record.reason == "failed" else ""
                self.tell("end", reason=record.reason, problem=problem)

    def see(self, snapshot: Snapshot) -> None:
        """Know what is asked. Session's thread."""
        asked = snapshot.question.call_id if snapshot.question else None
        with self._changed:
            self._answered = self._answered and asked == self._question
            self._question = asked
        if self._left and self._post:
            self._post(Decided("no") if self._question else Quit())

    def run(self, post: Callable[[Fact], None], stopping: threading.Event) -> None:
        """Look whether the page is there, until the end. Own thread; blocks."""
        self._post = post
        if self._left:
            post(Decided("no"))
        while not stopping.wait(LOOK_S):
            if not self._left and time.monotonic() > self._asked_at + GONE_S:
                self._page_left.set()
                self.leave()


class _Named(msgspec.Struct):
    event_id: str = ""


def _id_of(message: str) -> str:
    try:
        return msgspec.json.decode(message, type=_Named).event_id
    except (msgspec.MsgspecError, RecursionError):
        return ""


def _line(text: str) -> str:
    return one_line(spelt_out(text))
