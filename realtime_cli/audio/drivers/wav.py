"""Files in the place of devices: a recording that speaks into the conversation, and a WAV file that hears it."""

from __future__ import annotations

import threading
import wave
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from realtime_cli.audio.core.pcm import BLOCK_FRAMES, FRAME_BYTES, RATE_HZ
from realtime_cli.audio.drivers.pacing import BLOCK_S, Pacer, deliver_at_pace, deliver_silence
from realtime_cli.audio.drivers.recordings import Recording
from realtime_cli.errors import InputError
from realtime_cli.ports import Deliver, Pull

_FLUSH_FRAMES = RATE_HZ
"""A crash of the whole program costs at most the last second: this often the file is made whole on disk."""


class WavSource:
    """A microphone into which a recording is spoken, at the pace of a clock; after its end it goes on with silence."""

    overflows = 0

    def __init__(self, path: Path) -> None:
        self.path = path
        self._recording = Recording(path)
        self._closed = threading.Event()

    def open(self) -> None:
        """Check the file. Raises InputError when it is missing, no audio, cut off, or shorter than 100 ms."""
        self._recording.check()

    def run(self, deliver: Deliver, at_end: Callable[[], None], stopping: threading.Event) -> None:
        """Deliver a block every 20 ms. Own thread; blocks. Raises InputError when the file is damaged further on."""
        pacer = Pacer(stopping, self._closed)
        if not deliver_at_pace(self._recording.blocks(), deliver, pacer):
            return
        at_end()
        deliver_silence(deliver, pacer)

    def close(self) -> None:
        """End :meth:`run`, which then closes the file. Any thread; may be called twice."""
        self._closed.set()


class WavSink:
    """A WAV file (PCM16 24 kHz mono) that gets what a loudspeaker would have played.

    It pulls a block every 20 ms and writes silences too. With ``pending``, which says how many frames can be pulled,
    it writes them as fast as they come and nothing else: for replies that nobody can interrupt.
    """

    underflows = 0
    latency_ms = 0.0

    def __init__(self, path: Path, pending: Callable[[], int] | None = None) -> None:
        self.path = path
        self._pending = pending
        self._closed = threading.Event()
        # Held while a block is pulled and written, so that a close from elsewhere cannot lose what was pulled.
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._wave: wave.Wave_write | None = None
        self._unflushed = 0

    def open(self) -> None:
        """Create the file, or empty it. Raises InputError when it cannot be written."""
        try:
            # A pipe or terminal has no beginning to return to, which the length in the header needs.
            if self.path.exists() and not S_ISREG(self.path.stat().st_mode):
                raise InputError(f"cannot write a WAV into {self.path}", "it is no regular file; use - for a pipe")
            self._file = self.path.open("wb")
        except OSError as error:
            raise self._unwritable(error) from error
        self._wave = wave.open(self._file, "wb")  # noqa: SIM115 -- closed by close()
        self._wave.setnchannels(1)
        self._wave.setsampwidth(FRAME_BYTES)
        self._wave.setframerate(RATE_HZ)

    def run(self, pull: Pull, stopping: threading.Event) -> None:
        """Write until ``stopping`` is set or the sink closed. Own thread; blocks. Raises InputError on a full disk."""
        pacer = Pacer(stopping, self._closed)
        if self._pending is None:
            while pacer.wait():
                self._write(pull, BLOCK_FRAMES)
            return
        while not pacer.stopped:
            if not self._write_pending(pull, self._pending):
                stopping.wait(BLOCK_S)

    def close(self) -> None:
        """Finish the file. Any thread; may be called twice. Raises InputError if its end cannot be written."""
        self._closed.set()
        with self._lock:
            try:
                self._finish()
            except OSError as error:
                raise self._unwritable(error) from error

    def _write_pending(self, pull: Pull, pending: Callable[[], int]) -> bool:
        """Write what can be had now; False when that was nothing."""
        with self._lock:
            frames = min(pending(), RATE_HZ)
            if not frames:
                return False
            samples = pull(frames)
            # A jitter buffer may hold back the beginning of a reply and give silence meanwhile: no part of the reply.
            if not samples.any() and pending() >= frames:
                return False
            self._append(samples.astype("<i2", copy=False).tobytes())
            return True

    def _write(self, pull: Pull, frames: int) -> None:
        with self._lock:
            if self._wave:
                self._append(pull(frames).astype("<i2", copy=False).tobytes())

    def _append(self, pcm: bytes) -> None:
        if not self._wave:
            return
        self._unflushed += len(pcm) // FRAME_BYTES
        try:
            if self._unflushed < _FLUSH_FRAMES:
                self._wave.writeframesraw(pcm)
            else:
                self._wave.writeframes(pcm)
                self._unflushed = 0
        except OSError as error:
            with suppress(OSError):
                self._finish()
            raise self._unwritable(error) from error

    def _finish(self) -> None:
        """Write what is left and the final length. Raises OSError; the file is closed all the same."""
        file, self._file = self._file, None
        samples, self._wave = self._wave, None
        if file and samples:
            with file:
                samples.close()

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(f"cannot write {self.path}", error.strerror or str(error))
