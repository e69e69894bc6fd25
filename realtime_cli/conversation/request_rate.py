"""How often the model may be asked without the user's doing: every request can cost money."""

from __future__ import annotations

from realtime_cli.conversation.effects import Effect, Show
from realtime_cli.conversation.records import Notice

BURST = 20
"""So many requests may follow each other at once: a turn with several side channels and quick function calls."""

PER_S = 1.0
"""After that, so many a second: more than a conversation with a person brings about."""


class RequestRate:
    """A token bucket over requests that no turn of the user's causes: for results, side channels, and asking again."""

    def __init__(self) -> None:
        self._left = float(BURST)
        self._at: float | None = None
        self._told = False

    def allows(self, now: float) -> bool:
        """Whether a request may be sent now."""
        self._refill(now)
        return self._left >= 1

    def take(self) -> None:
        """A request is sent."""
        self._left -= 1

    @property
    def due(self) -> float | None:
        """When the next request may be sent, after one that had to wait."""
        return None if self._at is None or self._left >= 1 else self._at + (1 - self._left) / PER_S

    def slowed_down(self) -> list[Effect]:
        """A request has to wait; said once, until the requests have calmed down."""
        if self._told:
            return []
        self._told = True
        text = (
            "the model is asked again and again without a turn of yours: slowing down, as each request may cost money"
        )
        return [Show(Notice(text=text))]

    def _refill(self, now: float) -> None:
        if self._at is not None:
            self._left = min(float(BURST), self._left + (now - self._at) * PER_S)
        self._at = now
        if self._left >= BURST / 2:
            self._told = False
