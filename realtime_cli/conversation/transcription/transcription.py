"""A transcription: audio goes up, text comes down, and nobody answers. Facts in, effects out, as in the conversation.

Who finds the segments of speech is one of two: the server's voice detection (then the end of a recording is followed
by silence, so that its last words are found as well), or this side, which commits one at every
:class:`~realtime_cli.conversation.facts.Cut`. Transcripts come in any order and are told in the order of speech.
"""

from __future__ import annotations

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import CloseMic, Effect, Show
from realtime_cli.conversation.links import Links
from realtime_cli.conversation.records import (
    Notice,
    Phase,
    Snapshot,
    TranscriptDelta,
    Trouble,
)
from realtime_cli.conversation.session_setup import SessionSetup
from realtime_cli.conversation.transcription.continuity import Continuity
from realtime_cli.conversation.transcription.ending import Ending
from realtime_cli.conversation.transcription.options import TranscriptionOptions
from realtime_cli.conversation.transcription.reports import (
    NO_SPEECH,
    silent_server,
    untranscribed,
    usage_of,
)
from realtime_cli.conversation.transcription.segments import Segment, Segments
from realtime_cli.conversation.transcription.sent_audio import SentAudio
from realtime_cli.conversation.transcription.server_session import ServerSession
from realtime_cli.errors import ConnectionFailed, RealtimeError
from realtime_cli.protocol import conversation_events as c
from realtime_cli.protocol.codec import ServerEvent, UnknownEvent
from realtime_cli.protocol.items import Item


class Transcription:
    """See the module. Not thread-safe: one thread owns it."""

    def __init__(self, options: TranscriptionOptions) -> None:
        self.options = options
        self._setup = SessionSetup(options.session, options.session_otherwise, options.left_out)
        self._segments = Segments()
        self._links = Links(options.reconnect_s, options.seed, self._setup)
        self._audio = SentAudio(options, self._segments, self._setup)
        self._continuity = Continuity(options, self._segments, self._audio, self._links, self._setup)
        self._ending = Ending(self._segments)
        self._session = ServerSession(
            options, self._setup, self._segments, self._links, self._audio, self._continuity, self._ending
        )
        self._changed_at: float | None = None
        self._speech_found = False

    def handle(self, fact: f.Fact, now: float) -> list[Effect]:
        """What is to be done about ``fact``, which came at ``now`` seconds of a monotonic clock. Never blocks."""
        if self._ending.ended:
            return []
        effects = self._decide(fact, now)
        if not isinstance(fact, f.Tick | f.Cut | f.Noted):
            self._changed_at = now
        return effects if self._ending.ended else effects + self._go_on(now)

    @property
    def deadline(self) -> float | None:
        """When a Tick is due, if nothing else happens."""
        if self._ending.ended or self._changed_at is None:
            return None
        if self._links.lost and self._links.link.opened_at is None:
            return min((at for at in (self._links.due, self._ending.due) if at is not None), default=None)
        if not self._session.id:
            return self._changed_at + self.options.hello_timeout_s
        due = [at for at in (self._ending.due, self._segments.overtaken_due, self._links.due) if at is not None]
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
            case f.Quit() if self._session.id and not self._ending.quitting and self.options.recording is None:
                return self._ending.wait_for_last_words(fact.exit_code, now)
            case f.Quit():
                return self._ending.quit_now(fact.exit_code)
            case f.Failed():
                return self._ending.fail(fact.error)
            case f.Lost():
                return self._session.lose(fact, now)
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
            case c.SessionCreated():
                return self._session.created(event.session, now)
            case c.ConversationCreated():
                # xAI's first event, in the place of session.created.
                return self._session.created({}, now)
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
                self._ending.failed = True
                problem = event.error.message or event.error.code or "no reason given"
                trouble = Trouble(message=f"a part could not be transcribed: {problem}", code=event.error.code)
                return [Show(trouble), *map(Show, self._segments.whole())]
            case c.ErrorEvent():
                return self._session.error(event.error, now)
        return []

    def _item(self, item: Item, now: float) -> list[Effect]:
        """What the user said enters the conversation; some servers tell the transcript there, and only there."""
        words = item.words.strip()
        if item.role != "user" or not words:
            return []
        self._segments.completed(item.id or "", words, now)
        return list(map(Show, self._segments.whole()))

    def _go_on(self, now: float) -> list[Effect]:
        """Give up what does not come any more, and end when all has been said."""
        changed_at = now if self._changed_at is None else self._changed_at
        if self._links.lost and self._links.link.opened_at is None:
            return self._links.time_passed(now)
        if not self._session.id and self._links.lost and now >= changed_at + self.options.hello_timeout_s:
            silent = self._silence()
            passing = ConnectionFailed(silent.problem, silent.remedy, recoverable=True)
            return self._session.drop(passing, now)
        if not self._session.id:
            return self._ending.fail(self._silence()) if now >= changed_at + self.options.hello_timeout_s else []
        told = (
            self._links.time_passed(now)
            + self._continuity.renew(now, changed_at)
            + self._untranscribed(self._segments.give_up(now))
        )
        over = self._audio.all_sent and not self._segments.pending
        if self._ending.due is not None and (now >= self._ending.due or over):
            return told + self._ending.quit_now()
        return told + (self._go_on_waiting(now, changed_at) if self._audio.all_sent or self._segments.pending else [])

    def _go_on_waiting(self, now: float, changed_at: float) -> list[Effect]:
        """Something is owed, or nothing more is sent: the server's silence has an end."""
        overdue = now >= changed_at + self.options.answer_timeout_s
        if self._segments.pending and not overdue:
            return []
        if self._segments.pending and self.options.recording is None:
            return self._untranscribed(self._segments.give_up(now, everything=True))
        if self._segments.pending:
            return self._ending.fail(self._silence())
        settled = not self.options.server_cuts or now >= changed_at + self.options.settle_s
        if not ((self._audio.all_heard and settled) or overdue):
            return []
        if self._segments.speaking and not overdue:
            return self._audio.commit(None)
        return [*self._nothing_found(), *self._ending.end(1 if self._ending.failed else 0, "done")]

    def _untranscribed(self, given_up: list[Segment]) -> list[Effect]:
        """Say what no transcript came for, and tell what it withheld."""
        if not given_up:
            return []
        self._ending.failed = True
        return [Show(untranscribed(given_up)), *map(Show, self._segments.whole())]

    def _nothing_found(self) -> list[Effect]:
        """A recording in which somebody speaks, and a server that found nothing: it may have no voice detection."""
        if self._speech_found or not self.options.server_cuts or self._ending.failed:
            return []
        self._ending.failed = True
        return [Show(NO_SPEECH)]

    def _silence(self) -> RealtimeError:
        return silent_server(self.options, opened=bool(self._session.id))

    def _phase(self) -> Phase:
        if self._ending.ended:
            return Phase.ENDED
        if self._links.lost:
            return Phase.RECONNECTING
        if not self._session.id:
            return Phase.CONNECTING
        if self._segments.speaking:
            return Phase.HEARING
        return Phase.THINKING if self._segments.pending or self._audio.all_sent else Phase.LISTENING


_OF_SPEECH = (
    *(c.SpeechStarted, c.SpeechStopped, c.InputAudioBufferCommitted),
    *(c.TranscriptionDelta, c.TranscriptionCompleted, c.TranscriptionFailed, c.TranscriptionSegment),
)
"""What a server sends that has heard somebody, and so is past the session's setup."""
