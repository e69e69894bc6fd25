"""When a conversation ends, what is said then, and with which exit code.

It is over when nobody can say anything more and all is quiet, when nobody has said anything for too long, when the
budget is used up, and at an error that nothing can go on after.
"""

from __future__ import annotations

from realtime_cli.conversation.effects import CloseMic, Effect, End, Show
from realtime_cli.conversation.failures import CANCELLED
from realtime_cli.conversation.parts import Parts
from realtime_cli.conversation.records import Ended, Notice, Trouble
from realtime_cli.conversation.timeouts import is_due
from realtime_cli.errors import RealtimeError
from realtime_cli.providers.prices import dollars


class Ending:
    """Knows what became of the turns, and whether the conversation has ended."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._options = parts.options
        self.ended = False
        self.turn_failed = self.turn_cancelled = False
        """What became of the latest turn; cancelled by the server without anybody's word."""
        self._failed_before = False

    def next_turn(self) -> None:
        """Another turn is sent: of the one before it is remembered whether it was a success."""
        self._failed_before = self._failed_before or self.turn_failed or self.turn_cancelled
        self.turn_failed = self.turn_cancelled = False

    def budget_or_silence(self, now: float) -> list[Effect]:
        """The end, once nothing is being said, where the budget is used up or nobody says anything for too long."""
        parts = self._parts
        if parts.responses.busy or parts.responses.audible or parts.calls.open:
            return []
        if parts.meter.spent:
            text = f"the budget of {dollars(parts.meter.budget_usd)} is used up (--budget)"
            return [Show(Notice(text=text)), *self.end(0, "budget", now)]
        if is_due(parts.timeouts.idle_due(now), now):
            text = f"nobody has said anything for {self._options.idle_timeout_s:g} s (--idle-timeout)"
            return [Show(Notice(text=text)), *self.end(0, "idle", now)]
        return []

    def if_over(self, now: float) -> list[Effect]:
        """The end, where nobody can say anything more and it has been quiet for long enough."""
        timeouts = self._parts.timeouts
        if not timeouts.quiet(now) or not is_due(timeouts.end_due(now), now):
            return []
        self._parts.turns.give_up_transcripts(also_empty=True)
        cancelled: list[Effect] = [Show(CANCELLED)] if self.turn_cancelled else []
        failed = self.turn_failed or self.turn_cancelled or (self._failed_before and not self._options.listens)
        return [*cancelled, *self.end(1 if failed else 0, "done", now)]

    def fail(self, error: RealtimeError, now: float) -> list[Effect]:
        """End with an error, behind all that is not told yet."""
        self._cut_off(now)
        told = self._parts.history.release(now, everything=True)
        return [*told, Show(Trouble(message=str(error))), *self.end(error.exit_code, "failed", now, error)]

    def end(self, exit_code: int, reason: str, now: float, error: RealtimeError | None = None) -> list[Effect]:
        """Say what was heard of a reply that is cut off by the end, then end."""
        self.ended = True
        self._parts.turns.give_up_transcripts(also_empty=False)
        self._cut_off(now)
        return [
            CloseMic(),
            *self._parts.history.release(now, everything=True),
            Show(Ended(reason=reason, exit_code=exit_code)),
            End(exit_code, reason, error),
        ]

    def _cut_off(self, now: float) -> None:
        self._parts.call_playback.stop(now)
        self._parts.heard_replies.cut_off()
