"""Which responses are in progress, what they read, when they start and how they end.

The states of a response, and what moves it from one to the next:

======== ================================ ======== =====================================================
state    event                            next     what is sent to the client or asked of the engines
======== ================================ ======== =====================================================
none     ``response.create``, turn's end  WAITING  ``response.created``
WAITING  what it reads is recognised      MAKING   StartReply
MAKING   a piece of words, sound, a call  MAKING   items, parts and deltas
MAKING   the engines have finished        done     what is open is closed, ``response.done``
MAKING   the engines have failed          done     the same, with status ``failed``
WAITING  cancelled, or the user speaks    done     ``response.done`` with status ``cancelled``
MAKING   cancelled, or the user speaks    done     CancelReply, what is open is closed, ``response.done``
======== ================================ ======== =====================================================

A response that is done is forgotten: what engines still say about it, or about one that is only waiting, is dropped.
One response of the conversation is in progress at a time; others, out of band, beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

from realtime_cli.protocol.conversation_events import RateLimitsUpdated
from realtime_cli.protocol.items import ErrorDetail, Item, RateLimit
from realtime_cli.server.core.checks import Refusal, invalid, missing, record
from realtime_cli.server.core.effects import Anticipate, CancelReply, EffectList, Prepare, StartReply, Voice
from realtime_cli.server.core.entries import Entry, words
from realtime_cli.server.core.facts import CallPiece, ReplyFailed, ReplyFinished, ReplyPiece
from realtime_cli.server.core.input_buffer import InputBuffer
from realtime_cli.server.core.items import Items
from realtime_cli.server.core.reading import messages, tokens
from realtime_cli.server.core.requests import accept_item
from realtime_cli.server.core.response_output import Options, ResponseOutput, Status, options
from realtime_cli.server.core.session_fields import RESPONSE_FIELDS, UNLIMITED_TOKENS
from realtime_cli.server.core.session_state import SessionState
from realtime_cli.server.engines.interface import NO_TOOLS, Message

NOTHING_UNDERSTOOD = "Sorry, I did not catch that."
STILL_THERE = "Are you still there?"

MOST_RESPONSES = 32
"""In progress at a time; beyond it clients are told to wait."""

_RATE_LIMIT = RateLimit(name="tokens", limit=1_000_000, remaining=1_000_000, reset_seconds=0.0)
"""Nothing is limited here; clients that wait for the event get it."""

_CHECK = record(RESPONSE_FIELDS)


class State(Enum):
    """Of a response that is not done."""

    WAITING = "waiting"
    """For the words of audio that it reads."""
    MAKING = "making"
    """The engines were told to make it."""


@dataclass(slots=True, eq=False)
class _InProgress:
    """A response, what it reads, and what it is to say if not what a model says."""

    output: ResponseOutput
    reads: Sequence[Entry]
    says: str | None
    state: State = State.WAITING


class Responses:
    """One reader, no lock. Methods that obey the client raise Refusal."""

    def __init__(self, session: SessionState, items: Items, input_buffer: InputBuffer, effects: EffectList) -> None:
        self._session = session
        self._items = items
        self._input = input_buffer
        self._effects = effects
        self._conversation_id = effects.new_id("conv")
        self._running: dict[str, _InProgress] = {}
        self.voice_used = False
        """The client has received audio."""
        self.sound_until = 0.0
        """When the last reply's sound ends if it is played as it arrives, in the core's seconds."""

    @property
    def active(self) -> ResponseOutput | None:
        """The one response of the conversation that is in progress."""
        found = (one.output for one in self._running.values() if one.output.options.in_conversation)
        return next(found, None)

    def create(self, overrides: Mapping[str, Any], says: str | None = None) -> None:
        """Begin a response; ``says``: these words instead of a model's."""
        if self._session.kind == "transcription":
            raise invalid("type", "a transcription session makes no responses.")
        asked = {name: value for name, value in overrides.items() if value is not None}
        settings = options(self._session.replies, _CHECK(asked, "response"))
        _check_choice(settings)
        if settings.in_conversation and self.active:
            raise Refusal(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self.active.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        if len(self._running) >= MOST_RESPONSES:
            raise Refusal("rate_limit_exceeded", f"{MOST_RESPONSES} responses are in progress: wait for some to end.")
        reads = self._inputs(asked["input"]) if "input" in asked else self._items.readable()
        new_id = self._effects.new_id
        output = ResponseOutput(new_id("resp"), self._conversation_id, settings, new_id)
        self._running[output.id] = _InProgress(output, reads, says)
        if settings.in_conversation:
            self._input.answered()
        self._effects.emit(output.created())

    def create_unasked(self, says: str | None = None) -> None:
        """Begin a response that no client event asks for; when it cannot be, the client gets the error."""
        try:
            self.create({}, says)
        except Refusal as refusal:
            self._input.answered()
            self._effects.refuse(refusal.to_error())

    def advance(self) -> None:
        """Begin what is due, and start what has all its words."""
        if self._input.answer_due and self.active is None:
            self.create_unasked()
        for one in self._running.values():
            if one.state is State.WAITING and not any(entry.waiting for entry in one.reads):
                one.state = State.MAKING
                self._start(one)

    def prepare(self) -> None:
        """What replies begin with has changed: the model reads it before one is asked for."""
        settings = options(self._session.replies, {})
        read = messages(settings.instructions, self._items.readable())
        self._effects.do(Prepare(read, settings.tools))

    def anticipate(self, job: int, said: str) -> None:
        """The user has perhaps ``said`` all, as the recognition ``job`` has it: make the reply while it gets sure."""
        if self.active is None:
            settings = options(self._session.replies, {})
            read = messages(settings.instructions, self._items.readable())
            self._effects.do(Anticipate(job, _order("", settings, (*read, Message("user", said)))))

    def piece(self, piece: ReplyPiece, now: float) -> None:
        """The engines made more words."""
        one = self._making(piece.response_id)
        if one is None:
            return
        before_ms = one.output.audio_ms
        audio = piece.audio if one.output.options.spoken else b""
        self._effects.emit_all(one.output.message(piece.text, audio, piece.tokens, self._items))
        if audio:
            self.voice_used = True
            self.sound_until = max(self.sound_until, now) + (one.output.audio_ms - before_ms) / 1000

    def call(self, piece: CallPiece) -> None:
        """The model calls a function, or writes more of a call's arguments."""
        one = self._making(piece.response_id)
        if one is not None:
            self._effects.emit_all(one.output.call(piece.call_id, piece.name, piece.arguments, self._items))

    def finished(self, fact: ReplyFinished) -> None:
        """The engines made the last piece."""
        one = self._making(fact.response_id)
        if one is None:
            return
        one.output.counted = fact.counted
        if fact.cut_off:
            self._end(one, "incomplete", "max_output_tokens")
        else:
            self._end(one, "completed")

    def failed(self, fact: ReplyFailed) -> None:
        """An engine failed."""
        one = self._making(fact.response_id)
        if one is not None:
            error = ErrorDetail(type="server_error", code="server_error", message=fact.problem)
            self._end(one, "failed", error=error)

    def cancel(self, response_id: str | None) -> None:
        """The client wants no more of a response: the conversation's, unless it names another."""
        wanted = response_id or (self.active.id if self.active else "")
        if wanted not in self._running:
            raise Refusal("response_cancel_not_active", "Cancellation failed: no active response found.")
        self._stop(self._running[wanted], "client_cancelled")

    def interrupt(self) -> None:
        """The user speaks: the conversation's response, if there is one, stops."""
        self.sound_until = 0.0
        if self.active:
            self._stop(self._running[self.active.id], "turn_detected")

    def end_all(self) -> None:
        """The session is over."""
        for one in tuple(self._running.values()):
            self._stop(one, "client_cancelled")

    def _making(self, response_id: str) -> _InProgress | None:
        """The response that engines speak of, if it is theirs to speak of."""
        one = self._running.get(response_id)
        return one if one is not None and one.state is State.MAKING else None

    def _stop(self, one: _InProgress, reason: str) -> None:
        if one.state is State.MAKING:
            self._effects.do(CancelReply(one.output.id))
        self._end(one, "cancelled", reason)

    def _end(
        self, one: _InProgress, status: Status, reason: str | None = None, error: ErrorDetail | None = None
    ) -> None:
        del self._running[one.output.id]
        self._effects.emit_all(one.output.end(status, self._items, reason, error))
        self._effects.emit(RateLimitsUpdated(rate_limits=(_RATE_LIMIT,)))
        if one.output.options.in_conversation and self._items.shorten():
            self.prepare()

    def _start(self, one: _InProgress) -> None:
        settings = one.output.options
        one.output.input_tokens = tokens(settings.instructions, one.reads)
        says = one.says
        if says is None and _nothing_understood(one.reads):
            says = NOTHING_UNDERSTOOD
        self._effects.do(_order(one.output.id, settings, messages(settings.instructions, one.reads), says))

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
                found.append(self._items.find(item.id, param=f"{path}.id"))
                continue
            item, audio = accept_item(item, self._effects.new_id("item"), path)
            found.append(Entry(item))
            if audio:
                recordings.append((found[-1], audio))
        for entry, audio in recordings:
            self._input.recognise_inside(entry, audio)
        return found


def _check_choice(settings: Options) -> None:
    """A function that must be called has to be there. Raises Refusal."""
    named = settings.tools.named
    if named and named not in {function.name for function in settings.tools.functions}:
        raise invalid("response.tool_choice", f"there is no function {named!r:.80} among the tools.")


def _order(response_id: str, settings: Options, reads: tuple[Message, ...], words: str | None = None) -> StartReply:
    """What the engines are told of a response."""
    limit = settings.max_output_tokens
    return StartReply(
        response_id=response_id,
        messages=reads,
        words=words,
        max_tokens=limit if isinstance(limit, int) else UNLIMITED_TOKENS,
        voice=Voice(settings.voice_name, settings.speed, settings.audio_format["type"]) if settings.spoken else None,
        tools=settings.tools if words is None else NO_TOOLS,
    )


def _nothing_understood(entries: Sequence[Entry]) -> bool:
    """The user spoke last, and no word was recognised."""
    return bool(entries) and entries[-1].speech_ms > 0 and not words(entries[-1].item)
