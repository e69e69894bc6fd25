"""The server's side: which responses are in progress, what they read, when they start and how they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from realtime_cli.protocol.conversation_events import RateLimitsUpdated
from realtime_cli.protocol.items import ErrorDetail, Item, RateLimit
from realtime_cli.server.core.checks import MAX_OUTPUT_TOKENS, record
from realtime_cli.server.core.client_items import accept_item
from realtime_cli.server.core.effects import Anticipate, CancelReply, Prepare, StartReply, Voice
from realtime_cli.server.core.facts import ReplyFailed, ReplyFinished, ReplyPiece
from realtime_cli.server.core.history import Entry, History, messages, tokens, words
from realtime_cli.server.core.outbox import Outbox
from realtime_cli.server.core.refusal import Refusal, invalid, missing
from realtime_cli.server.core.replying import Options, Reply, Status, options
from realtime_cli.server.core.session_state import RESPONSE_FIELDS, SessionState
from realtime_cli.server.core.turns import Turns
from realtime_cli.server.engines.interface import Message

NOTHING_UNDERSTOOD = "Sorry, I did not catch that."
STILL_THERE = "Are you still there?"

_RATE_LIMIT = RateLimit(name="tokens", limit=1_000_000, remaining=1_000_000, reset_seconds=0.0)
"""Nothing is limited here; clients that wait for the event get it."""

_CHECK = record(RESPONSE_FIELDS)


@dataclass(slots=True, eq=False)
class _InProgress:
    """A response, what it reads, and whether the engines have been told to make it."""

    reply: Reply
    reads: Sequence[Entry]
    says: str | None
    started: bool = False


class Responses:
    """One reader, no lock. Methods that obey the client raise Refusal."""

    def __init__(self, session: SessionState, history: History, turns: Turns, outbox: Outbox) -> None:
        self._session = session
        self._history = history
        self._turns = turns
        self._outbox = outbox
        self._conversation_id = outbox.new_id("conv")
        self._running: dict[str, _InProgress] = {}
        self.voice_used = False
        """The client has received audio."""
        self.sound_until = 0.0
        """When the last reply's sound ends if it is played as it arrives, in the core's seconds."""

    @property
    def active(self) -> Reply | None:
        """The one response of the conversation that is in progress."""
        found = (one.reply for one in self._running.values() if one.reply.options.in_conversation)
        return next(found, None)

    def create(self, overrides: Mapping[str, Any], says: str | None = None) -> None:
        """Begin a response; ``says``: these words instead of a model's."""
        if self._session.kind == "transcription":
            raise invalid("type", "a transcription session makes no responses.")
        asked = {name: value for name, value in overrides.items() if value is not None}
        settings = options(self._session.replies, _CHECK(asked, "response"))
        if settings.in_conversation and self.active:
            raise Refusal(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self.active.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        reads = self._inputs(asked["input"]) if "input" in asked else self._history.entries()
        new_id = self._outbox.new_id
        reply = Reply(new_id("resp"), new_id("item"), self._conversation_id, settings)
        self._running[reply.id] = _InProgress(reply, reads, says)
        if settings.in_conversation:
            self._turns.answered()
        self._outbox.emit(reply.created())

    def advance(self) -> None:
        """Begin what is due, and start what has all its words."""
        if self._turns.answer_due and self.active is None:
            self.create({})
        for one in self._running.values():
            if not one.started and not any(entry.waiting for entry in one.reads):
                one.started = True
                self._start(one)

    def prepare(self) -> None:
        """What replies begin with has changed: the model reads it before one is asked for."""
        instructions = self._session.replies["instructions"]
        self._outbox.do(Prepare(messages(instructions, self._history.entries())))

    def anticipate(self, job: int, said: str) -> None:
        """The user has perhaps ``said`` all, as the recognition ``job`` has it: make the reply while it gets sure."""
        if self.active is None:
            settings = options(self._session.replies, {})
            read = messages(settings.instructions, self._history.entries())
            self._outbox.do(Anticipate(job, _order("", settings, (*read, Message("user", said)))))

    def piece(self, piece: ReplyPiece, now: float) -> None:
        """An engine made the next piece; it is dropped when nobody wants it any more."""
        one = self._running.get(piece.response_id)
        if one is None:
            return
        before_ms = one.reply.audio_ms
        self._outbox.emit_all(one.reply.piece(piece.text, piece.audio, piece.tokens, self._history))
        if piece.audio:
            self.voice_used = True
            self.sound_until = max(self.sound_until, now) + (one.reply.audio_ms - before_ms) / 1000

    def finished(self, fact: ReplyFinished) -> None:
        """An engine made the last piece."""
        if fact.cut_off:
            self._end(fact.response_id, "incomplete", "max_output_tokens")
        else:
            self._end(fact.response_id, "completed")

    def failed(self, fact: ReplyFailed) -> None:
        """An engine failed."""
        error = ErrorDetail(type="server_error", code="server_error", message=fact.problem)
        self._end(fact.response_id, "failed", error=error)

    def cancel(self, response_id: str | None) -> None:
        """The client wants no more of a response: the conversation's, unless it names another."""
        wanted = response_id or (self.active.id if self.active else None)
        if wanted not in self._running:
            raise Refusal("response_cancel_not_active", "Cancellation failed: no active response found.")
        self._stop(wanted, "client_cancelled")

    def interrupt(self) -> None:
        """The user speaks: the conversation's response, if there is one, stops."""
        self.sound_until = 0.0
        if self.active:
            self._stop(self.active.id, "turn_detected")

    def _stop(self, response_id: str, reason: str) -> None:
        if self._running[response_id].started:
            self._outbox.do(CancelReply(response_id))
        self._end(response_id, "cancelled", reason)

    def _end(
        self, response_id: str, status: Status, reason: str | None = None, error: ErrorDetail | None = None
    ) -> None:
        one = self._running.pop(response_id, None)
        if one is None:
            return
        self._outbox.emit_all(one.reply.end(status, self._history, reason, error))
        self._outbox.emit(RateLimitsUpdated(rate_limits=(_RATE_LIMIT,)))

    def _start(self, one: _InProgress) -> None:
        settings = one.reply.options
        one.reply.input_tokens = tokens(settings.instructions, one.reads)
        says = one.says
        if says is None and _nothing_understood(one.reads):
            says = NOTHING_UNDERSTOOD
        self._outbox.do(_order(one.reply.id, settings, messages(settings.instructions, one.reads), says))

    def _inputs(self, items: Sequence[Any]) -> Sequence[Entry]:
        """What an out-of-band response reads: items of its own, and references to the conversation's."""
        found: list[Entry] = []
        recordings: list[tuple[Entry, bytes]] = []
        for index, body in enumerate(items):
            path = f"response.input[{index}]"
            try:
                item = msgspec.convert(body, Item)
            except msgspec.ValidationError:
                raise invalid(path, "not a conversation item.") from None
            if item.type == "item_reference":
                if not item.id:
                    raise missing(f"{path}.id")
                found.append(self._history.find(item.id, param=f"{path}.id"))
                continue
            item, audio = accept_item(item, self._outbox.new_id("item"), path)
            found.append(Entry(item))
            if audio:
                recordings.append((found[-1], audio))
        for entry, audio in recordings:
            self._turns.recognise_inside(entry, audio)
        return found


def _order(response_id: str, settings: Options, reads: tuple[Message, ...], words: str | None = None) -> StartReply:
    """What the engines are told of a response."""
    limit = settings.max_output_tokens
    return StartReply(
        response_id=response_id,
        messages=reads,
        words=words,
        max_tokens=limit if isinstance(limit, int) else MAX_OUTPUT_TOKENS,
        voice=Voice(settings.voice, settings.speed, settings.audio_format["type"]) if settings.spoken else None,
    )


def _nothing_understood(entries: Sequence[Entry]) -> bool:
    """The user spoke last, and no word was recognised."""
    return bool(entries) and entries[-1].speech_ms > 0 and not words(entries[-1].item)
