"""The key to talk with: held where the terminal reports releases, tapped elsewhere. Pure."""

from __future__ import annotations

FIRST_REPEAT_S = 0.7
"""A press that comes this soon after another may be the repetition of a key that is held down.

Terminals without releases send nothing else then. Longer than X11's default delay before it, 660 ms (``xset q``).
"""

REPEAT_S = 0.25
"""The longest from one repetition to the next: X11 repeats every 40 ms, macOS by default every 90 ms, the Linux console
every 92 ms (``kbdrate``)."""


class TalkKey:
    """Tells presses that were meant from repetitions. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._held = False
        self._doubtful = False

    def press(self, now: float) -> bool:
        """The key was pressed or repeats itself: whether it was certainly meant."""
        since = FIRST_REPEAT_S if self._last is None else now - self._last
        doubtful, self._last = self._doubtful, now
        self._doubtful = False
        if since >= FIRST_REPEAT_S:
            self._held = False
            return True
        if since < REPEAT_S and (self._held or doubtful):
            self._held = True
            return False
        self._held, self._doubtful = False, True
        # A doubtful press that nothing followed was meant, even if nobody came to ask.
        return doubtful

    @property
    def due(self) -> float | None:
        """When a doubtful press turns out to have been meant, if no further one comes."""
        return self._last + REPEAT_S if self._doubtful and self._last is not None else None

    def time_passed(self, now: float) -> bool:
        """Whether a press turns out to have been meant now."""
        meant = self.due is not None and now >= self.due
        self._doubtful = self._doubtful and not meant
        return meant
