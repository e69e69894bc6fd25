"""The core's clock, which stands still while this machine sleeps or the program is stopped.

A laptop that is closed, or Ctrl-Z, would else look like minutes in which a server owed an answer. Linux' and macOS'
monotonic clocks stand still in a suspended machine, Windows' does not, and none does for a stopped program
(https://docs.python.org/3/library/time.html#time.monotonic); so both clocks are watched.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SLEPT_S = 5.0
"""A round of the main thread takes half a second at most; one that took so long was a sleep."""


class Clock:
    """Main thread only."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._left_out_s = 0.0
        self._looked_at = (monotonic(), wall())

    def now(self) -> float:
        """Seconds since some moment, sleeps left out."""
        return self._monotonic() - self._left_out_s

    def slept_s(self) -> float:
        """How long the machine slept since the last call, if it did; to be asked each round."""
        before, self._looked_at = self._looked_at, (self._monotonic(), self._wall())
        ran_s, passed_s = (now - then for now, then in zip(self._looked_at, before, strict=True))
        if max(ran_s, passed_s) < SLEPT_S:
            return 0.0
        if ran_s >= SLEPT_S:
            self._left_out_s += ran_s
        return max(ran_s, passed_s)
