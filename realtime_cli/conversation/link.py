"""One connection as the core knows it: its number, its session, and how long that lasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

ROLLOVER_SHARE = 0.2
LONGEST_LEAD_S = 300.0
"""So long before its end a session's successor is opened, a share of its age limit and at most five minutes: there is a
pause in any conversation by then, and a second session costs nothing while nothing is asked of it."""


class Link(msgspec.Struct):
    """What belongs to one connection. Times are the core's clock."""

    epoch: int
    session_id: str = ""
    model: str = ""
    accepted: bool = False
    """The server has answered the ``session.update``."""
    expires_at: float | None = None
    """When the server ends the session; None where it does not tell."""
    opened_at: float | None = None
    """When the connection was there."""
    _wall_s: float | None = None

    def opened(self, wall_s: float | None, now: float) -> None:
        """The connection is there; ``wall_s`` are seconds since 1970."""
        self._wall_s, self.opened_at = wall_s, now

    def greeted(self, session: Mapping[str, Any]) -> None:
        """The server has opened the session: ``session.created``, whose ``expires_at`` is in seconds since 1970."""
        self.session_id = str(session.get("id") or "unnamed")
        self.model = str(session.get("model") or "")
        expires_wall_s = session.get("expires_at")
        if (
            self._wall_s is None
            or self.opened_at is None
            or isinstance(expires_wall_s, bool)
            or not isinstance(expires_wall_s, int | float)
        ):
            return
        left_s = expires_wall_s - self._wall_s
        if left_s > 0:
            self.expires_at = self.opened_at + left_s

    def slept(self, seconds: float) -> None:
        """The core's clock stood still for so long, and the server's did not."""
        if self.expires_at is not None:
            self.expires_at -= seconds

    @property
    def rollover_due(self) -> float | None:
        """When another session is to be opened to take this one's place."""
        if self.expires_at is None or self.opened_at is None:
            return None
        return self.expires_at - min(ROLLOVER_SHARE * (self.expires_at - self.opened_at), LONGEST_LEAD_S)
