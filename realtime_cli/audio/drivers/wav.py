"""Files in the place of devices: a recording that speaks into the conversation, and a WAV file that hears it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from realtime_cli.audio.core.pcm import BLOCK_FRAMES, FRAME_BYTES, RATE_HZ, wav_header
from realtime_cli.audio.drivers.pacing import BLOCK_S, Pacer, deliver_at_pace, deliver_silence
from realtime_cli.audio.drivers.recordings import Recording
from realtime_cli.conversation.records import SourceState
from realtime_cli.errors import InputError
from realtime_cli.ports import Deliver, Pull
from realtime_cli.result_file import ResultFile

_FLUSH_BYTES = RATE_HZ * FRAME_BYTES
"""A crash of the whole program costs at most the last second: this often the file is made whole on disk."""


class WavSource:
    """A microphone into which a recording is spoken, at the pace of a clock; after its end it goes on with silence."""

    overflows = 0
    state: SourceState = "works"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
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

    It pulls a block every 20 ms and writes silences too, from the first sound on, with those before it; where nothing
    is ever heard, no file is made, and one that was there stays. With ``pending``, which says how many frames can be
    pulled, it writes them as fast as they come and nothing else: for replies that nobody can interrupt.
    """

    underflows = 0
    latency_ms = 0.0

    def __init__(self, path: Path, pending: Callable[[], int] | None = None) -> None:
        self.path = path
        self.name = path.name
        self._pending = pending
        self._closed = threading.Event()
        # Held while a block is pulled and written, so that a close from elsewhere cannot lose what was pulled.
        self._lock = threading.Lock()
        self._file: ResultFile | None = None
        self._silent_bytes = 0
        self._data_bytes = 0
        self._unwritten = bytearray()

    def open(self) -> None:
        """Look whether the file can be written. Raises InputError when it cannot."""
        # A pipe or terminal has no beginning to return to, which the length in the header needs.
        if self.path.exists() and not self.path.is_file():
            raise InputError(f"cannot write a WAV into {self.path}", "it is no regular file; use - for a pipe")
        file = ResultFile(self.path)
        file.check()
        self._file = file

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
            file, self._file = self._file, None
            if file is not None:
                try:
                    self._write_out(file)
                finally:
                    file.close()

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
            if self._file is not None:
                self._append(pull(frames).astype("<i2", copy=False).tobytes())

    def _append(self, pcm: bytes) -> None:
        if self._file is None:
            return
        if not self._file.begun and not any(pcm):
            self._silent_bytes += len(pcm)
            return
        self._unwritten += pcm
        if len(self._unwritten) >= _FLUSH_BYTES or not self._file.begun:
            try:
                self._write_out(self._file)
            except InputError:
                file, self._file = self._file, None
                file.close()
                raise

    def _write_out(self, file: ResultFile) -> None:
        """Put what came since the last time into the file, and what that makes its length into its header."""
        if not self._unwritten:
            return
        pcm = bytes(self._unwritten)
        self._unwritten.clear()
        if not file.begun:
            header = wav_header(self._silent_bytes)
            file.write(header)
            # What is left out in between reads as zeros, which silence is.
            file.write(pcm, at=len(header) + self._silent_bytes)
            self._data_bytes = self._silent_bytes
        else:
            file.write(pcm)
        self._data_bytes += len(pcm)
        # Behind the audio that it tells of, so that it never claims what is not there.
        file.write(wav_header(self._data_bytes), at=0)
