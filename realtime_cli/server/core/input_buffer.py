"""The input audio buffer: where the user's speech begins and ends in it, and who waits for which recognition.

The states of the user's speech, and what moves it from one to the next:

=========== ============================ =========== ==================================================================
state       event                        next        what is sent to the client or asked of the engines
=========== ============================ =========== ==================================================================
silent      SpeechStarted                speaking    ``speech_started``
speaking    MaybeEnded                   suspected   Transcribe, on the suspicion that this was all
suspected   Resumed                      speaking    DropTranscription
speaking    SpeechStopped                silent      ``speech_stopped``, ``committed``, the user's item, Transcribe
suspected   SpeechStopped                silent      the same with Hurry in place of a second Transcribe
not silent  more than MOST_SPEECH_S      silent      as for SpeechStopped
any         ``commit``                   silent      ``committed``, the user's item, Transcribe; in the middle of speech
                                                     the item has the id that ``speech_started`` gave
any         ``clear``                    silent      ``cleared``, DropTranscription
any         other settings of listening  silent      Listen, DropTranscription
=========== ============================ =========== ==================================================================

Every other event of a state is passed by.
"""

from __future__ import annotations

from dataclasses import dataclass

from realtime_cli.protocol import conversation_events as events
from realtime_cli.protocol.items import Content, ErrorDetail, Item, Usage
from realtime_cli.server.core.checks import Refusal
from realtime_cli.server.core.effects import (
    DropTranscription,
    EffectList,
    Forget,
    Hear,
    Hurry,
    Listen,
    Recording,
    Span,
    Transcribe,
)
from realtime_cli.server.core.entries import Entry
from realtime_cli.server.core.items import Items
from realtime_cli.server.core.response_output import BYTES_PER_MS
from realtime_cli.server.core.session_state import SessionState
from realtime_cli.server.listening.endpointing import Decision, MaybeEnded, Resumed, SpeechStarted, SpeechStopped

MIN_COMMIT_MS = 100
"""A commit of less is refused, as the remote service does."""

MOST_SPEECH_S = 300
"""Speech that does not end by then, which is noise, is taken as a turn."""

MOST_HELD_S = 600
"""With turn detection off: more than this is not kept without a commit; 20 MB."""


@dataclass(slots=True, eq=False)
class _Speech:
    """Speech in progress. ``early`` is the recognition begun on suspicion, ``text`` what it came to."""

    item_id: str
    start_ms: int
    early: int | None = None
    text: str | None = None

    @property
    def suspected(self) -> bool:
        """Perhaps it is over."""
        return self.early is not None


class InputBuffer:
    """One reader, no lock. Methods that obey the client raise Refusal."""

    def __init__(self, session: SessionState, items: Items, effects: EffectList) -> None:
        self._session = session
        self._items = items
        self._effects = effects
        self._received_ms = 0.0
        self._start_ms = 0
        self._speech: _Speech | None = None
        self._jobs = 0
        self._waiting: dict[int, Entry] = {}
        self._answer_due = False
        self._overflowing = False

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
        self._effects.do(Listen(self._session.input_format, self._session.endpointing))

    def append(self, audio: bytes) -> None:
        """More audio from the client."""
        new_ms = len(audio) / BYTES_PER_MS[self._session.input_format]
        if self._session.turn_detection is None and self._held_ms + new_ms > MOST_HELD_S * 1000:
            self._overflow()
            return
        self._received_ms += new_ms
        self._effects.do(Hear(audio))
        if self._speech and self._held_ms > MOST_SPEECH_S * 1000:
            self._stopped(self._speech, self.position_ms)

    def commit(self) -> None:
        """The client says that its turn is over."""
        start_ms, held_ms = self._held_from_ms, self._held_ms
        if held_ms < MIN_COMMIT_MS:
            raise Refusal(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{MIN_COMMIT_MS}ms of audio, but buffer only has {held_ms:.2f}ms of audio.",
            )
        item_id = self._speech.item_id if self._speech else self._effects.new_id("item")
        self._abandon_speech()
        span = Span(start_ms, self.position_ms)
        self._waiting[self._transcribe(span)] = self._user_item(item_id, span)
        self._drop(span.end_ms)

    def clear(self) -> None:
        """The client takes back what it has not committed."""
        self._abandon_speech()
        self._drop(self.position_ms)
        self._effects.emit(events.InputAudioBufferCleared())

    def silence(self) -> None:
        """Nobody spoke for the time the client set: an empty user item stands for it."""
        item_id = self._effects.new_id("item")
        span = Span(self._start_ms, self.position_ms)
        self._effects.emit(
            events.InputAudioBufferTimeout(item_id=item_id, audio_start_ms=span.start_ms, audio_end_ms=span.end_ms)
        )
        self._user_item(item_id, span).recognised("")
        self._drop(span.end_ms)

    def decided(self, decision: Decision) -> None:
        """Voice detection decided something."""
        match decision:
            case SpeechStarted(audio_start_ms) if self._speech is None:
                item_id = self._effects.new_id("item")
                start_ms = max(audio_start_ms, self._start_ms)
                self._speech = _Speech(item_id, start_ms)
                self._effects.emit(events.SpeechStarted(item_id=item_id, audio_start_ms=start_ms))
            case MaybeEnded(audio_end_ms) if self._speech and not self._speech.suspected:
                self._speech.early = self._transcribe(_span(self._speech.start_ms, audio_end_ms), suspected=True)
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
            self._effects.server_error(problem)
            return
        error = ErrorDetail(type="server_error", code="transcription_failed", message=problem)
        self._effects.emit(events.TranscriptionFailed(item_id=entry.id, content_index=0, error=error))

    def recognise_inside(self, entry: Entry, audio: bytes) -> None:
        """Recognise audio that came inside an item."""
        audio_format = self._session.input_format
        entry.speech_ms = len(audio) // BYTES_PER_MS[audio_format]
        entry.waiting = True
        self._waiting[self._transcribe(Recording(audio, audio_format))] = entry

    def _stopped(self, speech: _Speech, audio_end_ms: int) -> None:
        span = _span(speech.start_ms, audio_end_ms)
        self._effects.emit(events.SpeechStopped(item_id=speech.item_id, audio_end_ms=span.end_ms))
        self._speech = None
        entry = self._user_item(speech.item_id, span)
        entry.ends_turn = True
        if speech.text is not None:
            self._recognised(entry, speech.text)
        elif speech.early is not None:
            self._waiting[speech.early] = entry
            self._effects.do(Hurry(speech.early))
        else:
            self._waiting[self._transcribe(span)] = entry
        self._drop(span.end_ms)

    def _user_item(self, item_id: str, span: Span) -> Entry:
        """Make an item of a stretch of the buffer."""
        if item_id in self._items:
            # It was announced when speech began, and the client has taken it for an item of its own.
            item_id = self._effects.new_id("item")
        item = Item(
            id=item_id,
            object="realtime.item",
            type="message",
            role="user",
            status="completed",
            content=(Content(type="input_audio"),),
        )
        entry = Entry(item, speech_ms=span.end_ms - span.start_ms, waiting=True, committed=True)
        previous = self._items.add(entry)
        self._effects.emit(events.InputAudioBufferCommitted(item_id=item_id, previous_item_id=previous))
        self._effects.emit(events.ConversationItemAdded(item=item, previous_item_id=previous))
        self._effects.emit(events.ConversationItemDone(item=item, previous_item_id=previous))
        return entry

    def _recognised(self, entry: Entry, text: str) -> None:
        entry.recognised(text)
        if text and entry.ends_turn and self._session.answers_turns:
            self._answer_due = True
        if self._session.transcription is None or not entry.committed:
            return
        if text:
            self._effects.emit(events.TranscriptionDelta(item_id=entry.id, content_index=0, delta=text))
        usage = Usage(type="duration", seconds=entry.speech_ms / 1000)
        self._effects.emit(
            events.TranscriptionCompleted(item_id=entry.id, content_index=0, transcript=text, usage=usage)
        )

    def _transcribe(self, speech: Span | Recording, *, suspected: bool = False) -> int:
        self._jobs += 1
        language = (self._session.transcription or {}).get("language")
        self._effects.do(Transcribe(self._jobs, speech, language, suspected))
        return self._jobs

    @property
    def _held_from_ms(self) -> int:
        """Where that begins which a commit would take."""
        return self._speech.start_ms if self._speech else self._start_ms

    @property
    def _held_ms(self) -> float:
        return self._received_ms - self._held_from_ms

    def _overflow(self) -> None:
        """Tell the client once; what else it sends is dropped until it commits or clears."""
        if not self._overflowing:
            self._overflowing = True
            raise Refusal(
                "input_audio_buffer_full",
                f"The input audio buffer holds {MOST_HELD_S} s of audio, which is the most that it takes. "
                "Commit or clear it.",
                "audio",
            )

    def _abandon_speech(self) -> None:
        if self._speech:
            self._drop_early(self._speech)
        self._speech = None

    def _drop_early(self, speech: _Speech) -> None:
        if speech.early is not None:
            self._effects.do(DropTranscription(speech.early))
        speech.early = speech.text = None

    def _drop(self, before_ms: int) -> None:
        self._start_ms = before_ms
        self._overflowing = False
        self._effects.do(Forget(before_ms))


def _span(start_ms: int, end_ms: int) -> Span:
    return Span(start_ms, max(start_ms, end_ms))
