"""Which connections a core has: the current one, one that stands by, and when another is tried.

Shared by conversations and transcriptions; what becomes of what they had in hand is theirs.
"""

from __future__ import annotations

import msgspec

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import Connect, Drop, Effect, Send, Show, Speak, Use
from realtime_cli.conversation.link import Link
from realtime_cli.conversation.reconnection import Reconnection
from realtime_cli.conversation.records import ConnectionChanged
from realtime_cli.conversation.session_setup import SessionSetup
from realtime_cli.errors import ConnectionFailed
from realtime_cli.protocol import conversation_events as c
from realtime_cli.protocol.dialects import dialect_of

STANDBY_RETRY_S = 15.0
"""How soon after a failed attempt another session is opened in advance."""

FIRST_EPOCH = 1
"""The number of the connection that the session opens by itself."""


class Links:
    """See the module. Times are the core's clock."""

    def __init__(self, reconnect_s: float, seed: int, setup: SessionSetup) -> None:
        self.link = Link(FIRST_EPOCH)
        self._reconnect_s = reconnect_s
        self._setup = setup
        self._epochs = FIRST_EPOCH
        self._standby: Link | None = None
        self._standby_not_before = 0.0
        self._reconnection = Reconnection(reconnect_s, seed)
        self._reason = ""

    @property
    def lost(self) -> bool:
        """Whether there is no connection that works."""
        return self._reconnection.lost

    @property
    def ready(self) -> bool:
        """Whether a session stands by that could take over."""
        return self._standby is not None and self._standby.accepted

    @property
    def due(self) -> float | None:
        """When the next try is due, or another session is to be opened in advance."""
        if self.lost:
            return self._reconnection.due
        rollover_due = self.link.rollover_due
        if rollover_due is None or self._standby is not None:
            return None
        return max(rollover_due, self._standby_not_before)

    def lose(self, fact: f.Lost, now: float) -> tuple[list[Effect], bool] | ConnectionFailed:
        """The connection, or a try to get another, was lost; True when it was a connection that worked.

        The error to end with when it is given up.
        """
        if self.lost and self._reconnection.due is not None:
            return [], False  # the same loss, told once more
        if not fact.error.recoverable:
            return fact.error
        first = not self.lost
        if not self._reconnection.lose(now):
            return self._given_up(fact.error) if self._reconnect_s else fact.error
        self._reason = fact.error.problem
        if not first:
            return [], False
        told: list[Effect] = [Show(ConnectionChanged(state="lost", reason=self._reason, id=self.link.session_id))]
        standby, self._standby = self._standby, None
        self.link = Link(self.link.epoch)
        return [*([Drop(standby.epoch)] if standby else []), *told], True

    def slept(self, seconds: float) -> None:
        """This machine slept."""
        for link in (self.link, self._standby):
            if link is not None:
                link.slept(seconds)

    def time_passed(self, now: float) -> list[Effect]:
        """Try again, or open another session in advance."""
        if self.due is None or now < self.due:
            return []
        self._epochs += 1
        if self.lost:
            self._reconnection.begin_try()
            self.link = Link(self._epochs)
            told = ConnectionChanged(state="retrying", reason=self._reason, attempt=self._reconnection.tries)
            return [Show(told), Connect(self._epochs)]
        self._standby = Link(self._epochs)
        return [Connect(self._epochs, standby=True)]

    def on_standby(self, fact: f.OnStandby, now: float) -> list[Effect]:
        """Something happened on the connection that stands by: its session is set up."""
        link = self._standby
        if link is None or link.epoch != fact.epoch:
            return []
        match fact.fact:
            case f.Opened(wall_s=wall_s):
                link.opened(wall_s, now)
            case c.SessionCreated(session=session) if not link.session_id:
                link.greeted(session)
                corrected = self._setup.correct(dialect_of(session))
                return [_on(each, link.epoch) for each in (*(corrected or self._setup.speak()), self._setup.update())]
            case c.SessionUpdated():
                link.accepted = True
            case f.Lost() | c.ErrorEvent():
                self._standby = None
                self._standby_not_before = now + STANDBY_RETRY_S
                return [Drop(link.epoch)]
        return []

    def take_over(self) -> list[Effect]:
        """Let the session that stands by take over; nothing where none is ready."""
        link = self._standby
        if link is None or not self.ready:
            return []
        self._standby, self.link = None, link
        return [Use(link.epoch), Show(ConnectionChanged(state="renewed", id=link.session_id))]

    def restored(self, now: float) -> list[Effect]:
        """The session of another connection is set up."""
        if not self.lost:
            return []
        self._reconnection.restore(now)
        return [Show(ConnectionChanged(state="restored", id=self.link.session_id))]

    def _given_up(self, error: ConnectionFailed) -> ConnectionFailed:
        bound = f"{self._reconnect_s:g} s (--reconnect-s)"
        words = f"the connection was lost and not regained within {bound}: {error.problem}"
        return ConnectionFailed(words, error.remedy)


def _on(effect: Effect, epoch: int) -> Effect:
    """The effect on another connection, if it is one that goes to a connection."""
    return msgspec.structs.replace(effect, epoch=epoch) if isinstance(effect, Send | Speak) else effect
