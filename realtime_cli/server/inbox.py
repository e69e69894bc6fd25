"""The one queue that a connection's thread reads."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_WAITING = 512
"""A client that sends faster than it is heard waits from here on: ten seconds of microphone blocks."""


class Closed(Exception):
    """The inbox takes and gives nothing any more."""


class Inbox(Generic[T]):
    """Any thread puts, one thread gets. Closing wakes everybody; what still waits is then dropped."""

    def __init__(self) -> None:
        self._waiting: deque[T] = deque()
        self._closed = False
        self._held = False
        # One lock for the queue and the flag: a put that waits for room must also see the closing.
        self._changed = threading.Condition()

    def put(self, thing: T, waits: bool = False) -> None:
        """Add a thing; ``waits``: block while too many wait or :meth:`hold` says so.

        After closing it is dropped, without an error.
        """
        with self._changed:
            if waits:
                self._changed.wait_for(self._has_room)
            if not self._closed:
                self._waiting.append(thing)
                self._changed.notify_all()

    def get(self, timeout_s: float | None) -> T | None:
        """The next thing, or None after ``timeout_s``. Blocks. Raises Closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._waiting), timeout_s)
            if self._closed:
                raise Closed
            if not self._waiting:
                return None
            thing = self._waiting.popleft()
            self._changed.notify_all()
            return thing

    def __len__(self) -> int:
        """How many wait. Any thread."""
        return len(self._waiting)

    def hold(self, on: bool) -> None:
        """Let those who may wait do so, or go on. Any thread."""
        with self._changed:
            self._held = on
            self._changed.notify_all()

    def is_closed(self) -> bool:
        """Whether it was closed. Any thread."""
        return self._closed

    def close(self) -> None:
        """Take and give nothing any more. Any thread; may be called twice."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._closed or (not self._held and len(self._waiting) < MOST_WAITING)
