"""What becomes of a transcription when its connection changes: lost and regained, or renewed before its session ends.

The next server hears what no transcript came for: a recording from the beginning of the first of it, the microphone
from a few seconds back.
"""

from __future__ import annotations

from realtime_cli.conversation.effects import Effect, Feed, ResumeMic, Show
from realtime_cli.conversation.facts import Lost
from realtime_cli.conversation.links import Links
from realtime_cli.conversation.session_setup import SessionSetup
from realtime_cli.conversation.transcription.options import TranscriptionOptions
from realtime_cli.conversation.transcription.segments import Segments
from realtime_cli.conversation.transcription.sent_audio import MARKER, SentAudio
from realtime_cli.errors import ConnectionFailed

OVERLAP_S = 1.0
"""How much of the microphone a renewed session hears again."""

RESENT_S = 4.0
"""Speech that began at most so long before a loss is heard once more by the next server. The session keeps two seconds
more, which is what another connection takes."""

PAUSE_S = 0.5
"""How long before that nobody may have spoken."""


class Continuity:
    """Carries a transcription over from one connection to the next. Times are the core's clock."""

    def __init__(
        self, options: TranscriptionOptions, segments: Segments, audio: SentAudio, links: Links, setup: SessionSetup
    ) -> None:
        self._options = options
        self._segments = segments
        self._audio = audio
        self._links = links
        self._setup = setup
        self._unheard_since = 0.0
        self.mic_began_at: float | None = None

    def lose(self, fact: Lost, now: float) -> list[Effect] | ConnectionFailed:
        """The connection, or a try to get another, was lost; the error to end with when it is given up."""
        outcome = self._links.lose(fact, now)
        if isinstance(outcome, ConnectionFailed):
            return outcome
        effects, worked = outcome
        if not worked:
            return effects
        self._audio.all_heard = False
        if self._options.recording is not None:
            # What is not told yet is sent once more, from the beginning of the first of it.
            self._audio.all_sent = False
            self._segments.offset_ms = self._segments.begin_again()
            return effects
        self._unheard_since = now - fact.silent_s
        began_at = now if self.mic_began_at is None else self.mic_began_at
        # Only so much of the microphone is kept; of what began before that, what came is told.
        told, first_ms = self._segments.split(round((now - RESENT_S - began_at) * 1000))
        if first_ms is not None:
            self._unheard_since = min(self._unheard_since, began_at + first_ms / 1000)
        return [*effects, *map(Show, told)]

    def send_again(self, now: float) -> list[Effect]:
        """Let the new server hear what no transcript came for."""
        if self._options.recording is not None:
            return [Feed(self._options.recording, not self._options.server_cuts, self._segments.offset_ms)]
        marker = [self._setup.update(MARKER)] if self._audio.all_sent and self._options.server_cuts else []
        self._audio.all_heard = self._audio.all_sent and not marker
        return [ResumeMic(now - self._unheard_since), *marker]

    def renewal_due(self, changed_at: float) -> float:
        """When a session that stands by may take over, if nothing happens."""
        return changed_at + OVERLAP_S + PAUSE_S

    def renew(self, now: float, changed_at: float) -> list[Effect]:
        """Let the session that stands by take over in a pause, so that no word is lost or heard twice."""
        busy = self._segments.pending or self._segments.speaking or self._audio.all_sent
        if busy or self._options.recording is not None or now < self.renewal_due(changed_at):
            return []
        taken = self._links.take_over()
        return [*taken, ResumeMic(OVERLAP_S)] if taken else []
