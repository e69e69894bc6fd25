"""Whether the other end of a connection still lives: when to ask it with a ping, and when its silence says no. Pure.

A network that is gone tells nobody. While somebody speaks or waits for an answer that must be noticed within seconds;
otherwise a ping now and then will do. Any message of the server's is a sign of life; a server that is busy for minutes
still answers pings (RFC 6455, 5.5.2), so nothing is said here about how long an answer may take.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import msgspec


class Verdict(Enum):
    """What there is to do."""

    ALIVE = "alive"
    ASK = "ask"
    """Send a ping, if that is possible without waiting."""
    DEAD = "dead"


class Limits(msgspec.Struct, frozen=True):
    """How long silence is borne, in seconds."""

    interval_s: float = 15.0
    """After so much silence the other end is asked; OpenAI itself pings each 20 s."""
    timeout_s: float = 10.0
    """How long it may take to answer. A server in Python that computes on its event loop may need some seconds."""
    urgent_interval_s: float = 2.0
    urgent_timeout_s: float = 8.0
    """The same while somebody speaks or waits."""

    @classmethod
    def of(cls, seconds: float) -> Limits:
        """All limits in proportion, the longest (``interval_s``) as given."""
        scale = seconds / cls().interval_s
        return cls(*(getattr(cls(), name) * scale for name in cls.__struct_fields__))


class Liveness:
    """What is known of one connection, on the clock of whoever asks. Two threads may call: each only sets a number."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._heard_at: float | None = None
        self._asked_at: float | None = None
        self._sending_since: float | None = None

    def heard(self, now: float) -> None:
        """Something came."""
        self._heard_at, self._asked_at = now, None

    def ask(self, now: float, ping: Callable[[], bool]) -> None:
        """Send a ping by ``ping``, which says whether it could. Its answer may come at once, on another thread."""
        self._asked_at = now
        if not ping():
            self._asked_at = None

    def sending(self, since: float | None) -> None:
        """A message that no network needs seconds for is on its way since then; None: it has been handed over."""
        self._sending_since = since

    def woke(self) -> None:
        """This machine slept: what is unanswered since before that says nothing."""
        if self._heard_at is not None:
            self._heard_at, self._asked_at, self._sending_since = float("-inf"), None, None

    def silent_s(self, now: float) -> float:
        """For how long nothing has come."""
        return 0.0 if self._heard_at is None else now - self._heard_at

    def judge(self, now: float, *, urgent: bool) -> Verdict:
        """What there is to do about the silence."""
        limits = self._limits
        heard, asked, sending = self._heard_at, self._asked_at, self._sending_since
        timeout_s = limits.urgent_timeout_s if urgent else limits.timeout_s
        if heard is None:
            return Verdict.ALIVE  # not open yet; connecting has a limit of its own
        if any(since is not None and now - since >= timeout_s for since in (asked, sending)):
            return Verdict.DEAD
        interval_s = limits.urgent_interval_s if urgent else limits.interval_s
        return Verdict.ASK if asked is None and now - heard >= interval_s else Verdict.ALIVE
