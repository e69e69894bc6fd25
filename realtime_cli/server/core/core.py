"""The server's side of the protocol, decided without I/O: facts go in, effects come out.

It opens no socket, runs no engine, starts no thread and reads no clock: ``handle(fact, now) -> list[Effect]``. Order of
events after https://platform.openai.com/docs/guides/realtime-conversations and captures of the remote service.
"""

from __future__ import annotations

from realtime_cli.protocol import client_events as client
from realtime_cli.protocol import conversation_events as events
from realtime_cli.protocol.client_events import ClientEvent
from realtime_cli.protocol.items import ErrorDetail
from realtime_cli.server.core import facts
from realtime_cli.server.core.client_items import accept_item, decode_audio
from realtime_cli.server.core.effects import Effect
from realtime_cli.server.core.facts import Fact
from realtime_cli.server.core.history import Entry, History
from realtime_cli.server.core.outbox import NewId, Outbox
from realtime_cli.server.core.refusal import Refusal, invalid
from realtime_cli.server.core.requests import MAX_AUDIO_BYTES, BadRequest, parse
from realtime_cli.server.core.responses import STILL_THERE, Responses
from realtime_cli.server.core.session_state import SessionState, SessionType
from realtime_cli.server.core.turns import Turns
from realtime_cli.server.listening.endpointing import MaybeEnded, Resumed, SpeechStarted, SpeechStopped


class ServerCore:
    """One connection. Not for several threads; never blocks, and no fact makes it raise."""

    def __init__(self, new_id: NewId, model: str = "local", kind: SessionType = "realtime") -> None:
        self._outbox = Outbox(new_id)
        self._session = SessionState(new_id("sess"), model, kind)
        self._history = History()
        self._turns = Turns(self._session, self._history, self._outbox)
        self._responses = Responses(self._session, self._history, self._turns, self._outbox)
        self._idle_since: float | None = None
        self._was_replying = False

    @property
    def makes_replies(self) -> bool:
        """The session is no mere transcription."""
        return self._session.kind == "realtime"

    def open(self) -> list[Effect]:
        """The first effects, before any fact."""
        self._outbox.emit(events.SessionCreated(session=self._session.to_object()))
        self._turns.listen()
        return self._outbox.take()

    @property
    def deadline(self) -> float | None:
        """When a Tick is due, in the seconds of ``now``; None for never."""
        timeout_s = self._session.idle_timeout_s
        if timeout_s is None or self._idle_since is None:
            return None
        return max(self._idle_since, self._responses.sound_until) + timeout_s

    def handle(self, fact: Fact, now: float) -> list[Effect]:
        """Take a fact at ``now`` (seconds of any steady clock); returns what is to be done, in order."""
        match fact:
            case facts.ClientMessage(text):
                self._message(text)
            case SpeechStarted():
                self._turns.decided(fact)
                if self._session.yields:
                    self._responses.interrupt()
            case MaybeEnded() | Resumed() | SpeechStopped():
                self._turns.decided(fact)
            case facts.Transcribed(job, text):
                if self._turns.transcribed(job, text):
                    self._responses.anticipate(job, text)
            case facts.TranscriptionFailed(job, problem):
                self._turns.transcription_failed(job, problem)
            case facts.ReplyPiece():
                self._responses.piece(fact, now)
            case facts.ReplyFinished():
                self._responses.finished(fact)
            case facts.ReplyFailed():
                self._responses.failed(fact)
            case facts.ServerFailed(problem):
                self._outbox.server_error(problem)
            case facts.Tick():
                self._tick(now)
        self._responses.advance()
        self._watch_idleness(now)
        return self._outbox.take()

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
                self._turns.commit()
            case client.InputAudioBufferClear():
                self._turns.clear()
            case client.ResponseCreate(response=response):
                self._responses.create(response or {})
            case client.ResponseCancel(response_id=response_id):
                self._responses.cancel(response_id)
            case client.SessionUpdate():
                self._update(event)
            case client.ConversationItemCreate():
                self._create_item(event)
            case client.ConversationItemRetrieve(item_id=item_id):
                item = self._history.find(item_id, "item_retrieve_invalid_item_id").item
                self._outbox.emit(events.ConversationItemRetrieved(item=item))
            case client.ConversationItemTruncate(item_id=item_id, content_index=index, audio_end_ms=end_ms):
                self._history.truncate(item_id, index, end_ms)
                self._outbox.emit(
                    events.ConversationItemTruncated(item_id=item_id, content_index=index, audio_end_ms=end_ms)
                )
            case client.ConversationItemDelete(item_id=item_id):
                self._history.delete(item_id)
                self._outbox.emit(events.ConversationItemDeleted(item_id=item_id))

    def _update(self, event: client.SessionUpdate) -> None:
        session = self._session
        heard_before = session.input_format, session.endpointing
        read_before = session.replies.get("instructions")
        session.update(event.session, self._responses.voice_used)
        if (session.input_format, session.endpointing) != heard_before:
            self._turns.listen()
        if session.replies.get("instructions") != read_before:
            self._responses.prepare()
        self._outbox.emit(events.SessionUpdated(session=session.to_object()))

    def _append(self, encoded: str) -> None:
        audio = decode_audio(encoded, "audio")
        if len(audio) > MAX_AUDIO_BYTES:
            raise invalid("audio", "more than 15 MiB in one event.")
        self._turns.append(audio)

    def _create_item(self, event: client.ConversationItemCreate) -> None:
        item, audio = accept_item(event.item, self._outbox.new_id("item"))
        entry = Entry(item)
        previous = self._history.add(entry, event.previous_item_id)
        self._outbox.emit(events.ConversationItemAdded(item=item, previous_item_id=previous))
        self._outbox.emit(events.ConversationItemDone(item=item, previous_item_id=previous))
        if audio:
            self._turns.recognise_inside(entry, audio)

    def _refuse(self, refusal: Refusal, event_id: str | None) -> None:
        error = ErrorDetail(
            type="invalid_request_error",
            code=refusal.code,
            message=refusal.message,
            param=refusal.param,
            event_id=event_id,
        )
        self._outbox.emit(events.ErrorEvent(error=error))

    def _tick(self, now: float) -> None:
        if self.deadline is not None and now >= self.deadline:
            self._idle_since = None
            self._turns.silence()
            self._responses.create({}, STILL_THERE)

    def _watch_idleness(self, now: float) -> None:
        """Count from the end of a response for as long as nobody speaks."""
        replying = self._responses.active is not None
        if replying or self._turns.speaking:
            self._idle_since = None
        elif self._was_replying:
            self._idle_since = now
        self._was_replying = replying
