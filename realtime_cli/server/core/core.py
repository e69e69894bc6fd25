"""The server's side of the protocol, decided without I/O: facts go in, effects come out.

It opens no socket, runs no engine, starts no thread and reads no clock: ``handle(fact, now) -> list[Effect]``. Order of
events after https://platform.openai.com/docs/guides/realtime-conversations and captures of the remote service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from realtime_cli.protocol import client_events as client
from realtime_cli.protocol import conversation_events as events
from realtime_cli.protocol.client_events import ClientEvent
from realtime_cli.protocol.items import ErrorDetail
from realtime_cli.server.core import facts
from realtime_cli.server.core.checks import Refusal, invalid
from realtime_cli.server.core.effects import CloseConnection, Effect, EffectList, NewId
from realtime_cli.server.core.entries import Entry
from realtime_cli.server.core.facts import Fact
from realtime_cli.server.core.input_buffer import InputBuffer
from realtime_cli.server.core.items import CONTEXT_CHARS, Items
from realtime_cli.server.core.requests import MAX_AUDIO_BYTES, BadRequest, accept_item, decode_audio, parse
from realtime_cli.server.core.responses import STILL_THERE, Responses
from realtime_cli.server.core.session_fields import SessionType
from realtime_cli.server.core.session_state import SessionState
from realtime_cli.server.listening.endpointing import MaybeEnded, Resumed, SpeechStarted, SpeechStopped

GOING_AWAY = 1001
"""The close code of a session that is over (RFC 6455, 7.4.1), as the remote service uses it."""


class SessionPlan(msgspec.Struct, frozen=True):
    """What a session is to be."""

    model: str = "local"
    """What the session calls its model."""
    kind: SessionType = "realtime"
    settings: Mapping[str, Any] | None = None
    """A ``session.update`` that has passed :meth:`SessionState.update`, to begin with."""
    expires_at: int | None = None
    """When it ends, in seconds since 1970, as the client is told."""
    lifetime_s: float | None = None
    """The same from its beginning."""
    idle_s: float | None = None
    """It ends, too, when the client has sent nothing for so long and nothing was to be said to it."""
    context_chars: int = CONTEXT_CHARS
    """How much of the conversation the model is given to read."""


class ServerCore:
    """One connection. Not for several threads; never blocks, and no fact makes it raise."""

    def __init__(self, new_id: NewId, plan: SessionPlan | None = None) -> None:
        self._plan = plan or SessionPlan()
        self._effects = EffectList(new_id)
        self._session = SessionState(new_id("sess"), self._plan.model, self._plan.kind, self._plan.expires_at)
        self._session.update({"type": self._plan.kind, **(self._plan.settings or {})}, voice_used=False)
        self._items = Items(self._plan.context_chars)
        self._input = InputBuffer(self._session, self._items, self._effects)
        self._responses = Responses(self._session, self._items, self._input, self._effects)
        self._ends_at: float | None = None
        self._last_message = 0.0
        self._idle_since: float | None = None
        self._was_replying = False
        self._over = False

    @property
    def makes_replies(self) -> bool:
        """The session is no mere transcription."""
        return self._session.kind == "realtime"

    def open(self, now: float = 0.0) -> list[Effect]:
        """The first effects, before any fact; ``now`` as in :meth:`handle`."""
        self._last_message = now
        if self._plan.lifetime_s is not None:
            self._ends_at = now + self._plan.lifetime_s
        self._effects.emit(events.SessionCreated(session=self._session.to_object()))
        self._input.listen()
        return self._effects.take()

    @property
    def deadline(self) -> float | None:
        """When a Tick is due, in the seconds of ``now``; None for never."""
        due = (self._ends_at, self._silence_at, self._abandoned_at)
        return min((at for at in due if at is not None), default=None)

    def handle(self, fact: Fact, now: float) -> list[Effect]:
        """Take a fact at ``now`` (seconds of any steady clock); returns what is to be done, in order."""
        if self._over:
            return []
        match fact:
            case facts.ClientMessage(text):
                self._last_message = now
                self._message(text)
            case facts.BinaryMessage():
                self._refuse(Refusal("invalid_event", "Binary messages are not supported: send JSON as text."), None)
            case SpeechStarted():
                self._input.decided(fact)
                if self._session.yields and self._input.speaking:
                    self._responses.interrupt()
            case MaybeEnded() | Resumed() | SpeechStopped():
                self._input.decided(fact)
            case facts.Transcribed(job, text):
                if self._input.transcribed(job, text):
                    self._responses.anticipate(job, text)
            case facts.TranscriptionFailed(job, problem):
                self._input.transcription_failed(job, problem)
            case facts.ReplyPiece():
                self._responses.piece(fact, now)
            case facts.CallPiece():
                self._responses.call(fact)
            case facts.ReplyFinished():
                self._responses.finished(fact)
            case facts.ReplyFailed():
                self._responses.failed(fact)
            case facts.ServerFailed(problem):
                self._effects.server_error(problem)
            case facts.Tick():
                self._tick(now)
        self._responses.advance()
        self._watch_idleness(now)
        return self._effects.take()

    def _message(self, text: str) -> None:
        try:
            event = parse(text)
        except BadRequest as bad:
            self._refuse(bad.refusal, bad.event_id)
            return
        try:
            self._obey(event)
        except Refusal as refusal:
            self._refuse(refusal, event.event_id)

    def _obey(self, event: ClientEvent) -> None:
        match event:
            case client.InputAudioBufferAppend(audio=audio):
                self._append(audio)
            case client.InputAudioBufferCommit():
                self._input.commit()
            case client.InputAudioBufferClear():
                self._input.clear()
            case client.ResponseCreate(response=response):
                self._responses.create(response or {})
            case client.ResponseCancel(response_id=response_id):
                self._responses.cancel(response_id)
            case client.SessionUpdate():
                self._update(event)
            case client.ConversationItemCreate():
                self._create_item(event)
            case client.ConversationItemRetrieve(item_id=item_id):
                item = self._items.find(item_id, "item_retrieve_invalid_item_id").item
                self._effects.emit(events.ConversationItemRetrieved(item=item))
            case client.ConversationItemTruncate(item_id=item_id, content_index=index, audio_end_ms=end_ms):
                ends_ms = self._items.truncate(item_id, index, end_ms)
                self._effects.emit(
                    events.ConversationItemTruncated(item_id=item_id, content_index=index, audio_end_ms=ends_ms)
                )
            case client.ConversationItemDelete(item_id=item_id):
                self._items.delete(item_id)
                self._effects.emit(events.ConversationItemDeleted(item_id=item_id))

    def _update(self, event: client.SessionUpdate) -> None:
        session = self._session
        heard_before = session.input_format, session.endpointing
        read_before = _begins_replies(session)
        session.update(event.session, self._responses.voice_used)
        if (session.input_format, session.endpointing) != heard_before:
            self._input.listen()
        if _begins_replies(session) != read_before:
            self._responses.prepare()
        self._effects.emit(events.SessionUpdated(session=session.to_object()))

    def _append(self, encoded: str) -> None:
        audio = decode_audio(encoded, "audio")
        if len(audio) > MAX_AUDIO_BYTES:
            raise invalid("audio", "more than 15 MiB in one event.")
        self._input.append(audio)

    def _create_item(self, event: client.ConversationItemCreate) -> None:
        item, audio = accept_item(event.item, self._effects.new_id("item"))
        entry = Entry(item)
        previous = self._items.add(entry, event.previous_item_id)
        self._effects.emit(events.ConversationItemAdded(item=item, previous_item_id=previous))
        self._effects.emit(events.ConversationItemDone(item=item, previous_item_id=previous))
        if audio:
            self._input.recognise_inside(entry, audio)

    def _refuse(self, refusal: Refusal, event_id: str | None) -> None:
        self._effects.refuse(refusal.to_error(event_id))

    @property
    def _silence_at(self) -> float | None:
        """When the user, who says nothing, is asked whether they are still there."""
        timeout_s = self._session.idle_timeout_s
        if timeout_s is None or self._idle_since is None:
            return None
        return max(self._idle_since, self._responses.sound_until) + timeout_s

    @property
    def _abandoned_at(self) -> float | None:
        """When the session ends because the client does nothing any more."""
        if self._plan.idle_s is None or self._responses.active is not None:
            return None
        return max(self._last_message, self._responses.sound_until) + self._plan.idle_s

    def _tick(self, now: float) -> None:
        if self._ends_at is not None and now >= self._ends_at:
            limit = _minutes(self._plan.lifetime_s)
            self._close("session_expired", f"Your session hit the maximum duration of {limit}.")
        elif self._abandoned_at is not None and now >= self._abandoned_at:
            self._close("session_idle", f"Nothing came from the client for {_minutes(self._plan.idle_s)}.")
        elif self._silence_at is not None and now >= self._silence_at:
            self._idle_since = None
            self._input.silence()
            self._responses.create_unasked(STILL_THERE)

    def _close(self, code: str, message: str) -> None:
        """End the session. What is in progress ends first, so that every response has its ``response.done``."""
        self._over = True
        self._responses.end_all()
        error = ErrorDetail(type="invalid_request_error", code=code, message=message)
        self._effects.refuse(error)
        self._effects.do(CloseConnection(GOING_AWAY, f"invalid_request_error.{code}"))

    def _watch_idleness(self, now: float) -> None:
        """Count from the end of a response for as long as nobody speaks."""
        replying = self._responses.active is not None
        if replying or self._input.speaking:
            self._idle_since = None
        elif self._was_replying:
            self._idle_since = now
        self._was_replying = replying


def _begins_replies(session: SessionState) -> tuple[Any, ...]:
    """What every reply of the session reads first."""
    return session.replies.get("instructions"), session.replies.get("tools")


def _minutes(seconds: float | None) -> str:
    minutes = (seconds or 0.0) / 60
    return f"{minutes:g} minute{'' if minutes == 1 else 's'}"
