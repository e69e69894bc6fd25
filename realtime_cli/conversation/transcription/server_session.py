"""The session on the server: opened and set up, refused, and lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_cli.conversation.effects import Drop, Effect, Feed, OpenMic, Show
from realtime_cli.conversation.facts import Lost
from realtime_cli.conversation.failures import trouble_of
from realtime_cli.conversation.links import Links
from realtime_cli.conversation.records import SessionStarted
from realtime_cli.conversation.session_setup import SessionSetup
from realtime_cli.conversation.transcription.continuity import Continuity
from realtime_cli.conversation.transcription.ending import Ending
from realtime_cli.conversation.transcription.options import TranscriptionOptions
from realtime_cli.conversation.transcription.reports import no_session
from realtime_cli.conversation.transcription.segments import Segments
from realtime_cli.conversation.transcription.sent_audio import MARKER, SentAudio
from realtime_cli.errors import ConnectionFailed
from realtime_cli.protocol.client_events import SessionUpdate
from realtime_cli.protocol.dialects import dialect_of
from realtime_cli.protocol.error_codes import SESSION_EXPIRED, Severity, classify, dialect_shown_by, fatal_error
from realtime_cli.protocol.items import ErrorDetail

SETUP = "evt_setup"
"""Id of the ``session.update`` that sets the session up."""

COMMIT_EMPTY = "input_audio_buffer_commit_empty"


class ServerSession:
    """See the module."""

    def __init__(
        self,
        options: TranscriptionOptions,
        setup: SessionSetup,
        segments: Segments,
        links: Links,
        audio: SentAudio,
        continuity: Continuity,
        ending: Ending,
    ) -> None:
        self._options = options
        self._setup = setup
        self._segments = segments
        self._links = links
        self._audio = audio
        self._continuity = continuity
        self._ending = ending
        self._begun = False

    @property
    def id(self) -> str:
        """The session's id on the current connection; empty until the server opened one."""
        return self._links.link.session_id

    def created(self, session: Mapping[str, Any], now: float) -> list[Effect]:
        """The server opened a session: set it up, and let it hear; told again, it is passed by."""
        if self.id:
            return []
        self._links.link.greeted(session)
        options = self._options
        corrected = self._setup.correct(dialect_of(session))
        if self._begun:
            again = self._continuity.send_again(now)
            restored = self._links.restored(now)
            return [*(corrected or self._setup.speak()), self._setup.update(SETUP), *again, *restored]
        self._begun = True
        started = SessionStarted(id=self.id, model=options.model, provider=options.provider)
        cut = not options.server_cuts
        audio = OpenMic(cut) if options.recording is None else Feed(options.recording, cut)
        return [*corrected, self._setup.update(SETUP), Show(started), audio]

    def lose(self, fact: Lost, now: float) -> list[Effect]:
        """The connection was lost; one that never opened a session is not tried again."""
        if not self._begun or self._ending.quitting:
            return self._ending.fail(fact.error)
        effects = self._continuity.lose(fact, now)
        return self._ending.fail(effects) if isinstance(effects, ConnectionFailed) else effects

    def drop(self, error: ConnectionFailed, now: float) -> list[Effect]:
        """Leave a connection that is of no use any more, and get another."""
        return [Drop(self._links.link.epoch), *self.lose(Lost(error), now)]

    def error(self, error: ErrorDetail, now: float) -> list[Effect]:
        """The server says that something went wrong."""
        severity = classify(error)
        if error.code == SESSION_EXPIRED and self._begun:
            ended = ConnectionFailed("the session came to its age limit", "run the command again", recoverable=True)
            return self.drop(ended, now)
        if corrected := self._setup.correct(dialect_shown_by(error)):
            return [*corrected, self._setup.update(SETUP)]
        if severity is Severity.FATAL or not self.id:
            return self._ending.fail(fatal_error(error, self._options.key))
        if error.event_id == MARKER or (self._audio.all_sent and self._setup.may_be_about_update(error, None)):
            self._setup.answered()
            self._audio.all_heard = True
            return []
        cause = SessionUpdate(session={}) if error.event_id == SETUP else None
        if self._setup.may_be_about_update(error, cause):
            # Nothing but audio was sent besides, which no server answers with an error before it knows the session.
            outcome = self._setup.refused(error, cause, SETUP) or self._setup.refusal(error)
            return outcome if isinstance(outcome, list) else self._ending.fail(no_session(error, outcome))
        if error.code == COMMIT_EMPTY and self._segments.commits:
            self._segments.commits.popleft()
        if severity is Severity.BENIGN:
            return []
        self._ending.failed = True
        return [Show(trouble_of(error))]
