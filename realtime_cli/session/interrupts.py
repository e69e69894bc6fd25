"""Ctrl-C where it must not cut in, and an end that nothing can hold up. Main thread only."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

DEFERRED_S = 1.0
"""For so long after the first Ctrl-C; loading libraries and opening devices takes less, and a driver may hang."""


@contextmanager
def deferred() -> Iterator[None]:
    """Let Ctrl-C wait until this is over; then KeyboardInterrupt is raised.

    Half an extension module is left where one interrupts its import, and crashes the thread that imports it next.
    """
    first_s: float | None = None

    def take_note(_signum: int, _frame: FrameType | None) -> None:
        nonlocal first_s
        now = time.monotonic()
        if first_s is None:
            first_s = now
        elif now - first_s > DEFERRED_S:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, take_note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if first_s is not None:
        raise KeyboardInterrupt


@contextmanager
def ignored() -> Iterator[None]:
    """Let Ctrl-C do nothing meanwhile."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
