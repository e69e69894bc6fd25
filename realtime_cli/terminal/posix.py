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
from realtime_cli.terminal.key_parser import KeyParser
from realtime_cli.terminal.keys import Answer, Input, Key
from realtime_cli.terminal.modes import KITTY_RELEASES, TerminalModes
from realtime_cli.terminal.signals import SignalGuard

ANSWER_S = 1.0
"""How long opening waits for answers. Only a terminal that never answers takes that long; a late one still counts."""

LAST_KEYS_S = 1.0
"""How long leaving waits for what the terminal sent before it heard of the end: a round trip, on a slow line too."""

ESCAPE_S = 0.05
"""An ESC with nothing after it for this long was the Escape key."""

WATCH_S = 0.5
"""How often ``stopping`` is looked at, when nobody calls :meth:`Keyboard.wake`."""

READ_BYTES = 4096

SIGNALS = {"ctrl+c": signal.SIGINT, "ctrl+z": signal.SIGTSTP, "ctrl+\\": signal.SIGQUIT}
"""What the terminal driver makes of these as control characters; the kitty protocol sends them as keys instead."""


def _no_wish() -> float | None:
    return None


class Keyboard:
    """Keys of the terminal behind ``stream``.

    ``on_resume`` is called on the main thread when the program goes on after Ctrl-Z: the screen is not what it was.
    ``claims`` says of Ctrl-C, Ctrl-Z or Ctrl-\\ whether it is wanted as a key now; else it is a signal.
    """

    def __init__(
        self,
        stream: TextIO,
        on_resume: Callable[[], None] = lambda: None,
        claims: Callable[[Key], bool] = lambda _key: False,
    ) -> None:
        self._stream = stream
        self._on_resume = on_resume
        self._claims = claims
        self._parser = KeyParser()
        self._early: list[Key] = []
        self._modes: TerminalModes | None = None
        self._guard: SignalGuard | None = None
        self._wake_read, self._wake_write = -1, -1
        self._closed = False
        # Held while bytes become keys: who gives the terminal back reads what is left of them, beside `run`.
        # Re-entrant, because a signal's handler does so on a thread that may be reading.
        self._reading = threading.RLock()
        self.reports_release = False
        """The terminal reports when a key is released. Known after :meth:`open`, on a slow line a little later."""

    @property
    def away(self) -> bool:
        """Somebody else has the terminal. Any thread."""
        return self._modes is not None and self._modes.left

    def open(self) -> None:
        """Take the terminal: no echo, key by key. Main thread; blocks while the terminal says what it can.

        That is a round trip or two, at most ``ANSWER_S``. Raises InputError when ``stream`` is no terminal.
        """
        if not self._stream.isatty():
            raise InputError("standard input is no terminal", "run this in a terminal, or leave out what needs keys")
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._modes = modes = TerminalModes(self._stream.fileno(), self._read_last)
        self._guard = SignalGuard(modes.leave, self._resume)
        self._guard.install()
        modes.enter()
        modes.ask()
        deadline = time.monotonic() + ANSWER_S
        while modes.owed_answers and (left := deadline - time.monotonic()) > 0:
            if not self._read(left, self._early.append):
                return

    def run(
        self, on_key: Callable[[Key], None], stopping: threading.Event, idle: Callable[[], float | None] = _no_wish
    ) -> None:
        """Tell ``on_key`` of each key until ``stopping`` is set or the terminal is gone. Own thread.

        ``idle`` is called between keys, and says in how many seconds it wants to be called again at the latest.
        Returns at once after :meth:`wake` or :meth:`close`. Ctrl-C, Ctrl-Z and Ctrl-\\ are signals unless claimed.
        """
        for key in self._early:
            on_key(key)
        self._early.clear()
        while not (stopping.is_set() or self._closed):
            timeout = ESCAPE_S if self._parser.waiting else WATCH_S
            wish = idle()
            if not self._read(timeout if wish is None else min(timeout, wish), on_key):
                return
        if self._modes and not self._closed:
            # Nobody reads keys any more: Ctrl-C is for the terminal's driver again.
            self._modes.ctrl_c_is_signal(True)

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

    def _read(self, timeout: float, on_key: Callable[[Key], None]) -> bool:
        """Tell ``on_key`` of what comes within ``timeout`` seconds; False when there will be nothing more."""
        fd = self._stream.fileno()
        ready, _, _ = select.select([fd, self._wake_read], [], [], timeout)
        if self._wake_read in ready:
            os.read(self._wake_read, READ_BYTES)
            return True
        with self._reading:
            if fd not in ready:
                items = self._parser.settle()
            elif select.select([fd], [], [], 0)[0]:
                data = self._read_bytes(fd)
                if not data:
                    return False
                items = self._parser.feed(data)
            else:
                # Somebody who gives the terminal back was faster.
                return True
        for item in items:
            self._take(item, on_key)
        return True

    def _read_bytes(self, fd: int) -> bytes:
        try:
            return os.read(fd, READ_BYTES)
        except OSError:
            # EIO: the terminal hung up.
            return b""

    def _read_last(self) -> None:
        """Read, and forget, what the terminal sent before it answered that the keys go to somebody else."""
        fd = self._stream.fileno()
        deadline = time.monotonic() + LAST_KEYS_S
        while self._modes and self._modes.owed_answers and (left := deadline - time.monotonic()) > 0:
            # Not longer at a time: the answer may be read by `run`.
            if not select.select([fd], [], [], min(left, 0.05))[0]:
                continue
            with self._reading:
                data = self._read_bytes(fd) if select.select([fd], [], [], 0)[0] else b"\0"
                items = self._parser.feed(data)
            if not data:
                return
            for item in items:
                if isinstance(item, Answer):
                    self._take_answer(item)

    def _take(self, item: Input, on_key: Callable[[Key], None]) -> None:
        if isinstance(item, Answer):
            self._take_answer(item)
        elif item.name not in SIGNALS or (item.action == "press" and self._claims(item)):
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
