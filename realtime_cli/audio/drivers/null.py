"""No microphone and no loudspeaker: for conversations without sound."""

from __future__ import annotations

import threading
from collections.abc import Callable

from realtime_cli.audio.core.pcm import BLOCK_FRAMES
from realtime_cli.audio.drivers.pacing import BLOCK_S, Pacer
from realtime_cli.conversation.records import SourceState
from realtime_cli.ports import Deliver, Pull


class NullSource:
    """A microphone that never hears anything, and never ends."""

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
