"""How long a conversation waits: for a server that owes something, and for its own end when all is quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime_cli.conversation.effects import Effect, Show
from realtime_cli.conversation.records import Notice

if TYPE_CHECKING:
    from realtime_cli.conversation.options import ConversationOptions
    from realtime_cli.conversation.out_of_band import OutOfBand
    from realtime_cli.conversation.responses import Responses
    from realtime_cli.conversation.tool_calls import ToolCalls
    from realtime_cli.conversation.turns import Turns

LATE_TRANSCRIPT_S = 3.0
"""How long the end waits for a transcript of the user's that is still to come."""

WAITING_NOTICE_S = 10.0
"""After so long without a word from a server that owes something, the user is told that it is still waited for."""

ENDLESS_SPEECH_S = 10.0
"""How long after the end of the audio the server may still hear somebody speak: it gets silence from there."""


class Timeouts:
    """Watches the others; all times are seconds of the conversation's monotonic clock."""

    def __init__(
        self,
        options: ConversationOptions,
        turns: Turns,
        responses: Responses,
        calls: ToolCalls,
        out_of_band: OutOfBand,
    ) -> None:
        self._options = options
        self._turns = turns
        self._responses = responses
        self._calls = calls
        self._out_of_band = out_of_band
        self.inputs_ended = False
        """Nobody will type any more."""
        self._mic_ended_at: float | None = None
        self._silent_since: float | None = None
        self._quiet_since: float | None = None
        self._waiting_told = False

    def server_heard(self, now: float) -> None:
        """The server was asked, or said something and may go on: its silence counts from here."""
        self._silent_since = now
        self._waiting_told = False

    def nobody_answers(self) -> None:
        """There is no connection: nobody's silence counts."""
        self._silent_since = None
        self._waiting_told = False

    def mic_ended(self, now: float) -> None:
        """Nobody will speak any more."""
        self._mic_ended_at = self._quiet_since = now

    @property
    def nobody_left(self) -> bool:
        """Whether no further turn of the user's can come."""
        return self.inputs_ended or self._mic_ended_at is not None

    def quiet(self, now: float) -> bool:
        """Whether nothing is going on; how long it has been so is counted here."""
        idle = self.idle(now)
        if not idle:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = now
        return idle

    def hello_due(self) -> float | None:
        """When a server that has not opened the session has been silent for too long."""
        return None if self._silent_since is None else self._silent_since + self._options.hello_timeout_s

    def answer_due(self) -> float | None:
        """When a server that owes a response has been silent for too long."""
        responses = self._responses
        if self._silent_since is None or responses.put_off or (responses.free and not responses.busy):
            return None
        return self._silent_since + self._options.answer_timeout_s

    def notice_due(self) -> float | None:
        """When the user is to be told that the server is still waited for."""
        responses = self._responses
        if self._silent_since is None or responses.put_off or not responses.busy or self._waiting_told:
            return None
        return self._silent_since + WAITING_NOTICE_S

    def still_waiting(self) -> list[Effect]:
        """Tell the user."""
        self._waiting_told = True
        limit_s = self._options.answer_timeout_s
        if limit_s <= WAITING_NOTICE_S:
            return []
        text = f"the server has not answered for {WAITING_NOTICE_S:g} s; waiting for up to {limit_s:g} s"
        return [Show(Notice(text=f"{text} (--answer-timeout)"))]

    def endless_speech_due(self) -> float | None:
        """When speech whose end the server does not hear is given up, as no more audio comes."""
        if self._mic_ended_at is None or self._silent_since is None or not self._turns.speech_detected:
            return None
        return max(self._mic_ended_at, self._silent_since) + max(ENDLESS_SPEECH_S, self._options.mic_end_grace_s)

    def end_due(self, now: float) -> float | None:
        """When the conversation is over, if it stays as quiet as it is."""
        if self._quiet_since is None or not self.idle(now):
            return None
        options = self._options
        enough = options.max_turns is not None and self._turns.count >= options.max_turns
        if self.inputs_ended or enough:
            return self._quiet_since + (LATE_TRANSCRIPT_S if self._turns.transcript_pending else 0.0)
        return None if self._mic_ended_at is None else self._quiet_since + options.mic_end_grace_s

    def idle_due(self, now: float) -> float | None:
        """When the conversation ends because nobody says anything, if it stays as quiet as it is."""
        if self._options.idle_timeout_s is None or self._quiet_since is None or not self.idle(now):
            return None
        return self._quiet_since + self._options.idle_timeout_s

    def idle(self, now: float) -> bool:
        """Whether nothing at all is going on."""
        turns, responses = self._turns, self._responses
        taking_turn = turns.speaking or turns.settling(now) or turns.feeding or turns.waiting
        answering = responses.busy or responses.audible or self._calls.open
        return not (taking_turn or answering or self._out_of_band.busy)


def is_due(at: float | None, now: float) -> bool:
    """Whether a moment has come, if there is one."""
    return at is not None and now >= at
