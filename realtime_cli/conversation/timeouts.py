"""How long a conversation waits: for a server that owes something, and for its own end when all is quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realtime_cli.conversation.options import ConversationOptions
    from realtime_cli.conversation.out_of_band import Asides
    from realtime_cli.conversation.responses import Replies
    from realtime_cli.conversation.tool_calls import Calls
    from realtime_cli.conversation.turns import Turns

ASIDES_S = 20.0
"""How long the end waits for side channels."""

LATE_TRANSCRIPT_S = 3.0
"""How long the end waits for a transcript of the user's that is still to come."""


class Patience:
    """Watches the others; all times are seconds of the conversation's monotonic clock."""

    def __init__(
        self, options: ConversationOptions, turns: Turns, replies: Replies, calls: Calls, asides: Asides
    ) -> None:
        self._options = options
        self._turns = turns
        self._replies = replies
        self._calls = calls
        self._asides = asides
        self._inputs_ended = False
        self._mic_ended = False
        self._owes_since: float | None = None
        self._quiet_since: float | None = None

    def owed(self, now: float) -> None:
        """The server was asked, or said something and may go on: its silence counts from here."""
        self._owes_since = now

    def inputs_ended(self) -> None:
        """Nobody will type any more."""
        self._inputs_ended = True

    def mic_ended(self, now: float) -> None:
        """Nobody will speak any more."""
        self._mic_ended = True
        self._quiet_since = now

    def quiet(self, now: float) -> bool:
        """Whether nothing is going on; how long it has been so is counted here."""
        idle = self._idle
        if not idle:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = now
        return idle

    def hello_due(self) -> float | None:
        """When a server that has not opened the session has been silent for too long."""
        return None if self._owes_since is None else self._owes_since + self._options.hello_timeout_s

    def answer_due(self) -> float | None:
        """When a server that owes a response has been silent for too long."""
        if self._owes_since is None or not self._replies.busy:
            return None
        return self._owes_since + self._options.answer_timeout_s

    def end_due(self) -> float | None:
        """When the conversation is over, if it stays as quiet as it is."""
        if self._quiet_since is None or not self._idle:
            return None
        options = self._options
        enough = options.max_turns is not None and self._turns.count >= options.max_turns
        patience_s = ASIDES_S if self._asides.busy else 0.0
        if self._inputs_ended or enough:
            return self._quiet_since + max(patience_s, LATE_TRANSCRIPT_S if self._turns.unread else 0.0)
        return self._quiet_since + max(patience_s, options.mic_end_grace_s) if self._mic_ended else None

    @property
    def _idle(self) -> bool:
        turns, replies, calls = self._turns, self._replies, self._calls
        return not (turns.speaking or turns.feeding or turns.waiting or replies.busy or replies.audible or calls.open)
