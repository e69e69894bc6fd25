"""Whether the echo canceller does its work, judged from what it was given and what it made of it."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from realtime_cli.audio.core.pcm import BLOCK_MS

_BLOCKS = 5000 // BLOCK_MS
"""What a verdict looks back on: a few sentences."""

_BETWEEN_BLOCKS = 1000 // BLOCK_MS

_LAGS = 500 // BLOCK_MS
"""An echo later than half a second is none of the canceller's."""

_LIKE = 0.6
"""From this correlation on the loudness of the microphone follows that of the loudspeaker: what it hears is mostly
echo. With headphones, or while the user talks all the time, it does not, and nothing can be said."""

_LOUD = 10 ** (-55 / 20)
"""Amplitude (of full scale) below which an echo is no trouble."""

_POOR_DB, _GOOD_DB = 6.0, 12.0
"""Echo return loss enhancement. The canceller reaches 30 dB within two seconds on a linear path; a loudspeaker that
distorts leaves 15 to 20."""

_LOUDEST_SHARE = 0.95
"""Of the blocks: louder ones may be the user's."""

_WRONG_IN_A_ROW = 3
"""Verdicts in a row, each a second after the other."""


class CancellerWatch:
    """Trusts the canceller until its output stays poor for seconds, and again once it is good for as long."""

    def __init__(self) -> None:
        # One entry a block: the amplitudes of what was played, heard and left of it, each 0..1.
        self._seen: deque[tuple[float, float, float]] = deque(maxlen=_BLOCKS)
        self._blocks = 0
        self._wrong = 0
        self.trusts = True
        self.echo_db: float | None = None
        """How loud an echo is at most, in dB of what was played; known while the canceller is not trusted."""
        self.erle_db: float | None = None
        """By how much the last echo was lowered; None where there was none to judge by."""

    def see(self, played: float, heard: float, left: float) -> None:
        """Take one block's amplitudes (0..1, root mean square). Only blocks in which the model is audible count."""
        self._seen.append((played, heard, left))
        self._blocks += 1
        if len(self._seen) == _BLOCKS and self._blocks % _BETWEEN_BLOCKS == 0:
            self._judge()

    def forget(self) -> None:
        """The devices were put in step anew: what was seen before says nothing."""
        self._seen.clear()
        self._wrong = 0

    def _judge(self) -> None:
        played, heard, left = np.array(self._seen, np.float32).T
        self.erle_db = None
        if heard.mean() < _LOUD or _alike(played, heard) < _LIKE:
            return
        # The median, as the user's words in between are not to be lowered.
        loud = heard > _LOUD
        lowered = heard[loud] / np.maximum(left[loud], 1e-6)
        self.erle_db = float(20 * np.log10(np.median(lowered)))
        if self.trusts:
            self._wrong = self._wrong + 1 if self.erle_db < _POOR_DB else 0
        else:
            self._wrong = self._wrong + 1 if self.erle_db > _GOOD_DB else 0
        if self._wrong >= _WRONG_IN_A_ROW:
            self.trusts, self._wrong = not self.trusts, 0
            self.echo_db = None if self.trusts else _loudest_echo_db(played, heard)


def _loudest_echo_db(played: npt.NDArray[np.float32], heard: npt.NDArray[np.float32]) -> float:
    """How loud an echo can be, in dB of the loudest that was played before it."""
    loudest = np.lib.stride_tricks.sliding_window_view(played, _LAGS).max(axis=1)
    return float(20 * np.log10(np.quantile(heard[_LAGS - 1 :] / np.maximum(loudest, _LOUD), _LOUDEST_SHARE)))


def _alike(played: npt.NDArray[np.float32], heard: npt.NDArray[np.float32]) -> float:
    """The highest correlation of loudness at any delay an echo may have."""
    count = _BLOCKS - _LAGS
    late = heard[_LAGS:] - heard[_LAGS:].mean()
    early = np.lib.stride_tricks.sliding_window_view(played, count)[1 : _LAGS + 1]
    early = early - early.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(early, axis=1) * np.linalg.norm(late)
    return float((early @ late / np.maximum(norms, 1e-9)).max())
