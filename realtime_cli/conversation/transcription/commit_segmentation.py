"""Where to cut speech into pieces when nobody else does: a server that hears no pauses transcribes what is committed.

Pure: blocks of audio in, cuts out. A cut is made in a pause where there is one; the longer a piece becomes, the shorter
a pause will do.
"""

from __future__ import annotations

import array
import math
import sys

from realtime_cli.audio.core.pcm import FRAME_BYTES, frames_to_ms
from realtime_cli.conversation.facts import Cut
from realtime_cli.conversation.talk_key import MIN_COMMIT_MS

SPEECH_DBFS = -50.0
"""A piece without a block this loud (effective value) holds no speech, and is forgotten instead of transcribed: models
of speech write words into silence. Speech into a laptop's microphone is at -40 to -20, a quiet room below -55."""

PAUSE_DB = 20.0
"""How much quieter than the loudest block of its piece a pause is."""

PAUSES_MS = ((5_000, 400), (8_000, 200), (12_000, 100))
"""(length of the piece, length of a pause that ends it): between sentences, between phrases, between words."""

LONGEST_MS = 15_000
"""A piece this long is cut wherever it is."""


class Cutter:
    """One stream of audio: PCM16 24 kHz mono. Not for several threads; never blocks."""

    def __init__(self) -> None:
        self._heard_frames = 0
        self._start_frames = 0
        self._quiet_frames = 0
        self._loudest_dbfs = -math.inf

    @property
    def heard_ms(self) -> int:
        """How much audio came so far."""
        return frames_to_ms(self._heard_frames)

    @property
    def has_speech(self) -> bool:
        """Whether somebody spoke since the last cut."""
        return self._loudest_dbfs >= SPEECH_DBFS

    def hear(self, block: bytes) -> Cut | None:
        """Take the next block; the cut that is to be made right behind it, if any."""
        frames, level = len(block) // FRAME_BYTES, rms_dbfs(block)
        self._heard_frames += frames
        self._loudest_dbfs = max(self._loudest_dbfs, level)
        is_quiet = level < SPEECH_DBFS or level < self._loudest_dbfs - PAUSE_DB
        self._quiet_frames = self._quiet_frames + frames if is_quiet else 0
        length_ms = frames_to_ms(self._heard_frames - self._start_frames)
        quiet_ms = frames_to_ms(self._quiet_frames)
        paused = any(length_ms >= longer and quiet_ms >= pause for longer, pause in PAUSES_MS)
        return self._cut() if paused or length_ms >= LONGEST_MS else None

    def finish(self) -> Cut | None:
        """The audio ends here: what is left of it, or None when that is too short to be speech."""
        left_ms = frames_to_ms(self._heard_frames - self._start_frames)
        return self._cut() if left_ms >= MIN_COMMIT_MS else None

    def _cut(self) -> Cut:
        cut = Cut(frames_to_ms(self._start_frames), self.heard_ms, self.has_speech)
        self._start_frames, self._quiet_frames, self._loudest_dbfs = self._heard_frames, 0, -math.inf
        return cut


def rms_dbfs(block: bytes) -> float:
    """The effective value of PCM16 samples in dB of full scale; minus infinity for digital silence and for nothing."""
    samples = array.array("h", block[: len(block) // FRAME_BYTES * FRAME_BYTES])
    if sys.byteorder == "big":
        samples.byteswap()
    # Every fourth sample tells the level of speech as well.
    power = sum(sample * sample for sample in samples[::4])
    return 10 * math.log10(power / len(samples[::4]) / 32768**2) if power else -math.inf
