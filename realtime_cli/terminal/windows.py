"""The keyboard of a Windows console. It neither echoes nor needs a state restored, and tells of no releases."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TextIO

from realtime_cli.errors import InputError
from realtime_cli.terminal.console_keys import ConsoleKeys
from realtime_cli.terminal.keys import Key

# For the type checker, which reads this file on other platforms too.
assert sys.platform == "win32"  # noqa: S101

import msvcrt  # noqa: E402

POLL_S = 0.03
"""A console cannot be waited for together with an event; this is well under what a person notices."""


def _no_wish() -> float | None:
    return None


class Keyboard:
    """See :class:`realtime_cli.terminal.posix.Keyboard`. Ctrl-C is always a signal here."""

    away = False

    def __init__(
        self,
        stream: TextIO,
        on_resume: Callable[[], None] = lambda: None,  # noqa: ARG002 -- never
        claims: Callable[[Key], bool] = lambda _key: False,  # noqa: ARG002 -- the console never asks
    ) -> None:
        self._stream = stream
        self._keys = ConsoleKeys(msvcrt.getwch, msvcrt.kbhit)
        self.reports_release = False

    def open(self) -> None:
        """Check that there is a console. Raises InputError."""
        if not self._stream.isatty():
            raise InputError("standard input is no console", "run this in a console, or leave out what needs keys")

    def run(
        self, on_key: Callable[[Key], None], stopping: threading.Event, idle: Callable[[], float | None] = _no_wish
    ) -> None:
        """Tell ``on_key`` of each key until ``stopping`` is set. Own thread. ``idle`` is called after each look."""
        while not stopping.wait(POLL_S):
            while self._keys.pending or msvcrt.kbhit():
                for key in self._keys.read():
                    on_key(key)
            idle()

    def wake(self) -> None:
        """Nothing to do: :meth:`run` polls."""

    def close(self) -> None:
        """Nothing to restore."""
