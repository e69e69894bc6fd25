"""The keyboard of a POSIX terminal, key by key, with releases where the terminal reports them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from typing import TextIO

from realtime_cli.errors import InputError
from realtime_cli.terminal.keys import Answer, Input, Key, KeyParser
from realtime_cli.terminal.modes import KITTY_RELEASES, TerminalModes
from realtime_cli.terminal.signals import SignalGuard

ANSWER_S = 1.0
"""How long opening waits for answers. Only a terminal that never answers takes that long; a late one still counts."""

ESCAPE_S = 0.05
"""An ESC with nothing after it for this long was the Escape key."""

WATCH_S = 0.25
"""How often ``stopping`` is looked at, when nobody calls :meth:`Keyboard.wake`."""

READ_BYTES = 4096

SIGNALS = {"ctrl+c": signal.SIGINT, "ctrl+z": signal.SIGTSTP, "ctrl+\\": signal.SIGQUIT}
"""What the terminal driver makes of these as control characters; the kitty protocol sends them as keys instead."""


class Keyboard:
    """Keys of the terminal behind ``stream``.

    ``on_resume`` is called on the main thread when the program goes on after Ctrl-Z: the screen is not what it was.
    """

    def __init__(self, stream: TextIO, on_resume: Callable[[], None] = lambda: None) -> None:
        self._stream = stream
        self._on_resume = on_resume
        self._parser = KeyParser()
        self._early: list[Key] = []
        self._modes: TerminalModes | None = None
        self._guard: SignalGuard | None = None
        self._wake_read, self._wake_write = -1, -1
        self._closed = False
        self.reports_release = False
        """The terminal reports when a key is released. Known after :meth:`open`, on a slow line a little later."""

    def open(self) -> None:
        """Take the terminal: no echo, key by key. Main thread; blocks while the terminal says what it can.

        That is a round trip or two, at most ``ANSWER_S``. Raises InputError when ``stream`` is no terminal.
        """
        if not self._stream.isatty():
            raise InputError("standard input is no terminal", "run this in a terminal, or leave out what needs keys")
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._modes = modes = TerminalModes(self._stream.fileno())
        self._guard = SignalGuard(modes.leave, self._resume)
        self._guard.install()
        modes.enter()
        modes.ask()
        deadline = time.monotonic() + ANSWER_S
        while modes.owed_answers and (left := deadline - time.monotonic()) > 0:
            items = self._read(left)
            if items is None:
                return
            for item in items:
                self._take(item, self._early.append)

    def run(self, on_key: Callable[[Key], None], stopping: threading.Event) -> None:
        """Tell ``on_key`` of each key until ``stopping`` is set or the terminal is gone. Own thread.

        Returns at once after :meth:`wake` or :meth:`close`. Ctrl-C, Ctrl-Z and Ctrl-\\ are signals, never keys.
        """
        for key in self._early:
            on_key(key)
        self._early.clear()
        while not (stopping.is_set() or self._closed):
            timeout = ESCAPE_S if self._parser.waiting else WATCH_S
            items = self._read(timeout)
            if items is None:
                return
            for item in items:
                self._take(item, on_key)

    def wake(self) -> None:
        """Let :meth:`run` look at ``stopping`` now. Any thread."""
        if self._wake_write >= 0:
            # A full pipe wakes as well.
            with contextlib.suppress(BlockingIOError):
                os.write(self._wake_write, b"\0")

    def close(self) -> None:
        """Give the terminal back as it was found. Main thread, :meth:`run` over or about to be; may be called twice."""
        if self._guard:
            self._guard.remove()
        if self._modes:
            self._modes.close()
        self._closed = True
        # The pipe stays: a thread still in ``run`` would else read from whatever gets its number next.
        self.wake()

    def _read(self, timeout: float) -> list[Input] | None:
        """What came within ``timeout`` seconds; None when there will be nothing more."""
        fd = self._stream.fileno()
        ready, _, _ = select.select([fd, self._wake_read], [], [], timeout)
        if self._wake_read in ready:
            os.read(self._wake_read, READ_BYTES)
            return []
        if fd not in ready:
            return self._parser.settle()
        try:
            data = os.read(fd, READ_BYTES)
        except OSError:
            # EIO: the terminal hung up.
            return None
        return self._parser.feed(data) if data else None

    def _take(self, item: Input, on_key: Callable[[Key], None]) -> None:
        if isinstance(item, Answer):
            self._take_answer(item)
        elif item.name not in SIGNALS:
            on_key(item)
        elif item.action == "press":
            # As the driver would: to the whole foreground job, pipes and wrappers included.
            os.killpg(os.getpgrp(), SIGNALS[item.name])

    def _take_answer(self, answer: Answer) -> None:
        modes = self._modes
        if not modes:
            return
        if answer.kind == "attributes":
            modes.owed_answers = max(0, modes.owed_answers - 1)
        elif modes.kitty:
            self.reports_release = answer.value & KITTY_RELEASES == KITTY_RELEASES
        else:
            modes.use_kitty()

    def _resume(self) -> None:
        if self._modes and self._modes.enter():
            self._on_resume()
