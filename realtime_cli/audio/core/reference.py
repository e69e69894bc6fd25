"""What the loudspeaker played, kept until the microphone has had time to hear it, and handed out in step with it.

Two devices call at their own moments. As both count frames at nearly the same rate, the n-th frame played always
belongs to the n-th frame captured, give or take a constant: so each side only counts, and no jitter of either moves the
one against the other. The canceller finds the constant (the echo's delay) by itself, but it hates to see it jump.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from realtime_cli.audio.core.pcm import RATE_HZ, ms_to_frames
from realtime_cli.audio.core.silence import silence

Samples = npt.NDArray[np.int16]

_KEPT = 2 * RATE_HZ

START_LEAD = ms_to_frames(15)
"""How far playing is ahead of what is handed out, at first: enough for the two devices' calls to come in any order,
and less than the shortest way from one callback to the other (33 ms on virtual devices), as no echo may come before
its sound."""

LEAST_LEAD, MOST_LEAD = ms_to_frames(5), ms_to_frames(30)
"""Beyond these one of the clocks is slower than the other, and frames are dropped or doubled one by one."""

FARTHEST_LEAD = ms_to_frames(100)
"""Beyond this (or below zero) for a whole window one device lost something: nothing but a jump gets back in step."""

STOPPED = ms_to_frames(250)
"""So far out of step, one of the devices was closed meanwhile: callbacks were seen to stall for 170 ms and catch up."""

WINDOW = RATE_HZ
"""Jitter is told from drift by the smallest lead of a second."""

SLIPS = 3
"""Frames dropped or doubled in a window: 125 ppm, more than two quartzes usually differ. By experiment the canceller
takes no notice of 100 ppm, and lets echoes through at 400."""


class Reference:
    """See the module. One thread writes, one reads; both return at once."""

    def __init__(self) -> None:
        # Held by both device threads while at most one block is copied.
        self._lock = threading.Lock()
        self._ring = np.zeros(_KEPT, np.int16)
        self._written = 0
        self._read = -START_LEAD
        self._sounded = 0
        """Behind this there is only silence; when it was so for as long as is kept, the ring holds nothing else."""
        self._window = 0
        self._least, self._most = _KEPT, -_KEPT
        self._to_slip = 0
        self.jumps = 0
        """How often the two devices were put in step again; the echo's delay is another then."""
        self.late = 0
        """How often what belonged to a captured block had not been asked for yet, and was taken for silence."""

    def write(self, samples: Samples) -> None:
        """Keep what is played next: int16, shape ``(frames,)``, 24 kHz. Playback thread."""
        with self._lock:
            if self._read - self._written > STOPPED:
                self._jump()
            is_silent = samples is silence(len(samples))
            if not is_silent or self._written - self._sounded < _KEPT:
                self._keep(samples)
            self._written += len(samples)
            if not is_silent:
                self._sounded = self._written

    def read(self, frames: int) -> Samples:
        """What belongs to the next ``frames`` captured; zeros for what is not played yet. Capture thread."""
        with self._lock:
            if self._written - self._read > STOPPED:
                self._jump()
            if self._read + frames > self._written:
                self.late += 1
            out = self._kept(self._read, self._read + frames)
            self._read += frames + self._drift_step()
            self._keep_in_step(frames)
        return out

    def recent(self, frames: int) -> Samples:
        """The ``frames`` up to where :meth:`read` has come, zeros for what is not played yet. Capture thread."""
        with self._lock:
            return self._kept(self._read - frames, self._read)

    def _keep(self, samples: Samples) -> None:
        at, end = self._written % _KEPT, self._written % _KEPT + len(samples)
        if end <= _KEPT:
            self._ring[at:end] = samples
            return
        kept = samples[-_KEPT:]
        at = (self._written + len(samples) - len(kept)) % _KEPT
        head = min(len(kept), _KEPT - at)
        self._ring[at : at + head] = kept[:head]
        self._ring[: len(kept) - head] = kept[head:]

    def _kept(self, begin: int, end: int) -> Samples:
        """The frames from ``begin`` to ``end``, zeros for those that are not kept; not to be written to or held on to.

        Where they stand together in the ring they are not copied: nothing is written there for another second.
        """
        if self._sounded <= begin:
            return silence(end - begin)
        first = begin % _KEPT
        if max(0, self._written - _KEPT) <= begin and end <= self._written and first + end - begin <= _KEPT:
            return self._ring[first : first + end - begin]
        out = np.zeros(end - begin, np.int16)
        first, last = max(begin, self._written - _KEPT, 0), min(end, self._written)
        if first < last:
            at = first % _KEPT
            wanted = out[first - begin : last - begin]
            head = min(len(wanted), _KEPT - at)
            wanted[:head] = self._ring[at : at + head]
            wanted[head:] = self._ring[: len(wanted) - head]
        return out

    def _drift_step(self) -> int:
        step = (self._to_slip > 0) - (self._to_slip < 0)
        self._to_slip -= step
        return step

    def _keep_in_step(self, frames: int) -> None:
        lead = self._written - self._read
        self._least = min(self._least, lead)
        self._most = max(self._most, lead)
        self._window += frames
        if self._window < WINDOW:
            return
        if self._most < 0 or self._least > FARTHEST_LEAD:
            self._jump()
        elif self._least > MOST_LEAD:
            self._to_slip = SLIPS
        elif self._least < LEAST_LEAD:
            self._to_slip = -SLIPS
        self._begin_window()

    def _jump(self) -> None:
        self._read = self._written - START_LEAD
        self._to_slip = 0
        self.jumps += 1
        self._begin_window()

    def _begin_window(self) -> None:
        self._window = 0
        self._least, self._most = _KEPT, -_KEPT
