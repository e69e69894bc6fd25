"""A transcription: audio goes up, text comes down, and nobody answers. Facts in, effects out, as in the conversation.

Who finds the segments of speech is one of two: the server's voice detection (then the end of a recording is followed
by silence, so that its last words are found as well), or this side, which commits one at every
:class:`~realtime_cli.conversation.facts.Cut`. Transcripts come in any order and are told in the order of speech.
"""

from __future__ import annotations

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import CloseMic, Drop, Effect, End, Feed, OpenMic, Show
from realtime_cli.conversation.failures import trouble_of
from realtime_cli.conversation.links import Links
from realtime_cli.conversation.records import (
    Ended,
    Notice,
    Phase,
    SessionStarted,
    Snapshot,
    TranscriptDelta,
    Trouble,
)
from realtime_cli.conversation.session_setup import SessionSetup
from realtime_cli.conversation.transcription.continuity import Continuity
from realtime_cli.conversation.transcription.options import TranscriptionOptions
from realtime_cli.conversation.transcription.reports import (
    NO_SPEECH,
    no_session,
    silent_server,
    untranscribed,
    usage_of,
)
from realtime_cli.conversation.transcription.segments import Segment, Segments
from realtime_cli.conversation.transcription.sent_audio import MARKER, SentAudio
from realtime_cli.errors import ConnectionFailed, RealtimeError
from realtime_cli.protocol import conversation_events as c
from realtime_cli.protocol.client_events import SessionUpdate
from realtime_cli.protocol.codec import ServerEvent, UnknownEvent
from realtime_cli.protocol.dialects import dialect_of
from realtime_cli.protocol.error_codes import SESSION_EXPIRED, Severity, classify, dialect_shown_by, fatal_error
from realtime_cli.protocol.items import ErrorDetail, Item

SETUP = "evt_setup"
"""Id of the ``session.update`` that sets the session up."""

FAREWELL_S = 5.0
"""How long the last words may take after Ctrl-C."""

COMMIT_EMPTY = "input_audio_buffer_commit_empty"


class Transcription:
    """See the module. Not thread-safe: one thread owns it."""

    def __init__(self, options: TranscriptionOptions) -> None:
        self.options = options
        self._setup = SessionSetup(options.session, options.session_otherwise, options.left_out)
        self._segments = Segments()
        self._links = Links(options.reconnect_s, options.seed, self._setup)
        self._begun = False
        self._audio = SentAudio(options, self._segments, self._setup)
        self._continuity = Continuity(options, self._segments, self._audio, self._links, self._setup)
        self._exit_code: int | None = None
        self._give_up_at: float | None = None
        self._failed = self._ended = False
        self._changed_at: float | None = None
        self._speech_found = False

    def handle(self, fact: f.Fact, now: float) -> list[Effect]:
        """What is to be done about ``fact``, which came at ``now`` seconds of a monotonic clock. Never blocks."""
        if self._ended:
            return []
        effects = self._decide(fact, now)
        if not isinstance(fact, f.Tick | f.Cut | f.Noted):
            self._changed_at = now
        return effects if self._ended else effects + self._go_on(now)

    @property
    def deadline(self) -> float | None:
        """When a Tick is due, if nothing else happens."""
        if self._ended or self._changed_at is None:
            return None
        if self._links.lost and self._links.link.opened_at is None:
            return min((at for at in (self._links.due, self._give_up_at) if at is not None), default=None)
        if not self._session_id:
            return self._changed_at + self.options.hello_timeout_s
        due = [at for at in (self._give_up_at, self._segments.overtaken_due, self._links.due) if at is not None]
        if self._links.ready:
            due.append(self._continuity.renewal_due(self._changed_at))
        if self._audio.all_sent and not self._segments.pending and self._audio.all_heard:
            due.append(self._changed_at + self.options.settle_s)
        elif self._audio.all_sent or self._segments.pending:
            due.append(self._changed_at + self.options.answer_timeout_s)
        return min(due, default=None)

    def snapshot(self) -> Snapshot:
        """How things stand."""
        return Snapshot(
            phase=self._phase(),
            provider=self.options.provider,
            model=self.options.model,
            lines=self._segments.lines(),
            position_ms=self._segments.told_ms,
        )

    @property
    def urgent(self) -> bool:
        """Whether somebody speaks, or a transcript is owed."""
        return self._segments.speaking or self._segments.pending

    @property
    def audible(self) -> bool:
        """Nothing is ever played."""
        return False

    def _decide(self, fact: f.Fact, now: float) -> list[Effect]:
        match fact:
            case ServerEvent() | UnknownEvent():
                return self._server_said(fact, now)
            case f.Cut() if self._links.lost:
                return []  # of a connection that is gone
            case f.Cut():
                self._audio.cut(fact)
            case f.MicOpened():
                self._continuity.mic_began_at = now
            case f.Fed():
                return self._audio.sent_all()
            case f.MicEnded():
                # Whoever is at its end is followed by silence, in which a server that listens hears the end of speech.
                return self._audio.sent_all() if self.options.server_cuts else [CloseMic()]
            case f.MicClosed() if not self._audio.all_sent:
                return self._audio.mic_closed(fact)
            case f.Noted():
                return [Show(Notice(text=fact.text))]
            case f.Quit():
                return self._quit(fact.exit_code, now)
            case f.Failed():
                return self._fail(fact.error)
            case f.Lost():
                return self._lose(fact, now)
            case f.Opened():
                self._links.link.opened(fact.wall_s, now)
            case f.OnStandby():
                return self._links.on_standby(fact, now)
            case f.Slept():
                self._links.slept(fact.seconds)
            case f.MicResumed():
                self._audio.mic_resumed(fact)
        return []

    def _server_said(self, event: ServerEvent | UnknownEvent, now: float) -> list[Effect]:
        if isinstance(event, _OF_SPEECH):
            self._speech_found = True
            if not isinstance(event, c.SpeechStarted | c.SpeechStopped):
                # Those may overtake the answer to the update: the audio is right behind it.
                self._setup.answered()
        match event:
            case c.SessionCreated() if not self._session_id:
                return self._session_created(event, now)
            case c.ConversationCreated() if not self._session_id:
                # xAI's first event, in the place of session.created.
                return self._session_created(c.SessionCreated(), now)
            case c.SessionUpdated():
                self._setup.answered()
                self._audio.all_heard = self._audio.all_sent
            case c.SpeechStarted():
                self._segments.started(event.item_id, event.audio_start_ms)
            case c.SpeechStopped():
                self._segments.stopped(event.item_id, event.audio_end_ms, now)
            case c.InputAudioBufferCommitted():
                self._segments.committed(event.item_id, now)
            case c.TranscriptionDelta() if event.delta:
                self._segments.grew(event.item_id, event.delta)
                return [Show(TranscriptDelta(item_id=event.item_id, text=event.delta))]
            case c.TranscriptionCompleted():
                self._segments.completed(event.item_id, event.transcript.strip(), now)
                return [*map(Show, self._segments.whole()), *usage_of(event, self.options)]
            case c.ConversationItemAdded() | c.ConversationItemCreated() | c.ConversationItemDone():
                return self._item(event.item, now)
            case c.TranscriptionFailed():
                self._segments.completed(event.item_id, "", now)
                self._failed = True
                problem = event.error.message or event.error.code or "no reason given"
                trouble = Trouble(message=f"a part could not be transcribed: {problem}", code=event.error.code)
                return [Show(trouble), *map(Show, self._segments.whole())]
            case c.ErrorEvent():
                return self._error(event.error, now)
        return []

    def _item(self, item: Item, now: float) -> list[Effect]:
        """What the user said enters the conversation; some servers tell the transcript there, and only there."""
        words = item.words.strip()
        if item.role != "user" or not words:
            return []
        self._segments.completed(item.id or "", words, now)
        return list(map(Show, self._segments.whole()))

    def _session_created(self, event: c.SessionCreated, now: float) -> list[Effect]:
        self._links.link.greeted(event.session)
        options = self.options
        corrected = self._setup.correct(dialect_of(event.session))
        cut = not options.server_cuts
        if self._begun:
            again = self._continuity.send_again(now)
            restored = self._links.restored(now)
            return [*(corrected or self._setup.speak()), self._setup.update(SETUP), *again, *restored]
        self._begun = True
        started = SessionStarted(id=self._session_id, model=options.model, provider=options.provider)
        audio = OpenMic(cut) if options.recording is None else Feed(options.recording, cut)
        return [*corrected, self._setup.update(SETUP), Show(started), audio]

    @property
    def _session_id(self) -> str:
        return self._links.link.session_id

    def _lose(self, fact: f.Lost, now: float) -> list[Effect]:
        """The connection was lost; one that never opened a session is not tried again."""
        if not self._begun or self._exit_code is not None:
            return self._fail(fact.error)
        effects = self._continuity.lose(fact, now)
        return self._fail(effects) if isinstance(effects, ConnectionFailed) else effects

    def _error(self, error: ErrorDetail, now: float) -> list[Effect]:
        severity = classify(error)
        if error.code == SESSION_EXPIRED and self._begun:
            ended = ConnectionFailed("the session came to its age limit", "run the command again", recoverable=True)
            return [Drop(self._links.link.epoch), *self._lose(f.Lost(ended), now)]
        if corrected := self._setup.correct(dialect_shown_by(error)):
            return [*corrected, self._setup.update(SETUP)]
        if severity is Severity.FATAL or not self._session_id:
            return self._fail(fatal_error(error, self.options.key))
        if error.event_id == MARKER or (self._audio.all_sent and self._setup.may_be_about_update(error, None)):
            self._setup.answered()
            self._audio.all_heard = True
            return []
        cause = SessionUpdate(session={}) if error.event_id == SETUP else None
        if self._setup.may_be_about_update(error, cause):
            # Nothing but audio was sent besides, which no server answers with an error before it knows the session.
            outcome = self._setup.refused(error, cause, SETUP) or self._setup.refusal(error)
            return outcome if isinstance(outcome, list) else self._fail(no_session(error, outcome))
        if error.code == COMMIT_EMPTY and self._segments.commits:
            self._segments.commits.popleft()
        if severity is Severity.BENIGN:
            return []
        self._failed = True
        return [Show(trouble_of(error))]

    def _quit(self, exit_code: int, now: float) -> list[Effect]:
        """Ctrl-C is the usual end of a microphone's transcript: what was said before it is waited for."""
        if not self._session_id or self._exit_code is not None or self.options.recording is not None:
            return self._end(exit_code, "quit" if exit_code == 0 else "interrupted")
        self._exit_code, self._give_up_at = exit_code, now + FAREWELL_S
        return [CloseMic()]

    def _go_on(self, now: float) -> list[Effect]:
        """Give up what does not come any more, and end when all has been said."""
        changed_at = now if self._changed_at is None else self._changed_at
        if self._links.lost and self._links.link.opened_at is None:
            return self._links.time_passed(now)
        if not self._session_id and self._links.lost and now >= changed_at + self.options.hello_timeout_s:
            silent = self._silence()
            passing = ConnectionFailed(silent.problem, silent.remedy, recoverable=True)
            return [Drop(self._links.link.epoch), *self._lose(f.Lost(passing), now)]
        if not self._session_id:
            return self._fail(self._silence()) if now >= changed_at + self.options.hello_timeout_s else []
        told = (
            self._links.time_passed(now)
            + self._continuity.renew(now, changed_at)
            + self._untranscribed(self._segments.give_up(now))
        )
        over = self._audio.all_sent and not self._segments.pending
        if self._give_up_at is not None and (now >= self._give_up_at or over):
            return told + self._end(self._exit_code or 0, "interrupted" if self._exit_code else "quit")
        return told + (self._go_on_waiting(now, changed_at) if self._audio.all_sent or self._segments.pending else [])

    def _go_on_waiting(self, now: float, changed_at: float) -> list[Effect]:
        """Something is owed, or nothing more is sent: the server's silence has an end."""
        overdue = now >= changed_at + self.options.answer_timeout_s
        if self._segments.pending and not overdue:
            return []
        if self._segments.pending and self.options.recording is None:
            return self._untranscribed(self._segments.give_up(now, everything=True))
        if self._segments.pending:
            return self._fail(self._silence())
        settled = not self.options.server_cuts or now >= changed_at + self.options.settle_s
        if not ((self._audio.all_heard and settled) or overdue):
            return []
        if self._segments.speaking and not overdue:
            return self._audio.commit(None)
        return [*self._nothing_found(), *self._end(1 if self._failed else 0, "done")]

    def _untranscribed(self, given_up: list[Segment]) -> list[Effect]:
        """Say what no transcript came for, and tell what it withheld."""
        if not given_up:
            return []
        self._failed = True
        return [Show(untranscribed(given_up)), *map(Show, self._segments.whole())]

    def _nothing_found(self) -> list[Effect]:
        """A recording in which somebody speaks, and a server that found nothing: it may have no voice detection."""
        if self._speech_found or not self.options.server_cuts or self._failed:
            return []
        self._failed = True
        return [Show(NO_SPEECH)]

    def _silence(self) -> RealtimeError:
        return silent_server(self.options, opened=bool(self._session_id))

    def _fail(self, error: RealtimeError) -> list[Effect]:
        return [
            *map(Show, self._segments.rest()),
            Show(Trouble(message=str(error))),
            *self._end(error.exit_code, "failed"),
        ]

    def _end(self, exit_code: int, reason: str) -> list[Effect]:
        self._ended = True
        # What came of transcripts that are not whole is better than nothing.
        rest = map(Show, self._segments.rest())
        return [CloseMic(), *rest, Show(Ended(reason=reason, exit_code=exit_code)), End(exit_code, reason)]

    def _phase(self) -> Phase:
        if self._ended:
            return Phase.ENDED
        if self._links.lost:
            return Phase.RECONNECTING
        if not self._session_id:
            return Phase.CONNECTING
        if self._segments.speaking:
            return Phase.HEARING
        return Phase.THINKING if self._segments.pending or self._audio.all_sent else Phase.LISTENING


_OF_SPEECH = (
    *(c.SpeechStarted, c.SpeechStopped, c.InputAudioBufferCommitted),
    *(c.TranscriptionDelta, c.TranscriptionCompleted, c.TranscriptionFailed, c.TranscriptionSegment),
)
"""What a server sends that has heard somebody, and so is past the session's setup."""
