"""The jitter buffer between the wire and the loudspeaker, which knows to the frame what was heard of which item.

The playback thread pushes, the device's callback pulls, the main thread pauses, resumes, flushes and asks for progress.
No clock is read here: whoever pushes says what time it is.

A pause lasts for as long as it is unknown whether the user interrupts: the voice fades out, keeps its place, and
either goes on from there or is flushed there, so that what counts as heard ends at the pause.

How long to wait before the first sound is decided by what the network did so far: audio is *late* by as much as its
arrival lags behind real-time playback begun at its first frame. A burst is never late, so it starts at once; a network
that stalls makes the next start wait for as long as it was seen to stall, up to ``MAX_PREBUFFER_MS``. A reply that ran
dry proves that the network is worse than was seen: it goes on only with all of ``MAX_PREBUFFER_MS``, as one pause is
better than a stutter. (Over 200 simulated networks with pieces 150 ms late and a stall of 180 ms each second, waiting
for the lateness seen gave 3 gaps in 20 s, 200 ms in all; this gives one of 300 ms.)
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from realtime_cli.audio.core.pcm import RATE_HZ, frames_to_ms, ms_to_frames
from realtime_cli.audio.core.silence import silence

Samples = npt.NDArray[np.int16]

MAX_PREBUFFER_MS = 300
"""The longest wait for more audio: gaps of 150-180 ms are what users report, and 300 ms has cured them."""

LATENESS_KEPT = 0.8
"""How much of the lateness seen is still believed of the next reply: a stall is forgiven in time."""

FADE_FRAMES = ms_to_frames(5)
"""Long enough to hide the edge of a cut (a click), short enough not to be heard as speech going on."""

PAUSE_FADE_FRAMES = ms_to_frames(10)
"""A voice that is to go on sounds less chopped when it dies away; with a device's 30 ms it is silent within 50."""


@dataclass(frozen=True, slots=True)
class Played:
    """How much of one part was played: ``heard_frames`` of ``received_frames``; ``finished`` once that is all of it."""

    item_id: str
    content_index: int
    heard_frames: int
    received_frames: int
    finished: bool

    @property
    def heard_ms(self) -> int:
        """Milliseconds heard, rounded down."""
        return frames_to_ms(self.heard_frames)


@dataclass(slots=True)
class _Part:
    item_id: str
    content_index: int
    chunks: deque[Samples] = field(default_factory=deque)
    received: int = 0
    heard: int = 0
    complete: bool = False
    began_s: float = 0.0

    def played(self, *, finished: bool) -> Played:
        return Played(self.item_id, self.content_index, self.heard, self.received, finished)


class Playout:
    """See the module. All methods return at once and may be called on any thread."""

    def __init__(self) -> None:
        # Taken by the device callback too: whoever holds it only moves references and copies at most one block.
        self._lock = threading.Lock()
        self._parts: deque[_Part] = deque()
        self._finished: list[Played] = []
        self._tail: Samples = np.zeros(0, np.int16)
        self._last_sample: np.int16 = np.int16(0)
        self._waiting = True
        self._paused = False
        self._ran_dry = False
        self._fade_in_frames = 0
        self._late_frames = 0
        self.epoch = 0
        """Counts flushes: audio pushed for an earlier epoch is dropped."""
        self.underruns = 0
        """How often a reply fell silent because its audio came too late."""

    def push(self, epoch: int, item_id: str, content_index: int, samples: Samples, now: float) -> None:
        """Queue audio (int16, shape ``(frames,)``, 24 kHz) that arrived at ``now`` seconds of any monotonic clock."""
        with self._lock:
            if epoch != self.epoch:
                return
            part = self._part(item_id, content_index, now)
            elapsed = int((now - part.began_s) * RATE_HZ)
            late = min(elapsed - part.received, ms_to_frames(MAX_PREBUFFER_MS))
            self._late_frames = max(self._late_frames, late)
            part.chunks.append(samples)
            part.received += len(samples)

    def finish(self, epoch: int, item_id: str, content_index: int, now: float) -> None:
        """No more audio will come for this part."""
        with self._lock:
            if epoch == self.epoch:
                self._part(item_id, content_index, now).complete = True
                self._drop_played_parts()

    def pull(self, frames: int) -> Samples:
        """Exactly ``frames`` frames to play next, int16, shape ``(frames,)``; silence where there is nothing.

        The caller does not write into them.
        """
        if not self._parts and not len(self._tail):
            return silence(frames)
        with self._lock:
            return self._next_of_chunk(frames) if self._goes_on() else self._assembled(frames)

    def flush(self) -> tuple[Played, ...]:
        """Fall silent after a short fade, forget the rest, and say what was heard of each part (the fade included)."""
        with self._lock:
            self._fade_out(FADE_FRAMES)
            heard = (*self._finished, *(part.played(finished=False) for part in self._parts))
            self._finished.clear()
            self._parts.clear()
            self._paused = False
            self._wait()
            self.epoch += 1
            return heard

    def pause(self) -> None:
        """Fall silent after a short fade and keep the place; what comes meanwhile is kept. May be called twice."""
        with self._lock:
            if not self._paused:
                self._fade_out(PAUSE_FADE_FRAMES)
                self._paused = True

    def resume(self) -> None:
        """Go on, with a fade, where :meth:`pause` stopped. Nothing if it is not paused."""
        with self._lock:
            if not self._paused:
                return
            self._paused = False
            self._fade_in_frames = PAUSE_FADE_FRAMES
            if self._parts and not self._parts[0].chunks:
                # What was to follow has not come meanwhile; a silence that nobody noticed is no underrun.
                self._waiting = True

    def progress(self) -> tuple[Played, ...]:
        """The parts that finished since the last call, then the one being played."""
        with self._lock:
            done = tuple(self._finished)
            self._finished.clear()
            return (*done, self._parts[0].played(finished=False)) if self._parts else done

    def queued(self) -> int:
        """Frames that are queued, whether or not they may be played yet."""
        with self._lock:
            return sum(part.received - part.heard for part in self._parts)

    def pending(self) -> int:
        """Frames that a pull would play now: none while it waits for more."""
        with self._lock:
            queued = 0 if self._paused or not self._may_start() else sum(p.received - p.heard for p in self._parts)
            return len(self._tail) + queued

    def _part(self, item_id: str, content_index: int, now: float) -> _Part:
        for part in self._parts:
            if part.item_id == item_id and part.content_index == content_index:
                return part
        part = _Part(item_id, content_index, began_s=now)
        self._parts.append(part)
        self._late_frames = int(self._late_frames * LATENESS_KEPT)
        return part

    def _goes_on(self) -> bool:
        """Whether there is nothing to decide: a voice is in the middle of a part, and has no fade to play."""
        return not (self._waiting or self._paused or self._fade_in_frames or len(self._tail))

    def _next_of_chunk(self, frames: int) -> Samples:
        """As :meth:`_assembled`, without a copy where the next chunk holds more than is asked for: nearly always."""
        part = self._parts[0]
        if not part.chunks or len(part.chunks[0]) <= frames:
            return self._assembled(frames)
        chunk = part.chunks[0]
        part.chunks[0] = chunk[frames:]
        part.heard += frames
        self._last_sample = chunk[frames - 1]
        return chunk[:frames]

    def _assembled(self, frames: int) -> Samples:
        """So many frames, of what dies away, of several chunks, and of silence."""
        out = np.zeros(frames, np.int16)
        at = self._take_tail(out)
        at = self._fill(out, at)
        if at < frames and not (self._waiting or self._paused):
            self._underrun(out, at)
        if at:
            self._last_sample = out[at - 1]
        return out

    def _may_start(self) -> bool:
        """Whether sound may begin: enough is queued for a network like this, or no more will come."""
        if self._waiting and self._parts:
            first = self._parts[0]
            queued = first.received - first.heard
            wanted = ms_to_frames(MAX_PREBUFFER_MS) if self._ran_dry else self._late_frames
            self._waiting = not (first.complete or queued > wanted)
        return not self._waiting

    def _take_tail(self, out: Samples) -> int:
        count = min(len(self._tail), len(out))
        out[:count] = self._tail[:count]
        self._tail = self._tail[count:]
        return count

    def _fill(self, out: Samples, at: int) -> int:
        """Copy queued audio into ``out`` from ``at`` on; returns where it ends."""
        while at < len(out) and not self._paused and self._may_start() and self._parts[0].chunks:
            part = self._parts[0]
            chunk = part.chunks.popleft()
            count = min(len(chunk), len(out) - at)
            out[at : at + count] = self._faded_in(chunk[:count])
            if count < len(chunk):
                part.chunks.appendleft(chunk[count:])
            part.heard += count
            at += count
            self._drop_played_parts()
        return at

    def _faded_in(self, samples: Samples) -> Samples:
        if not self._fade_in_frames:
            return samples
        count = min(self._fade_in_frames, len(samples))
        self._fade_in_frames = 0
        softened = samples.copy()
        softened[:count] = (samples[:count] * np.linspace(0, 1, count, dtype=np.float32)).astype(np.int16)
        return softened

    def _fade_out(self, frames: int) -> None:
        """Let what is being played end with up to ``frames`` more that die away."""
        if self._waiting or self._paused:
            return
        fade = np.zeros(frames, np.int16)
        faded = self._fill(fade, 0)
        ramp = np.linspace(1, 0, frames, dtype=np.float32)[:faded]
        self._tail = np.concatenate((self._tail, (fade[:faded] * ramp).astype(np.int16)))

    def _drop_played_parts(self) -> None:
        while self._parts and self._parts[0].complete and not self._parts[0].chunks:
            self._finished.append(self._parts.popleft().played(finished=True))
            self._wait()

    def _wait(self) -> None:
        """The next part is a beginning."""
        self._waiting = True
        self._ran_dry = False
        self._fade_in_frames = 0

    def _underrun(self, out: Samples, at: int) -> None:
        """The reply ran dry: glide from its last sample to silence, and wait until enough is there again."""
        last = int(out[at - 1] if at else self._last_sample)
        count = min(FADE_FRAMES, len(out) - at)
        out[at : at + count] = np.linspace(last, 0, count).astype(np.int16)
        self.underruns += 1
        self._waiting = self._ran_dry = True
        self._fade_in_frames = FADE_FRAMES
