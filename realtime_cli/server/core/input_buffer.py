"""The user's side: the input buffer, where speech begins and ends in it, and who waits for which recognition."""

from __future__ import annotations

from dataclasses import dataclass

from realtime_cli.protocol import conversation_events as events
from realtime_cli.protocol.items import Content, ErrorDetail, Item, Usage
from realtime_cli.server.core.effects import DropTranscription, Forget, Hear, Listen, Recording, Span, Transcribe
from realtime_cli.server.core.history import Entry, History
from realtime_cli.server.core.outbox import Outbox
from realtime_cli.server.core.refusal import Refusal
from realtime_cli.server.core.replying import BYTES_PER_MS
from realtime_cli.server.core.session_state import SessionState
from realtime_cli.server.listening.endpointing import Decision, MaybeEnded, Resumed, SpeechStarted, SpeechStopped

MIN_COMMIT_MS = 100
"""A commit of less is refused, as the remote service does."""


@dataclass(slots=True, eq=False)
class _Speech:
    """Speech in progress. ``early`` is the recognition begun on suspicion, ``text`` what it came to."""

    item_id: str
    start_ms: int
    early: int | None = None
    text: str | None = None


class Turns:
    """One reader, no lock. Methods that obey the client raise Refusal."""

    def __init__(self, session: SessionState, history: History, outbox: Outbox) -> None:
        self._session = session
        self._history = history
        self._outbox = outbox
        self._received_ms = 0.0
        self._start_ms = 0
        self._speech: _Speech | None = None
        self._jobs = 0
        self._waiting: dict[int, Entry] = {}
        self._answer_due = False

    @property
    def speaking(self) -> bool:
        """The user is speaking."""
        return self._speech is not None

    @property
    def answer_due(self) -> bool:
        """The user was heard to stop, said something, and is not being heard or understood any further."""
        return self._answer_due and not self.speaking and not self._waiting

    def answered(self) -> None:
        """A response to what was said has begun."""
        self._answer_due = False

    @property
    def position_ms(self) -> int:
        """How much audio has come in since the session began."""
        return int(self._received_ms)

    def listen(self) -> None:
        """Begin to listen as the session says, at the start or after an update."""
        self._abandon_speech()
        self._outbox.do(Listen(self._session.input_format, self._session.endpointing))

    def append(self, audio: bytes) -> None:
        """More audio from the client."""
        self._received_ms += len(audio) / BYTES_PER_MS[self._session.input_format]
        self._outbox.do(Hear(audio))

    def commit(self) -> None:
        """The client says that its turn is over."""
        start_ms = self._speech.start_ms if self._speech else self._start_ms
        held_ms = self._received_ms - start_ms
        if held_ms < MIN_COMMIT_MS:
            raise Refusal(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{MIN_COMMIT_MS}ms of audio, but buffer only has {held_ms:.2f}ms of audio.",
            )
        item_id = self._speech.item_id if self._speech else self._outbox.new_id("item")
        self._abandon_speech()
        span = Span(start_ms, self.position_ms)
        self._waiting[self._transcribe(span)] = self._user_item(item_id, span)
        self._drop(span.end_ms)

    def clear(self) -> None:
        """The client takes back what it has not committed."""
        self._abandon_speech()
        self._drop(self.position_ms)
        self._outbox.emit(events.InputAudioBufferCleared())

    def silence(self) -> None:
        """Nobody spoke for the time the client set: an empty user item stands for it."""
        item_id = self._outbox.new_id("item")
        span = Span(self._start_ms, self.position_ms)
        self._outbox.emit(
            events.InputAudioBufferTimeout(item_id=item_id, audio_start_ms=span.start_ms, audio_end_ms=span.end_ms)
        )
        self._user_item(item_id, span).recognised("")
        self._drop(span.end_ms)

    def decided(self, decision: Decision) -> None:
        """The ear decided something."""
        match decision:
            case SpeechStarted(audio_start_ms):
                item_id = self._outbox.new_id("item")
                start_ms = max(audio_start_ms, self._start_ms)
                self._speech = _Speech(item_id, start_ms)
                self._outbox.emit(events.SpeechStarted(item_id=item_id, audio_start_ms=start_ms))
            case MaybeEnded(audio_end_ms) if self._speech:
                self._speech.early = self._transcribe(Span(self._speech.start_ms, audio_end_ms))
            case Resumed() if self._speech:
                self._drop_early(self._speech)
            case SpeechStopped(audio_end_ms) if self._speech:
                self._stopped(self._speech, audio_end_ms)

    def transcribed(self, job: int, text: str) -> bool:
        """A recognition is done. Returns whether an answer is due if the end of speech, so far suspected, is sure."""
        if self._speech and self._speech.early == job:
            self._speech.text = text
            return bool(text) and self._session.answers_turns
        if job in self._waiting:
            self._recognised(self._waiting.pop(job), text)
        return False

    def transcription_failed(self, job: int, problem: str) -> None:
        """A recognition came to nothing; without a transcript to fail, the client hears of it as an error."""
        if self._speech and self._speech.early == job:
            self._speech.early = None
            return
        entry = self._waiting.pop(job, None)
        if entry is None:
            return
        entry.recognised("")
        if self._session.transcription is None or not entry.committed:
            self._outbox.server_error(problem)
            return
        error = ErrorDetail(type="server_error", code="transcription_failed", message=problem)
        self._outbox.emit(events.TranscriptionFailed(item_id=entry.id, content_index=0, error=error))

    def recognise_inside(self, entry: Entry, audio: bytes) -> None:
        """Recognise audio that came inside an item."""
        audio_format = self._session.input_format
        entry.speech_ms = len(audio) // BYTES_PER_MS[audio_format]
        entry.waiting = True
        self._waiting[self._transcribe(Recording(audio, audio_format))] = entry

    def _stopped(self, speech: _Speech, audio_end_ms: int) -> None:
        self._outbox.emit(events.SpeechStopped(item_id=speech.item_id, audio_end_ms=audio_end_ms))
        self._speech = None
        span = Span(speech.start_ms, audio_end_ms)
        entry = self._user_item(speech.item_id, span)
        entry.ends_turn = True
        if speech.text is not None:
            self._recognised(entry, speech.text)
        else:
            self._waiting[speech.early or self._transcribe(span)] = entry
        self._drop(audio_end_ms)

    def _user_item(self, item_id: str, span: Span) -> Entry:
        """Make an item of a stretch of the buffer, and empty the buffer up to its end."""
        item = Item(
            id=item_id,
            object="realtime.item",
            type="message",
            role="user",
            status="completed",
            content=(Content(type="input_audio"),),
        )
        entry = Entry(item, speech_ms=span.end_ms - span.start_ms, waiting=True, committed=True)
        previous = self._history.add(entry)
        self._outbox.emit(events.InputAudioBufferCommitted(item_id=item_id, previous_item_id=previous))
        self._outbox.emit(events.ConversationItemAdded(item=item, previous_item_id=previous))
        self._outbox.emit(events.ConversationItemDone(item=item, previous_item_id=previous))
        return entry

    def _recognised(self, entry: Entry, text: str) -> None:
        entry.recognised(text)
        if text and entry.ends_turn and self._session.answers_turns:
            self._answer_due = True
        if self._session.transcription is None or not entry.committed:
            return
        if text:
            self._outbox.emit(events.TranscriptionDelta(item_id=entry.id, content_index=0, delta=text))
        usage = Usage(type="duration", seconds=entry.speech_ms / 1000)
        self._outbox.emit(
            events.TranscriptionCompleted(item_id=entry.id, content_index=0, transcript=text, usage=usage)
        )

    def _transcribe(self, speech: Span | Recording) -> int:
        self._jobs += 1
        language = (self._session.transcription or {}).get("language")
        self._outbox.do(Transcribe(self._jobs, speech, language))
        return self._jobs

    def _abandon_speech(self) -> None:
        if self._speech:
            self._drop_early(self._speech)
        self._speech = None

    def _drop_early(self, speech: _Speech) -> None:
        if speech.early is not None:
            self._outbox.do(DropTranscription(speech.early))
        speech.early = speech.text = None

    def _drop(self, before_ms: int) -> None:
        self._start_ms = before_ms
        self._outbox.do(Forget(before_ms))
