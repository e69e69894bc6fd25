"""A microphone that gives nothing but zeros: muted, forbidden, or not what it seems. The air is never that still."""

from __future__ import annotations

from realtime_cli.audio.core.pcm import FRAME_BYTES, RATE_HZ

FIRST_S = 5
"""A microphone with a noise gate of its own may be that silent until somebody speaks."""

LATER_S = 10
"""And that silent between two sentences."""


class DigitalSilence:
    """Notices when it lasts too long, and when it is over. One thread; no clock but the audio itself."""

    def __init__(self) -> None:
        self._zeros = b""
        self._silent_frames = 0
        self._allowed_frames = FIRST_S * RATE_HZ
        self.lasts = False
        """Whether there has been nothing but zeros for too long. Any thread."""

    def hear(self, pcm: bytes) -> bool:
        """Take the next PCM16 24 kHz mono; whether ``lasts`` changed with it."""
        if len(pcm) != len(self._zeros):
            self._zeros = bytes(len(pcm))
        if pcm != self._zeros:
            # A noise gate closes again and again: what was taken for a fault once is usual then.
            self._allowed_frames = max(self._allowed_frames, LATER_S * RATE_HZ, 2 * self._silent_frames)
            self._silent_frames = 0
            changed, self.lasts = self.lasts, False
            return changed
        self._silent_frames += len(pcm) // FRAME_BYTES
        changed = not self.lasts and self._silent_frames >= self._allowed_frames
        self.lasts = self.lasts or changed
        return changed
