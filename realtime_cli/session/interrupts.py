"""Ctrl-C where it must not cut in, and signals that end the program.

Signals come on the main thread: a session that is held on another one (a page's) sees none, and changes nothing.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

DEFERRED_S = 1.0
"""For so long after the first Ctrl-C; loading libraries and opening devices takes less, and a driver may hang."""


@contextmanager
def deferred() -> Iterator[None]:
    """Let Ctrl-C wait until this is over; then KeyboardInterrupt is raised.

    Half an extension module is left where one interrupts its import, and crashes the thread that imports it next.
    """
    if not _on_main_thread():
        yield
        return
    first_s: float | None = None

    def take_note(_signum: int, _frame: FrameType | None) -> None:
        nonlocal first_s
        now = time.monotonic()
        if first_s is None:
            first_s = now
        elif now - first_s > DEFERRED_S:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, take_note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if first_s is not None:
        raise KeyboardInterrupt


@contextmanager
def offered_to(take: Callable[[], bool]) -> Iterator[None]:
    """Let ``take`` say of each Ctrl-C whether it was for something else than the end; it runs in the handler."""

    def offer(_signum: int, _frame: FrameType | None) -> None:
        if not take():
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, offer)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def ignored() -> Iterator[None]:
    """Let Ctrl-C do nothing meanwhile."""
    if not _on_main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Terminated(BaseException):
    """A signal that ends programs came: what is open is closed, then the program dies of it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


@contextmanager
def raising_deadly_signals() -> Iterator[None]:
    """Raise Terminated on the main thread where a signal would kill; a second one kills.

    Signals that are ignored, or that somebody else handles, stay as they are.
    """
    before = {}

    def raise_terminated(signum: int, _frame: FrameType | None) -> None:
        signal.signal(signum, signal.SIG_DFL)
        raise Terminated(signum)

    for name in ("SIGTERM", "SIGHUP", "SIGQUIT"):
        signum = getattr(signal, name, None)
        if signum is not None and _on_main_thread() and signal.getsignal(signum) is signal.SIG_DFL:
            before[signum] = signal.signal(signum, raise_terminated)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def die_of(signum: int) -> None:
    """End the program as the signal would have, so that whoever waits for it learns why."""
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
