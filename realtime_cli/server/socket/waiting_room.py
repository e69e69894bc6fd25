"""Places for clients that hold no session: HTTP requests, handshakes, and connections that ask nothing yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_WAITING = 64
"""At a time; more are turned away unread."""


class WaitingRoom(Generic[T]):
    """Any thread. A connection whose request has not all come gives way to a new one when there is no room: otherwise
    whoever opens connections and says nothing keeps everybody out."""

    def __init__(self, let_go: Callable[[T], None], most: int = MOST_WAITING) -> None:
        """``let_go`` ends a client's connection; it must not block."""
        self._let_go = let_go
        self._most = most
        # Every client has a thread.
        self._lock = threading.Lock()
        self._silent: dict[T, None] = {}
        """Those whose request has not all come; who has been so for longest is the first."""
        self._served: set[T] = set()

    def enter(self, client: T) -> bool:
        """A client has connected; False: there is no room for it."""
        with self._lock:
            longest = None
            if len(self._silent) + len(self._served) >= self._most:
                longest = next(iter(self._silent), None)
                if longest is None:
                    return False
                del self._silent[longest]
            self._silent[client] = None
        if longest is not None:
            self._let_go(longest)
        return True

    def has_asked(self, client: T) -> None:
        """Its request is here, and is being answered."""
        with self._lock:
            if client in self._silent:
                del self._silent[client]
                self._served.add(client)

    def is_answered(self, client: T) -> None:
        """It may ask again, or not."""
        with self._lock:
            if client in self._served:
                self._served.discard(client)
                self._silent[client] = None

    def leave(self, client: T) -> None:
        """It has gone, or holds a session now. May be called twice."""
        with self._lock:
            self._silent.pop(client, None)
            self._served.discard(client)
