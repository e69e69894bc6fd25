"""Give the terminal back whatever ends or suspends the program, and take it again afterwards. POSIX only."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class SignalGuard:
    """Calls ``leave`` before the program stops or dies, and ``enter`` when it goes on. Main thread.

    Handlers that were there before are called afterwards; a signal that was ignored stays ignored.
    """

    def __init__(self, leave: Callable[[], None], enter: Callable[[], None]) -> None:
        self._leave = leave
        self._enter = enter
        self._before: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        """Begin to guard. Raises ValueError off the main thread."""
        for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            self._handle(signum, self._terminated)
        self._handle(signal.SIGTSTP, self._suspended)
        self._handle(signal.SIGCONT, self._continued)
        atexit.register(self._leave)

    def remove(self) -> None:
        """Put the former handlers back. May be called twice."""
        for signum, before in self._before.items():
            signal.signal(signum, before)
        self._before.clear()
        atexit.unregister(self._leave)

    def _handle(self, signum: signal.Signals, handler: Callable[[int, FrameType | None], None]) -> None:
        before = signal.getsignal(signum)
        # None: set from C, and so not ours to put back.
        if before not in (signal.SIG_IGN, None):
            self._before[signum] = before
            signal.signal(signum, handler)

    def _terminated(self, signum: int, frame: FrameType | None) -> None:
        self._leave()
        before = self._before.pop(signal.Signals(signum))
        signal.signal(signum, before)
        if callable(before):
            before(signum, frame)
        else:
            os.kill(os.getpid(), signum)

    def _suspended(self, signum: int, _frame: FrameType | None) -> None:
        self._leave()
        signal.signal(signum, signal.SIG_DFL)
        # To this very thread, which stops before its next line; sent to the process, another might take it later.
        signal.pthread_kill(threading.get_ident(), signum)
        signal.signal(signum, self._suspended)
        if signal.SIGCONT not in self._before:
            # Else its handler has done so: twice would be told as two suspensions.
            self._enter()

    def _continued(self, signum: int, frame: FrameType | None) -> None:
        """Also after a SIGSTOP, which no program sees coming: the shell may have changed the terminal meanwhile."""
        self._enter()
        before = self._before.get(signal.Signals(signum))
        if callable(before):
            before(signum, frame)
