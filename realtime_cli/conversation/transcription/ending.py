"""When a transcription ends, what is said then, and with which exit code."""

from __future__ import annotations

from realtime_cli.conversation.effects import CloseMic, Effect, End, Show
from realtime_cli.conversation.records import Ended, Trouble
from realtime_cli.conversation.transcription.segments import Segments
from realtime_cli.errors import RealtimeError

LAST_WORDS_S = 5.0
"""How long the last words may take after Ctrl-C."""


class Ending:
    """Knows whether something was not transcribed, and whether the transcription is ending or has ended."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self.ended = False
        self.failed = False
        """Something that was said is missing from the transcript."""
        self.due: float | None = None
        """When what is still owed after Ctrl-C is given up."""
        self._exit_code = 0

    @property
    def quitting(self) -> bool:
        """Whether the user has asked for the end."""
        return self.due is not None

    def wait_for_last_words(self, exit_code: int, now: float) -> list[Effect]:
        """Ctrl-C is the usual end of a microphone's transcript: what was said before it is waited for."""
        self._exit_code, self.due = exit_code, now + LAST_WORDS_S
        return [CloseMic()]

    def quit_now(self, exit_code: int | None = None) -> list[Effect]:
        """End as the user asked, by default with the exit code that was asked for."""
        code = self._exit_code if exit_code is None else exit_code
        return self.end(code, "interrupted" if code else "quit")

    def fail(self, error: RealtimeError) -> list[Effect]:
        """End with an error, behind all that is not told yet."""
        rest = map(Show, self._segments.rest())
        return [*rest, Show(Trouble(message=str(error))), *self.end(error.exit_code, "failed")]

    def end(self, exit_code: int, reason: str) -> list[Effect]:
        """Tell what came of transcripts that are not whole, which is better than nothing, then end."""
        self.ended = True
        rest = map(Show, self._segments.rest())
        return [CloseMic(), *rest, Show(Ended(reason=reason, exit_code=exit_code)), End(exit_code, reason)]
