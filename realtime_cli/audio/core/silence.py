"""What counts as silence: nothing to play, too soft to be heard, and a microphone that gives nothing but zeros."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from realtime_cli.audio.core.pcm import FRAME_BYTES, RATE_HZ

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

AUDIBLE_PEAK = 33
"""-60 dBFS: what is played more softly is not heard."""

FIRST_S = 5
"""A microphone with a noise gate of its own may be that silent until somebody speaks."""

LATER_S = 10
"""And that silent between two sentences."""


@cache
def silence(frames: int) -> npt.NDArray[np.int16]:
    """So many frames of it, int16: always the same array, not to be written to, and known by that at no cost."""
    import numpy as np  # text turns do without it

    samples = np.zeros(frames, np.int16)
    samples.flags.writeable = False
    return samples


def is_audible(samples: npt.NDArray[np.int16]) -> bool:
    """Whether these samples, int16 of shape ``(frames,)``, can be heard when they are played."""
    if samples is silence(len(samples)):
        return False
    return len(samples) > 0 and max(int(samples.max()), -int(samples.min())) >= AUDIBLE_PEAK


class DigitalSilence:
    """Notices a microphone that gives nothing but zeros for too long, and when that is over.

    It is muted, forbidden, or not what it seems: the air is never that still. One thread; no clock but the audio.
    """

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
