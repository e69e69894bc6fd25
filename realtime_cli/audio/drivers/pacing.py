"""The clock of drivers that have no device: block after block, each when a device would have it ready."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from realtime_cli.audio.core.pcm import BLOCK_BYTES, BLOCK_MS
from realtime_cli.ports import Deliver

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
