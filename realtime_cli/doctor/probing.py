"""Threads for short looks at the outside world that no conversation is there for: one blocking call each.

Beside :mod:`realtime_cli.session.threads` the only file on the client's side that starts threads. The main thread
waits for what they find, so that Ctrl-C ends the program whatever they are stuck in; they are daemons.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Found = TypeVar("Found")

POLL_S = 0.5
"""The longest uninterrupted wait: on Windows a wait without end cannot be interrupted by Ctrl-C."""


def begin(name: str, look: Callable[[], Found]) -> Future[Found]:
    """Call ``look`` on a thread called ``name``. Returns at once; what it returns or raises is in the future."""
    found: Future[Found] = Future()

    def body() -> None:
        try:
            found.set_result(look())
        except Exception as error:  # noqa: BLE001 -- raised again by outcome, on the main thread
            found.set_exception(error)

    threading.Thread(target=body, name=name, daemon=True).start()
    return found


def outcome(found: Future[Found]) -> Found:
    """Wait for what ``begin`` began, and return or raise what it did. Main thread; Ctrl-C ends the wait."""
    while not found.done():
        wait_a_moment(found)
    return found.result()


def wait_a_moment(found: Future[Found]) -> None:
    """Wait for ``POLL_S`` at most. Main thread."""
    try:
        found.exception(POLL_S)
    except TimeoutError:
        return
