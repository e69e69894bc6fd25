"""The clock of drivers that have no device, block after block, and those that have nothing else: no sound at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from realtime_cli.audio.core.pcm import BLOCK_BYTES, BLOCK_FRAMES, BLOCK_MS
from realtime_cli.conversation.records import SourceState
from realtime_cli.ports import Deliver, Pull

BLOCK_S = BLOCK_MS / 1000

MAX_BEHIND_S = 1.0
"""A clock this far behind (a suspended laptop, a stopped process) starts afresh instead of rushing to catch up."""


class Pacer:
    """Counts blocks from a fixed start, so that waiting a little too long now never adds up to drift."""

    def __init__(self, stopping: threading.Event, closed: threading.Event) -> None:
        self._stopping = stopping
        self._closed = closed
        self._start_s = time.monotonic()
        self._blocks = 0

    @property
    def stopped(self) -> bool:
        """Whether the session is stopping or the driver was closed."""
        return self._stopping.is_set() or self._closed.is_set()

    def wait(self) -> bool:
        """Block until the next block is due; False when it is time to stop instead."""
        self._blocks += 1
        ahead_s = self._start_s + self._blocks * BLOCK_S - time.monotonic()
        if ahead_s < -MAX_BEHIND_S:
            self._start_s -= ahead_s
        self._stopping.wait(max(0.0, ahead_s))
        return not self.stopped


def deliver_at_pace(blocks: Iterable[bytes], deliver: Deliver, pacer: Pacer) -> bool:
    """Deliver each block when it is due, the last one filled up with silence. Blocks; False when told to stop.

    ``blocks`` hold ``BLOCK_BYTES`` each, the last one at most that.
    """
    for block in blocks:
        if not pacer.wait():
            return False
        deliver(block.ljust(BLOCK_BYTES, b"\0"))
    return not pacer.stopped


def deliver_silence(deliver: Deliver, pacer: Pacer) -> None:
    """Deliver silence at pace until told to stop. Blocks."""
    silence = bytes(BLOCK_BYTES)
    while pacer.wait():
        deliver(silence)


class NullSource:
    """A microphone that never hears anything, and never ends."""

    name = ""
    overflows = 0
    state: SourceState = "works"

    def __init__(self) -> None:
        self._closed = threading.Event()

    def open(self) -> None:
        """Nothing to do."""

    def run(self, deliver: Deliver, at_end: Callable[[], None], stopping: threading.Event) -> None:  # noqa: ARG002
        """Deliver nothing and wait. Own thread; blocks until ``stopping`` is set or the source closed."""
        while not self._closed.is_set() and not stopping.wait(BLOCK_S):
            pass

    def close(self) -> None:
        """End :meth:`run`. Any thread; may be called twice."""
        self._closed.set()


class NullSink:
    """A loudspeaker that plays at a device's pace, unheard: so replies take their time and end as they would aloud."""

    name = ""
    underflows = 0
    latency_ms = 0.0

    def __init__(self) -> None:
        self._closed = threading.Event()

    def open(self) -> None:
        """Nothing to do."""

    def run(self, pull: Pull, stopping: threading.Event) -> None:
        """Pull a block every 20 ms. Own thread; blocks until ``stopping`` is set or the sink closed."""
        pacer = Pacer(stopping, self._closed)
        while pacer.wait():
            pull(BLOCK_FRAMES)

    def close(self) -> None:
        """End :meth:`run`. Any thread; may be called twice."""
        self._closed.set()
