"""The threads of one conversation: started in the order in which they need each other, and joined in reverse."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Threads:
    """Any thread may start another. They are daemons: one that hangs in a driver cannot keep the program."""

    def __init__(self, ended_badly: Callable[[str, Exception], None]) -> None:
        """``ended_badly`` is told the name of a thread and what it raised, on that thread."""
        self._ended_badly = ended_badly
        # Two threads start others, and each also clears away what has ended.
        self._lock = threading.Lock()
        self._running: list[threading.Thread] = []

    def start(self, name: str, target: Callable[..., None], *arguments: object) -> None:
        """Run ``target`` on a thread of its own."""
        thread = threading.Thread(target=self._run, args=(name, target, arguments), name=name, daemon=True)
        thread.start()
        with self._lock:
            # Push-to-talk would otherwise leave one behind for each press.
            self._running = [*(each for each in self._running if each.is_alive()), thread]

    def forget(self, name: str) -> None:
        """Wait for this one no more, not even at the end: it may hang."""
        with self._lock:
            self._running = [each for each in self._running if each.name != name]

    def join(self, name: str, deadline_s: float) -> None:
        """Wait for one to end, until ``deadline_s`` of the monotonic clock."""
        self._join([each for each in self._running if each.name == name], deadline_s)

    def join_all(self, deadline_s: float) -> None:
        """Wait for all, the latest first, until ``deadline_s`` of the monotonic clock."""
        self._join(self._running[::-1], deadline_s)

    def _join(self, threads: list[threading.Thread], deadline_s: float) -> None:
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    def _run(self, name: str, target: Callable[..., None], arguments: tuple[object, ...]) -> None:
        try:
            target(*arguments)
        except Exception as error:  # noqa: BLE001 -- a worker that dies must say so, whatever killed it
            self._ended_badly(name, error)
