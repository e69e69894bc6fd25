"""What counts as silence: nothing to play, too soft to be heard, nobody who speaks, and a microphone that is mute."""

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


PAUSE_PEAK = 184
"""-45 dBFS, below which nobody speaks: speech into a laptop's microphone peaks at -30 and above, noise of -55 dBFS in
effective value at some -47. A louder room has no pauses, which costs time and nothing else."""

PAUSE_S = 2
"""A server that waits for the end of a turn waits for less (500 ms by default), and hears this silence as it comes."""

_LOOKED_AT = 4
"""Of so many samples one tells the peak of speech and noise as well."""


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
    return len(samples) > 0 and bool(samples.max() >= AUDIBLE_PEAK or samples.min() <= -AUDIBLE_PEAK)


class PauseDetector:
    """Notices that nobody has spoken for a while. One thread; no clock but the audio."""

    def __init__(self) -> None:
        self._quiet_frames = PAUSE_S * RATE_HZ

    def hear(self, pcm: bytes) -> bool:
        """Take the next PCM16 24 kHz mono, whole frames; whether it belongs to a long pause, by all that came so far.

        The first loud block ends a pause, and so does not belong to it.
        """
        samples = memoryview(pcm).cast("h")[::_LOOKED_AT]
        if not len(samples) or max(samples) >= PAUSE_PEAK or min(samples) <= -PAUSE_PEAK:
            self._quiet_frames = 0
            return False
        self._quiet_frames += len(pcm) // FRAME_BYTES
        return self._quiet_frames >= PAUSE_S * RATE_HZ


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
