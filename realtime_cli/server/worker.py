"""A thread that does one job of a connection after the other, while the connection's own thread goes on."""

from __future__ import annotations

import logging
import threading
from queue import SimpleQueue
from typing import Protocol

from realtime_cli.errors import RealtimeError

_LOG = logging.getLogger(__name__)


class Job(Protocol):
    """Work for an engine."""

    def run(self) -> None:
        """Do it; may block for long, looks after its own cancellation, and may raise anything."""

    def failed(self, problem: str) -> None:
        """``run`` raised; tell whoever waits for the job."""


class Worker:
    """Jobs run in the order they came. A job that raises takes only itself down. One thread submits."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def submit(self, job: Job) -> None:
        """Queue a job; the first one starts the thread. The owner's thread; does not block."""
        self._jobs.put(job)
        if not self._thread.ident:
            self._thread.start()

    def close(self) -> None:
        """Let the running job end (its cancellation is up to the caller) and drop the others. Does not block."""
        self._closing = True
        self._jobs.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end."""
        if self._thread.ident:
            self._thread.join(timeout_s)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._closing:
            try:
                job.run()
            except Exception as error:  # noqa: BLE001 -- whatever an engine's library raises, the client must hear of it
                _LOG.debug("a job failed", exc_info=True)
                job.failed(describe(error))


def describe(error: Exception) -> str:
    """One line about an error for the client: what is ours is made to be read, the text of any other stays here."""
    return str(error) if isinstance(error, RealtimeError) else "internal error of the server"
