"""Raw PCM16 24 kHz mono through standard input and output: for programs that bring their own sound devices."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

from realtime_cli.audio.core.pcm import BLOCK_BYTES, BLOCK_FRAMES, FRAME_BYTES
from realtime_cli.audio.drivers.pacing import Pacer, deliver_at_pace, deliver_silence
from realtime_cli.conversation.records import SourceState
from realtime_cli.errors import InputError
from realtime_cli.ports import Deliver, Pull

RAW_FORMAT = "raw PCM16 24 kHz mono"
_HAS_SELECT = sys.platform != "win32"
"""Windows can select on sockets only (https://docs.python.org/3/library/select.html)."""

_POLL_S = 0.1
"""How long a silent or stalled other end can hold up the end of the program."""


class PipeSource:
    """A microphone at the other end of a pipe: paced by whoever writes, but never faster than real time.

    On Windows a read cannot be interrupted: there :meth:`run` notices its end only with the next data.
    """

    name = "stdin"
    overflows = 0
    state: SourceState = "works"

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._closed = threading.Event()

    def open(self) -> None:
        """Refuse a terminal. Raises InputError."""
        if self._stream.isatty():
            raise InputError("the microphone is standard input, and that is a terminal", f"pipe {RAW_FORMAT} into it")

    def run(self, deliver: Deliver, at_end: Callable[[], None], stopping: threading.Event) -> None:
        """Deliver what is written, then silence. Own thread; blocks. Raises InputError when nothing ever came."""
        pacer = Pacer(stopping, self._closed)
        if not deliver_at_pace(self._blocks(pacer), deliver, pacer):
            return
        at_end()
        deliver_silence(deliver, pacer)

    def close(self) -> None:
        """End :meth:`run`; the stream stays open, as it is the caller's. Any thread; may be called twice."""
        self._closed.set()

    def _blocks(self, pacer: Pacer) -> Iterator[bytes]:
        waiting = bytearray()
        heard = False
        while data := self._read(pacer, BLOCK_BYTES - len(waiting)):
            waiting += data
            if len(waiting) == BLOCK_BYTES:
                heard = True
                yield bytes(waiting)
                waiting.clear()
        whole = len(waiting) - len(waiting) % FRAME_BYTES
        if whole and not pacer.stopped:
            yield bytes(waiting[:whole])
        elif not heard and not pacer.stopped:
            raise InputError("standard input held no audio", f"pipe {RAW_FORMAT} into it")

    def _read(self, pacer: Pacer, size: int) -> bytes:
        """At least one byte, or none at the end or when told to stop."""
        file = self._stream.fileno()
        while not pacer.stopped:
            if not _HAS_SELECT or select.select([file], [], [], _POLL_S)[0]:
                return os.read(file, size)
        return b""


class PipeSink:
    """A loudspeaker at the other end of a pipe: gets a block every 20 ms, silences included."""

    name = "stdout"
    underflows = 0
    latency_ms = 0.0

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._closed = threading.Event()

    def open(self) -> None:
        """Refuse a terminal. Raises InputError."""
        if self._stream.isatty():
            raise InputError(
                "the loudspeaker is standard output, and that is a terminal", f"pipe it into a player of {RAW_FORMAT}"
            )

    def run(self, pull: Pull, stopping: threading.Event) -> None:
        """Write until ``stopping`` is set or the sink closed. Own thread; blocks.

        Raises BrokenPipeError when nobody reads any more, which is the usual end of a pipeline and no fault.
        """
        pacer = Pacer(stopping, self._closed)
        while pacer.wait():
            self._write(pull(BLOCK_FRAMES).tobytes(), pacer)

    def close(self) -> None:
        """End :meth:`run`; the stream stays open, as it is the caller's. Any thread; may be called twice."""
        self._closed.set()

    def _write(self, pcm: bytes, pacer: Pacer) -> None:
        file = self._stream.fileno()
        while pcm and not pacer.stopped:
            # A pipe that select calls writable takes PIPE_BUF (at least 512) bytes without blocking (pipe(7)).
            if not _HAS_SELECT or select.select([], [file], [], _POLL_S)[1]:
                pcm = pcm[os.write(file, pcm[:512]) :]
