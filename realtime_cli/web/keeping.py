"""Saving what is said on the page: it tells each line when that is final, in the conversation's order.

The events of a call with a server elsewhere never come this way, so it is the page that knows what was said.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec.structs import replace

from realtime_cli.conversation.records import AssistantSaid, Ended, Record, SessionStarted, UserSaid
from realtime_cli.journal.writer import Journal
from realtime_cli.session.threads import Threads

MOST_OPEN = 16
"""Conversations that are taken note of, the latest. One that has ended stays among them, because what a page tells at
its very end may overtake what it told before."""


class Said(msgspec.Struct, frozen=True):
    """A line that will not change any more."""

    who: Literal["user", "assistant"]
    item_id: str
    text: str
    interrupted: bool = False
    heard_ms: int | None = None


class Report(msgspec.Struct, frozen=True):
    """What a page tells."""

    conversation: str
    session: str = ""
    """The session's id, when it has begun."""
    model: str = ""
    lines: tuple[Said, ...] = ()
    ended: bool = False


class Keeping:
    """The conversations of all pages. Any thread."""

    def __init__(self, provider: str, make_journal: Callable[[], Journal | None], on_failure: Callable[[str], None]):
        """``make_journal`` is called for each conversation of which something is told; None: it is not to be saved.
        ``on_failure`` gets a line when a journal breaks, on its thread."""
        self._provider = provider
        self._make_journal = make_journal
        self._threads = Threads(lambda name, error: on_failure(f"the {name} failed: {type(error).__name__}: {error}"))
        # Reports come on threads of their own.
        self._lock = threading.Lock()
        self._begun: dict[str, float] = {}
        self._open: dict[str, Journal | None] = {}

    def begin(self) -> str:
        """The id of a new conversation, for its page."""
        conversation = secrets.token_urlsafe(9)
        with self._lock:
            self._begun[conversation] = time.monotonic()
            for forgotten in list(self._begun)[:-MOST_OPEN]:
                self._end(forgotten)
        return conversation

    def take(self, report: Report) -> None:
        """Save what is told; of a conversation that is not known, nothing."""
        with self._lock:
            began = self._begun.get(report.conversation)
            if began is None:
                return
            if report.conversation not in self._open:
                self._open[report.conversation] = self._start()
            journal = self._open[report.conversation]
            for record in self._records(report):
                if journal is not None:
                    journal.put(record, time.monotonic() - began)

    def close(self, within_s: float = 1.0) -> None:
        """Finish all files. Blocks for at most ``within_s``."""
        with self._lock:
            for conversation in list(self._begun):
                self._end(conversation)
        self._threads.join_all(time.monotonic() + within_s)

    def _start(self) -> Journal | None:
        journal = self._make_journal()
        if journal is not None:
            self._threads.start("journal", journal.run)
        return journal

    def _end(self, conversation: str) -> None:
        """Called with the lock."""
        self._begun.pop(conversation, None)
        journal = self._open.pop(conversation, None)
        if journal is not None:
            journal.close()

    def _records(self, report: Report) -> list[Record]:
        records: list[Record] = []
        if report.session:
            records.append(SessionStarted(id=report.session, model=report.model, provider=self._provider))
        for line in report.lines:
            if line.who == "user":
                records.append(UserSaid(item_id=line.item_id, text=line.text))
            else:
                spoken = AssistantSaid(item_id=line.item_id, text=line.text, heard_ms=line.heard_ms)
                records.append(replace(spoken, interrupted=line.interrupted))
        if report.ended:
            records.append(Ended(reason="done", exit_code=0))
        return records
