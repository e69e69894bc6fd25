"""How loud the microphone and the loudspeaker are, for the status line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FULL_SCALE = 32768
SILENCE_DBFS = -math.inf


class Meters:
    """Keeps the block that passed last; its level is worked out by who asks, so that it costs device threads nothing.

    Each end has one writer (a device's thread) and one reader (the view's); a reference is replaced at once.
    """

    def __init__(self, *, microphone: bool = True, speaker: bool = True) -> None:
        """``microphone``, ``speaker``: there is one."""
        self.has_microphone, self.has_speaker = microphone, speaker
        self.microphone_name = self.speaker_name = ""
        """What the two are called, where there is a name. Set by the main thread."""
        self._microphone = b""
        self._speaker: npt.NDArray[np.int16] | None = None

    def heard(self, pcm: bytes) -> None:
        """A block of the microphone goes to the server: PCM16. Device thread; returns at once."""
        self._microphone = pcm

    def played(self, samples: npt.NDArray[np.int16]) -> None:
        """A block goes to the loudspeaker: int16, shape ``(frames,)``. Device thread; returns at once."""
        self._speaker = samples

    def microphone_dbfs(self) -> float:
        """The peak of the block that came last since this was asked, in dBFS; minus infinity for silence or none."""
        pcm, self._microphone = self._microphone, b""
        samples = memoryview(pcm[: len(pcm) & ~1]).cast("h")
        return _dbfs(max(*samples, -min(samples)) if len(samples) else 0)

    def speaker_dbfs(self) -> float:
        """The same of the loudspeaker."""
        samples, self._speaker = self._speaker, None
        return _dbfs(max(int(samples.max()), -int(samples.min())) if samples is not None and len(samples) else 0)


def _dbfs(peak: int) -> float:
    return 20 * math.log10(peak / FULL_SCALE) if peak > 0 else SILENCE_DBFS
