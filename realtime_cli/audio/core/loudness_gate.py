"""Telling the user from the loudspeaker by loudness alone: for where no canceller can be had or trusted.

The gate learns how loud the loudspeaker can be in the microphone. While the model is audible it opens only for what is
clearly louder than that; a person who sits nearer to the microphone than to the loudspeaker is, one far away is not.
"""

from __future__ import annotations

from collections import deque

from realtime_cli.audio.core.pcm import BLOCK_MS

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
