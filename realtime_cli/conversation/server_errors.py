"""What a server's errors mean for the conversation, and what its silence does where it owes something.

An error may be about the session, a turn, a response that was asked for, or nothing that matters; many servers do not
say which event of the client's it answers, so what is under way is looked at as well.
"""

from __future__ import annotations

from realtime_cli.conversation.effects import Effect, Show
from realtime_cli.conversation.ending import Ending
from realtime_cli.conversation.failures import silent_server, trouble_of, unanswered
from realtime_cli.conversation.parts import Parts
from realtime_cli.conversation.records import Trouble
from realtime_cli.conversation.server_session import ServerSession
from realtime_cli.conversation.states import ResponseState
from realtime_cli.errors import ConnectionFailed, InputError
from realtime_cli.protocol.client_events import ClientEvent, ConversationItemCreate, ResponseCreate
from realtime_cli.protocol.error_codes import SESSION_EXPIRED, Severity, classify, dialect_shown_by, fatal_error
from realtime_cli.protocol.items import ErrorDetail

ALREADY_ACTIVE = "conversation_already_has_active_response"


class ServerErrors:
    """See the module."""

    def __init__(self, parts: Parts, session: ServerSession, ending: Ending) -> None:
        self._parts = parts
        self._options = parts.options
        self._session = session
        self._ending = ending

    def error(self, error: ErrorDetail, cause: ClientEvent | None, now: float) -> list[Effect]:
        """The server sent an error; ``cause`` is the event that it answers, where it says so."""
        parts = self._parts
        if self._options.joined and error.event_id and cause is None:
            # It answers the client whose call it is.
            return []
        if error.code == SESSION_EXPIRED and self._session.begun:
            ended = ConnectionFailed("the session came to its age limit", "run the command again", recoverable=True)
            return self._session.drop(ended, now)
        if isinstance(cause, ResponseCreate) and parts.out_of_band.owns(cause):
            return parts.out_of_band.refused(cause, error)
        if error.code == ALREADY_ACTIVE:
            parts.responses.refused(because_active=True)
            return []
        if parts.setup.change_refused(cause):
            return [Show(trouble_of(error))]
        if corrected := parts.setup.correct(dialect_shown_by(error)):
            return [*corrected, parts.setup.update()]
        severity = classify(error)
        if severity is Severity.FATAL or not parts.session_id:
            return self._refused_session(error, severity, now)
        match parts.setup.refused(error, cause):
            case InputError() as refusal:
                return self._ending.fail(refusal, now)
            case list() as again:
                parts.responses.suspect(now)
                return again
        return [] if severity is Severity.BENIGN else self._about_a_turn(error, cause, severity, now)

    def silence(self, now: float) -> list[Effect]:
        """The server owes something and says nothing: that turn has failed; a chat goes on."""
        parts = self._parts
        responses = parts.responses
        error = silent_server(self._options, opened=bool(parts.session_id))
        if parts.links.lost:
            return self._session.drop(ConnectionFailed(error.problem, error.remedy, recoverable=True), now)
        if not parts.session_id or (not self._options.listens and responses.busy):
            return self._ending.fail(error, now)
        if not responses.busy:
            return responses.give_up()
        coming = responses.coming
        self._ending.turn_failed = True
        # What the server was to answer by itself may have been a cough.
        noise = coming is not None and coming.wish is None and not parts.timeouts.nobody_left
        told = unanswered(self._options) if noise else Trouble(message=str(error))
        return [*responses.give_up(), Show(told)]

    def _about_a_turn(
        self, error: ErrorDetail, cause: ClientEvent | None, severity: Severity, now: float
    ) -> list[Effect]:
        """A turn or a response was refused, or one in progress may have ended."""
        responses = self._parts.responses
        coming = responses.coming
        if isinstance(cause, ConversationItemCreate):
            responses.turn_refused()
            self._ending.turn_failed = True
        elif severity is Severity.NOTICE and cause is None:
            # A setting was refused, which has nothing to do with the reply that is owed.
            return [Show(trouble_of(error))]
        elif isinstance(cause, ResponseCreate) or (cause is None and coming and coming.state is ResponseState.ASKED):
            responses.refused(because_active=False)
            self._ending.turn_failed = True
        elif cause is None:
            responses.suspect(now)
        return [Show(trouble_of(error))]

    def _refused_session(self, error: ErrorDetail, severity: Severity, now: float) -> list[Effect]:
        """The server opens no session, or ends it for good; what may pass is tried again where there was one before."""
        failure = fatal_error(error, self._options.key)
        if severity is Severity.FATAL or not self._parts.links.lost:
            return self._ending.fail(failure, now)
        return self._session.drop(ConnectionFailed(failure.problem, failure.remedy, recoverable=True), now)
