"""A recording of a conversation: a stereo WAV file, the user on the left, on the right what was heard of the model.

Both channels are placed by one clock, so that they stay together for hours whatever the two devices' own clocks do,
and where a device lost something. The file can be played at any moment, also after the program was killed: what its
header claims is always there (http://soundfile.sapp.org/doc/WaveFormat/).
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import BinaryIO, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from realtime_cli.audio.core.pcm import FRAME_BYTES, MAX_WAV_BYTES, RATE_HZ, ms_to_frames, wav_header

Samples = npt.NDArray[np.int16]

WRITE_S = 0.5
"""How often the file grows: what a killed program loses of its last words."""

LOOKAHEAD_FRAMES = ms_to_frames(1000)
"""Blocks may be late for many reasons but are never early: where one belongs is told by the earliest of those that come
within so long, and it is placed then. (What is lost with a killed program is so much longer.)"""

TOLERANCE_FRAMES = ms_to_frames(10)
"""How far audio may be from its place before it is moved there: half a block."""

LAG_FRAMES = ms_to_frames(1000)
"""A channel that is so much behind the other is silent until it says more."""

_CHANNELS = 2
_FRAME_BYTES = _CHANNELS * FRAME_BYTES


class _Arrival(msgspec.Struct, frozen=True):
    samples: Samples
    start: int
    count: int
    """Frames that came before it."""

    @property
    def offset(self) -> int:
        """How much later it began than it would have if nothing had ever been lost or late."""
        return self.start - self.count


class Track:
    """One channel: what came of it and is not in the file yet, and where the next block belongs. Pure."""

    def __init__(self) -> None:
        self._waiting: deque[Samples] = deque()
        self.end = 0
        """Frames from the beginning of the recording to the end of what is placed."""
        self._unplaced: deque[_Arrival] = deque()
        self._least: deque[int] = deque()
        """The offsets of those that no later one undercuts, rising: the first is the least of all."""
        self._count = 0
        self._offset: int | None = None

    def add(self, samples: Samples) -> None:
        """Take a block, shape ``(frames,)``, that stands right behind what came."""
        self._waiting.append(samples)
        self.end += len(samples)

    def place(self, samples: Samples, start: int) -> None:
        """Take a block that began ``start`` frames after the recording, as far as is known."""
        arrival = _Arrival(samples, start, self._count)
        self._count += len(samples)
        self._unplaced.append(arrival)
        while self._least and self._least[-1] > arrival.offset:
            self._least.pop()
        self._least.append(arrival.offset)
        self.settle(start - LOOKAHEAD_FRAMES)

    def settle(self, until: float) -> None:
        """Place what began up to ``until``: whatever tells its place has come."""
        while self._unplaced and self._unplaced[0].start <= until:
            arrival = self._unplaced.popleft()
            least = self._least[0]
            if arrival.offset == least:
                self._least.popleft()
            if self._offset is None or abs(least - self._offset) >= TOLERANCE_FRAMES:
                self._offset = least
            begin = self._offset + arrival.count
            self.pad_to(begin)
            self.add(arrival.samples[max(0, self.end - begin) :])

    def pad_to(self, end: int) -> None:
        """Silence up to ``end``, if that is later than what came."""
        if end > self.end:
            self.add(np.zeros(end - self.end, np.int16))

    def take(self, frames: int) -> Samples:
        """The next ``frames`` frames for the file; so many have come."""
        taken = np.zeros(frames, np.int16)
        at = 0
        while at < frames:
            block = self._waiting.popleft()
            count = min(len(block), frames - at)
            taken[at : at + count] = block[:count]
            if count < len(block):
                self._waiting.appendleft(block[count:])
            at += count
        return taken


class _Block(msgspec.Struct, frozen=True):
    channel: Literal["user", "model"]
    samples: Samples
    start_s: float


class Recorder:
    """Writes the recording; ``run`` is the body of its thread. Whoever hears something hands it over and goes on."""

    def __init__(
        self, path: Path, on_notice: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic,
        by_clock: bool = True,
    ) -> None:  # fmt: skip
        """``on_notice`` is told, on the recorder's thread, of a file that cannot be written: it is then given up.

        ``by_clock`` is False where neither side is heard at the pace of a clock, recordings being sent and replies
        written as fast as they come: then each stands behind what the other said.
        """
        self.path = path
        self._on_notice = on_notice
        self._clock = clock
        self._by_clock = by_clock
        self._tracks = {"user": Track(), "model": Track()}
        self._queue: SimpleQueue[_Block | None] = SimpleQueue()
        self._began = clock()
        self._ended = threading.Event()
        self._frames = 0

    def spoke(self, pcm: bytes) -> None:
        """The microphone gave this just now: PCM16 24 kHz mono. Any thread; returns at once."""
        samples = np.frombuffer(pcm, "<i2").astype(np.int16)
        self._put("user", samples, self._clock() - len(samples) / RATE_HZ)

    def heard(self, samples: Samples, latency_s: float = 0.0) -> None:
        """The loudspeaker took this just now, and plays it ``latency_s`` later. Any thread; returns at once."""
        # The buffer may be the device's own, which it fills again.
        self._put("model", samples.copy(), self._clock() + latency_s)

    def run(self) -> None:
        """Write what is heard and said, until :meth:`close`. Own thread; blocks."""
        try:
            # Nobody but its owner hears what was said.
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "r+b", buffering=0) as file:  # noqa: PTH123 -- the mode is given to os.open
                self._write_header(file)
                self._record(file)
        except OSError as error:
            self._ended.set()
            self._on_notice(f"the recording ends here: {self.path}: {error.strerror or error}")

    def close(self) -> None:
        """Let ``run`` write what is left, and end. Any thread; does not wait; may be called twice."""
        self._ended.set()
        self._queue.put(None)

    def _put(self, channel: Literal["user", "model"], samples: Samples, start_s: float) -> None:
        if not self._ended.is_set():
            self._queue.put(_Block(channel, samples, start_s - self._began))

    def _record(self, file: BinaryIO) -> None:
        due = self._clock() + WRITE_S
        open_ = True
        while open_:
            try:
                block = self._queue.get(timeout=WRITE_S)
                open_ = block is not None
                if block is not None:
                    self._place(block)
            except Empty:
                pass
            if not open_ or self._clock() >= due:
                self._write(file, everything=not open_)
                due = self._clock() + WRITE_S

    def _place(self, block: _Block) -> None:
        track = self._tracks[block.channel]
        if self._by_clock:
            track.place(block.samples, round(block.start_s * RATE_HZ))
        else:
            track.pad_to(max(each.end for each in self._tracks.values()))
            track.add(block.samples)

    def _write(self, file: BinaryIO, *, everything: bool) -> None:
        now = round((self._clock() - self._began) * RATE_HZ)
        for track in self._tracks.values():
            track.settle(math.inf if everything else now - LOOKAHEAD_FRAMES)
        ends = [track.end for track in self._tracks.values()]
        until = max(ends) if everything else max(min(ends), max(ends) - LAG_FRAMES)
        frames = until - self._frames
        if frames <= 0:
            return
        for track in self._tracks.values():
            track.pad_to(until)
        both = np.column_stack([self._tracks[name].take(frames) for name in ("user", "model")])
        if (self._frames + frames) * _FRAME_BYTES > MAX_WAV_BYTES:
            raise OSError(27, "a WAV file holds no more than twelve hours")
        _write_all(file, both.astype("<i2").tobytes())
        self._frames += frames
        # Behind the audio that it tells of, so that it never claims what is not there.
        self._write_header(file)

    def _write_header(self, file: BinaryIO) -> None:
        file.seek(0)
        _write_all(file, wav_header(self._frames * _FRAME_BYTES, _CHANNELS))
        file.seek(0, os.SEEK_END)


def _write_all(file: BinaryIO, data: bytes) -> None:
    """An unbuffered file may take a part only."""
    while data:
        data = data[file.write(data) :]
