"""What is due when nothing else happens: when the next of it is, and what is done about it."""

from __future__ import annotations

from realtime_cli.conversation.effects import Effect, Show
from realtime_cli.conversation.ending import Ending
from realtime_cli.conversation.parts import Parts
from realtime_cli.conversation.records import Trouble
from realtime_cli.conversation.server_errors import ServerErrors
from realtime_cli.conversation.server_session import ServerSession
from realtime_cli.conversation.timeouts import is_due


class Deadlines:
    """See the module. Times are the core's clock."""

    def __init__(self, parts: Parts, session: ServerSession, errors: ServerErrors, ending: Ending) -> None:
        self._parts = parts
        self._session = session
        self._errors = errors
        self._ending = ending

    def next(self, now: float) -> float | None:
        """When a Tick is due, if nothing else happens."""
        parts, timeouts, wish = self._parts, self._parts.timeouts, self._parts.responses.wish
        due = [parts.links.due, parts.turns.due(now), parts.calls.due]
        if not parts.session_id:
            due.append(timeouts.hello_due())
            return min((at for at in due if at is not None), default=None)
        due += [
            timeouts.answer_due(),
            timeouts.notice_due(),
            timeouts.endless_speech_due(),
            timeouts.end_due(now) if self._session.begun else None,
            timeouts.idle_due(now) if self._session.begun else None,
            parts.responses.suspect_due,
            parts.out_of_band.due,
            parts.history.due,
            parts.call_playback.due,
            parts.rate.due if wish is not None else None,
            (wish.not_before or None) if wish is not None else None,
        ]
        return min((at for at in due if at is not None), default=None)

    def time_passed(self, now: float) -> list[Effect]:
        """See to what is due."""
        parts, timeouts = self._parts, self._parts.timeouts
        effects = parts.links.time_passed(now)
        parts.call_playback.time_passed(now)
        effects += parts.turns.time_passed(now) + parts.calls.expire(now) + parts.out_of_band.expire(now)
        if is_due(timeouts.answer_due() if parts.session_id else timeouts.hello_due(), now):
            return effects + self._errors.silence(now)
        if is_due(parts.responses.suspect_due, now):
            self._ending.turn_failed = True
            if parts.responses.current is None:
                effects.append(Show(Trouble(message="the server gave no answer")))
            effects += parts.responses.give_up()
        if is_due(timeouts.notice_due(), now):
            effects += timeouts.still_waiting()
        if is_due(timeouts.endless_speech_due(), now) and parts.turns.speech_never_ended(now):
            self._ending.turn_failed = True
            effects.append(Show(Trouble(message="the server did not hear the end of what was said")))
        return effects
