"""When a lost connection is tried again: exponential pauses with jitter, up to a bound. Pure.

A connection is in one of these states; whoever owns it (:class:`~.conversation.Conversation`,
:class:`~.transcription.transcription.Transcription`) tells what happened and does what the move says::

    state      event     next       what the move does
    UP         lost      WAITING    told as ``lost``; a try is due after the first pause
    WAITING    due       TRYING     told as ``retrying``; a new connection is asked for
    TRYING     lost      WAITING    a longer pause; GIVEN_UP behind the bound, or when trying is no use
    TRYING     restored  UP         told as ``restored``; the pauses begin anew
    WAITING    late      GIVEN_UP   the bound is passed
    UP         lost      GIVEN_UP   where nothing is to be tried (``--reconnect-s 0``)
"""

from __future__ import annotations

import random
from collections.abc import Iterator

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 8.0
"""Between two tries: short at first, as most losses are over at once; long for a server that is in trouble."""

JITTER = 0.5
"""How much of a pause is left to chance: whoever lost the same server must not come back at the same moment
(https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/)."""

STABLE_S = 5.0
"""A connection that lasted so long counts as one that works: the bound and the pauses begin anew with its loss."""


def pauses(seed: int) -> Iterator[float]:
    """Seconds before the first try, the second, and so on for ever."""
    chance = random.Random(seed)  # noqa: S311 -- spreads clients in time, and guards nothing
    longest = FIRST_PAUSE_S
    while True:
        yield longest * (1 - JITTER * chance.random())
        longest = min(2 * longest, LONGEST_PAUSE_S)


class Reconnection:
    """The state of the table in the module. Times are seconds of the core's clock."""

    def __init__(self, bound_s: float, seed: int) -> None:
        self.bound_s = bound_s
        self._seed = seed
        self._pauses = pauses(seed)
        self._give_up_at: float | None = None
        self._since = 0.0
        self._restored_at: float | None = None
        self.tries = 0
        """How often it was tried since the loss."""
        self.due: float | None = None
        """When the next try is due; None while nothing is lost, or one is under way."""

    @property
    def lost(self) -> bool:
        """Whether there is no connection that works."""
        return self._give_up_at is not None

    def lose(self, now: float) -> bool:
        """The connection, or a try, was lost. Whether another try is due, at :attr:`due`."""
        if self._give_up_at is None:
            if self._restored_at is None or now >= self._restored_at + STABLE_S:
                self._pauses = pauses(self._seed)
                self._since = now
            self._give_up_at = self._since + self.bound_s
        self.due = now + next(self._pauses)
        if self.due >= self._give_up_at:
            self.due = None
            return False
        return True

    def begin_try(self) -> None:
        """A new connection was asked for."""
        self.tries += 1
        self.due = None

    def restore(self, now: float) -> None:
        """A connection works again."""
        self._give_up_at = self.due = None
        self._restored_at = now
        self.tries = 0
