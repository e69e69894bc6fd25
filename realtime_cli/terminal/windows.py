"""The keyboard of a Windows console. It neither echoes nor needs a state restored, and tells of no releases."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TextIO

from realtime_cli.errors import InputError
from realtime_cli.terminal.keys import Key, KeyParser

# For the type checker, which reads this file on other platforms too.
assert sys.platform == "win32"  # noqa: S101

import msvcrt  # noqa: E402

POLL_S = 0.03
"""A console cannot be waited for together with an event; this is well under what a person notices."""

SPECIAL_KEY = ("\x00", "\xe0")
"""What comes before the code of an arrow or function key."""

FUNCTION_KEYS = {code: f"f{number}" for number, code in enumerate(";<=>?@ABCD\x85\x86", 1)}
"""Codes of the function keys (the scan codes of a PC keyboard, as getwch gives them)."""


class Keyboard:
    """See :class:`realtime_cli.terminal.posix.Keyboard`."""

    def __init__(self, stream: TextIO, on_resume: Callable[[], None] = lambda: None) -> None:  # noqa: ARG002 -- never
        self._stream = stream
        self._parser = KeyParser()
        self.reports_release = False

    def open(self) -> None:
        """Check that there is a console. Raises InputError."""
        if not self._stream.isatty():
            raise InputError("standard input is no console", "run this in a console, or leave out what needs keys")

    def run(self, on_key: Callable[[Key], None], stopping: threading.Event) -> None:
        """Tell ``on_key`` of each key until ``stopping`` is set. Own thread."""
        while not stopping.wait(POLL_S):
            while msvcrt.kbhit():
                self._read(on_key)

    def wake(self) -> None:
        """Nothing to do: :meth:`run` polls."""

    def close(self) -> None:
        """Nothing to restore."""

    def _read(self, on_key: Callable[[Key], None]) -> None:
        char = msvcrt.getwch()
        if char in SPECIAL_KEY:
            if name := FUNCTION_KEYS.get(msvcrt.getwch()):
                on_key(Key(name))
            return
        if char == "\x1b":
            on_key(Key("escape"))
            return
        for item in self._parser.feed(char.encode("utf-8", "replace")):
            if isinstance(item, Key):
                on_key(item)
