"""Gates in the place of an echo canceller: one tells the user from the loudspeaker by loudness, one is simply shut.

The loudness gate is for where no canceller can be had or trusted. It learns how loud the loudspeaker can be in the
microphone. While the model is audible it opens only for what is clearly louder than that; a person who sits nearer to
the microphone than to the loudspeaker is, one far away is not.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from realtime_cli.audio.core.pcm import BLOCK_MS, FRAME_BYTES, ms_to_frames
from realtime_cli.audio.core.silence import is_audible

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LONGEST_ECHO_BLOCKS = 400 // BLOCK_MS
"""A Bluetooth loudspeaker is heard up to 250 ms late, and a living room rings on for some 150 ms."""

CLEARLY_LOUDER_DB = 4.5
"""Above the loudest echo that must be expected of what was just played. By experiment (``benchmarks/echo.py``): 3 dB
let through an echo every 15 s, 4.5 dB none in five minutes."""

FAR_LOUDER_DB = 12.0
"""From here on the echo below the user's words is softer than what cancelling would take from them. It is so with
headphones, where a canceller that never met an echo takes the user for one (7 of 20 interruptions within 500 ms)."""

OPENING_BLOCKS = 2
"""A single loud block may be a knock on the table."""

HOLD_BLOCKS = 240 // BLOCK_MS
"""Speech is not cut at its soft sounds: the gate stays open for so long after the last loud one. (With 400 ms the last
echo let through was taken for speech twice in ten minutes.)"""

_MOST_BLOCKS = 4000 // BLOCK_MS
"""What lasts longer without a pause is no interruption but a loudspeaker that was turned up: learn from it."""

FIRST_BLOCKS = 500 // BLOCK_MS
"""So much of the first reply is listened to before anything is said about the loudspeaker."""

_RISE_DB, _FALL_DB = 0.5, 0.02
"""A shut block changes the estimate of the loudest echo by as much: at rest one block in 25 lies above it."""

_MOST_ECHO_DB, _LEAST_ECHO_DB = 3.0, -60.0
"""A loudspeaker that is louder in the microphone than it was played is as good as no loudspeaker at all, and headphones
are not heard."""

_LOUD_DB = -45.0
"""Of full scale: what is played more softly says nothing about the loudspeaker, as the room is as loud."""

_FRESH_DB = 20.0
"""The model begins to speak when it is so much louder than all it played of late: what opened the gate in its silence
is no reason to let its first words through."""

_QUIET_DB = -55.0
"""Below this nobody speaks into a microphone (of full scale)."""

HANGOVER_FRAMES = ms_to_frames(400)
"""For so long after its last sound the model may still be heard: a Bluetooth loudspeaker is 250 ms late, and a living
room rings on for some 150 ms."""


class LoudnessGate:
    """See the module. One call a block of 20 ms, with the power of both signals in dB of full scale."""

    def __init__(self) -> None:
        self._played: deque[float] = deque([-200.0] * LONGEST_ECHO_BLOCKS, LONGEST_ECHO_BLOCKS)
        self._echo_db = _LEAST_ECHO_DB
        self._louder_db = 0.0
        self._first_blocks = FIRST_BLOCKS
        self._loud_blocks = 0
        self._held_blocks = 0
        self._open_blocks = 0
        self.alone = False
        """The block is the user's, and so much louder than any echo that there is nothing to cancel."""

    def opens(self, played_db: float, heard_db: float) -> bool:
        """Whether the block is the user's."""
        if played_db > max(self._played) + _FRESH_DB:
            self._shut()
        self._played.append(played_db)
        loudest_db = max(self._played)
        self._louder_db = heard_db - loudest_db
        above_db = self._louder_db - self._echo_db
        if loudest_db > _LOUD_DB:
            self._learn(above_db)
        if self._first_blocks:
            return False
        louder = above_db > CLEARLY_LOUDER_DB and heard_db > _QUIET_DB
        self._loud_blocks = self._loud_blocks + 1 if louder else 0
        if self._loud_blocks >= OPENING_BLOCKS:
            self._held_blocks = HOLD_BLOCKS
        self._held_blocks = max(0, self._held_blocks - 1)
        self._open_blocks = self._open_blocks + 1 if self._held_blocks else 0
        self.alone = self._held_blocks > 0 and (self.alone or (louder and above_db > FAR_LOUDER_DB))
        return self._held_blocks > 0

    def was_echo(self, *, sure: bool) -> None:
        """What opened the gate came from the loudspeaker: shut, and when that is sure, know better from now on."""
        self._shut()
        if sure:
            self._echo_db = min(max(self._echo_db, self._louder_db), _MOST_ECHO_DB)

    def expect(self, echo_db: float) -> None:
        """Reckon with an echo so loud, in dB of what is played, whatever was learned before."""
        self._shut()
        self._echo_db = min(max(self._echo_db, echo_db), _MOST_ECHO_DB)

    def _shut(self) -> None:
        self._loud_blocks = self._held_blocks = self._open_blocks = 0
        self.alone = False

    def _learn(self, above_db: float) -> None:
        """How loud the loudspeaker can be in the microphone: at first the loudest heard, then slowly more or less."""
        if self._first_blocks:
            self._first_blocks -= 1
            change_db = max(0.0, above_db)
        elif self._held_blocks and self._open_blocks <= _MOST_BLOCKS:
            return
        else:
            change_db = _RISE_DB if above_db > 0 else -_FALL_DB
        self._echo_db = min(max(self._echo_db + change_db, _LEAST_ECHO_DB), _MOST_ECHO_DB)


class HalfDuplex:
    """The microphone hears nothing while the model is audible: sure on any device, but only keys interrupt the model.

    ``played`` belongs to the playback thread, ``clean`` to the capture thread.
    """

    def __init__(self) -> None:
        # Both threads set it, and a lost subtraction would only lengthen the hangover by a block.
        self._shut_frames = 0

    def played(self, samples: npt.NDArray[np.int16]) -> None:
        """Take exactly what the device plays next: int16, shape ``(frames,)``, 24 kHz. Playback thread."""
        if is_audible(samples):
            self._shut_frames = HANGOVER_FRAMES

    def clean(self, pcm: bytes) -> bytes:
        """The block as it is, or as much silence: the server's clock must go on. Capture thread."""
        shut = self._shut_frames
        if not shut:
            return pcm
        self._shut_frames = max(0, shut - len(pcm) // FRAME_BYTES)
        return bytes(len(pcm))
