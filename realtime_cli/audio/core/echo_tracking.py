"""Telling by the waveform whether what was captured is what the loudspeaker played, and whether it gets through.

An echo is a delayed copy of its sound: at its delay the two correlate, however loud it is and whenever it began. A
person's voice correlates with the loudspeaker's at no delay. By experiment (computed rooms of T60 150 ms, eight voices,
100 ms looked at): an echo has 0.58 or more in 99 of 100 moments, a person 0.39 or less. An echo that was shifted in
pitch is not recognised by this; :mod:`~realtime_cli.audio.core.echo_watch` sees it later, by its loudness.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from realtime_cli.audio.core.pcm import BLOCK_FRAMES, ms_to_frames

Samples = npt.NDArray[np.int16]

LOOKED_AT_FRAMES = ms_to_frames(100)
"""How much captured audio is looked at: with less, two vowels of different people look alike now and then."""

_BLOCKS = LOOKED_AT_FRAMES // BLOCK_FRAMES

LONGEST_DELAY_FRAMES = ms_to_frames(450)
"""A Bluetooth loudspeaker is heard up to 250 ms late, and a second of them may be later."""

PLAYED_FRAMES = LOOKED_AT_FRAMES + LONGEST_DELAY_FRAMES
"""How much of what was played last the captured audio is compared with."""

_ECHO = 0.55
"""From this correlation on it is more echo than anything else."""

_PURE_ECHO = 0.7
"""From this on it is nothing but echo: a person as loud as the echo lowers the correlation to 0.6."""

_HEARD = 10 ** (-58 / 20)
"""Amplitude (root mean square, of full scale) that a server's voice detection notices: Silero did at -52 dBFS."""

_UNCANCELLED_SHARE = 10 ** (-3 / 20)
"""Of its amplitude a pure echo keeps so much only if the canceller does nothing about it."""

_MOVED_FRAMES = ms_to_frames(3)
"""The correlation's peak stays within the room's first reflections; a delay that differs by more is another path."""

_SURE_BLOCKS = 3
"""At the onset of a person's words most of what is looked at is still the echo before them."""

_PROBE_BLOCKS = 25
"""While all is well the echo's delay is looked up twice a second."""

_SPARSE_BLOCKS = 4
"""Without an echo, whether there is one now is looked up so often, as long as nothing is loud."""

_FORGET_BLOCKS = 100
"""Not seen for two seconds of the model's voice, it is forgotten."""

_UNMET_BLOCKS = 250
_RETURNING_BLOCKS = 1500
"""Five seconds of the model's voice and no echo: headphones are on. Where there was one before, it may return."""

_DECIMATION = 3
"""8 kHz will do: a voice has most of its energy below 4 kHz, and a small loudspeaker some of it."""

_FFT_FRAMES = 8192
"""The least power of two that holds the played audio at 8 kHz."""

_LEAST_ENERGY = 1e-2
"""Of the loudest moment played: what was softer cannot have caused the echo."""


class EchoTracker:
    """Knows the delay of the echo, and notices one that is new or moved before the canceller has learned it.

    One call a block in which the model is audible. Capture thread.
    """

    def __init__(self, played_lately: Callable[[int], Samples]) -> None:
        """``played_lately`` gives so many frames of what was played last, up to the end of the captured block."""
        self._played_lately = played_lately
        self._delay_frames: int | None = None
        self._heard_powers: deque[float] = deque([0.0] * _BLOCKS, _BLOCKS)
        self._left_powers: deque[float] = deque([0.0] * _BLOCKS, _BLOCKS)
        self._was_met = False
        self._blocks_unseen = 0
        self._blocks_unprobed = 0
        self._opened_blocks = 0
        self._escaped_blocks = 0
        self.is_new = False
        """Whether the last block was the first that held an echo, for seconds or ever."""
        self.has_moved = False
        """Whether with the last block it became sure that the echo comes another way than before."""

    @property
    def expects_echo(self) -> bool:
        """Whether an echo is to be reckoned with: not where none came back for a long time, as with headphones."""
        return self._blocks_unseen <= (_RETURNING_BLOCKS if self._was_met else _UNMET_BLOCKS)

    @property
    def in_doubt(self) -> bool:
        """Whether the last block may be an echo that gets through."""
        return self._opened_blocks > 0 or self._escaped_blocks > 0

    @property
    def is_sure(self) -> bool:
        """Whether an echo got through for several blocks: the canceller does not know it."""
        return max(self._opened_blocks, self._escaped_blocks) >= _SURE_BLOCKS

    def is_echo(self, lately: Samples, heard: float, left: float, *, opened: bool) -> bool:
        """Whether what was heard is mostly echo.

        ``lately`` are the last ``LOOKED_AT_FRAMES`` captured, up to the end of this block; ``heard`` and ``left`` the
        block's amplitudes (0..1, root mean square) before and behind the canceller; ``opened``: it is loud enough to be
        taken for a person's. Takes some microseconds, and 0.3 ms where there is something to ask.
        """
        self.is_new = self.has_moved = False
        self._heard_powers.append(heard * heard)
        self._left_powers.append(left * left)
        self._blocks_unseen += 1
        self._blocks_unprobed += 1
        if self._blocks_unseen > _FORGET_BLOCKS:
            self._delay_frames = None
        heard, left = math.sqrt(sum(self._heard_powers) / _BLOCKS), math.sqrt(sum(self._left_powers) / _BLOCKS)
        comes_through = left > _HEARD
        is_due = self._blocks_unprobed >= self._interval(comes_through=comes_through)
        if not (opened or (is_due and max(heard, left) > _HEARD)):
            self._opened_blocks = self._escaped_blocks = 0
            return False
        self._blocks_unprobed = 0
        likeness, delay_frames = correlation(lately, self._played_lately(PLAYED_FRAMES))
        known = self._delay_frames
        is_elsewhere = known is None or abs(delay_frames - known) > _MOVED_FRAMES
        is_pure = likeness > _PURE_ECHO
        escapes = comes_through and is_pure and (is_elsewhere or left > _UNCANCELLED_SHARE * heard)
        self._opened_blocks = self._opened_blocks + 1 if opened and likeness > _ECHO else 0
        self._escaped_blocks = self._escaped_blocks + 1 if escapes else 0
        if is_pure:
            self._was_met = True
            self._blocks_unseen = 0
            self.is_new = known is None
            self.has_moved = is_elsewhere and self.is_sure
            if self.is_sure or not comes_through:
                self._delay_frames = delay_frames
        return likeness > _ECHO

    def _interval(self, *, comes_through: bool) -> int:
        """After how many blocks to look again, where something is heard but not loud."""
        if self.in_doubt:
            return 1
        if self._delay_frames is None:
            return _SPARSE_BLOCKS
        return 1 if comes_through else _PROBE_BLOCKS


def correlation(captured: Samples, played: Samples) -> tuple[float, int]:
    """The highest normalised correlation (0..1) at any delay up to ``LONGEST_DELAY_FRAMES``, and that delay in frames.

    ``captured`` are ``LOOKED_AT_FRAMES`` frames, ``played`` the ``PLAYED_FRAMES`` that end at the same moment; int16,
    shape ``(frames,)``, 24 kHz.
    """
    late, early = _narrowed(captured), _narrowed(played)
    spectrum = np.fft.rfft(early, _FFT_FRAMES) * np.conj(np.fft.rfft(late, _FFT_FRAMES))
    products = np.abs(np.fft.irfft(spectrum, _FFT_FRAMES)[: len(early) - len(late) + 1])
    sums = np.concatenate(([0.0], np.cumsum(np.square(early, dtype=np.float64))))
    energies = sums[len(late) :] - sums[: len(products)]
    energies = np.maximum(energies, energies.max() * _LEAST_ENERGY)
    likenesses = products / np.maximum(np.sqrt(energies * float(late @ late)), 1e-6)
    at = int(likenesses.argmax())
    return float(likenesses[at]), (len(likenesses) - 1 - at) * _DECIMATION


def _narrowed(samples: Samples) -> npt.NDArray[np.float32]:
    """At 8 kHz, and differentiated: the low notes that all voices share would otherwise look like likeness."""
    return np.diff(samples.reshape(-1, _DECIMATION).mean(axis=1, dtype=np.float32))
