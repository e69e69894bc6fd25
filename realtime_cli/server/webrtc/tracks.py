"""Sound between aiortc and the voice server: frames of any rate on one side, PCM16 of 24 kHz on the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

RATE_HZ = 24_000
FRAME_MS = 20
"""Of an Opus packet, as browsers send them, too."""

_FRAMES = RATE_HZ * FRAME_MS // 1000
_BYTES = 2 * _FRAMES

GAP_S = 0.3
"""A caller whose track is held sends nothing. The end of what was said is still to be found: silence stands for it."""


class PacedTrack(MediaStreamTrack):
    """Sends what it is given at the pace at which it is heard."""

    kind = "audio"

    def __init__(self, take: Callable[[int], bytes]) -> None:
        """``take``: so many bytes of PCM16, on the loop's thread."""
        super().__init__()
        self._take = take
        self._frames = 0
        self._began: float | None = None

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms, when they are due. Called by aiortc."""
        if self.readyState != "live":
            raise MediaStreamError
        now = asyncio.get_running_loop().time()
        if self._began is None:
            self._began = now
        await asyncio.sleep(max(0.0, self._began + self._frames / RATE_HZ - now))
        samples = np.frombuffer(self._take(_BYTES), np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        frame.time_base = Fraction(1, RATE_HZ)
        frame.pts = self._frames
        self._frames += _FRAMES
        return frame


async def listen(track: MediaStreamTrack, hear: Callable[[bytes], None]) -> None:
    """Give ``hear`` all that comes in over a track, until it ends."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    while True:
        try:
            frame = await asyncio.wait_for(track.recv(), GAP_S)
        except TimeoutError:
            hear(bytes(int(GAP_S * RATE_HZ) * 2))
            continue
        except MediaStreamError:
            return
        if isinstance(frame, av.AudioFrame):
            for part in resampler.resample(frame):
                hear(bytes(part.planes[0])[: 2 * part.samples])
