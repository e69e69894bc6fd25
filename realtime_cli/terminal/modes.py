"""The terminal's state while keys are read one by one, and its return to what it was. POSIX only.

What is written comes from xterm's control sequences (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html) and the
kitty keyboard protocol (https://sw.kovidgoyal.net/kitty/keyboard-protocol/).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import termios
from collections.abc import Callable

PASTE_ON, PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
"""Bracketed paste: pasted text comes marked, so that no letter of it is taken for a command."""

SHOW_CURSOR = "\x1b[?25h"

KITTY_FLAGS = 0b11111
"""All of the kitty protocol: only with "all keys as escape codes" (8) are releases of text keys such as space certain.

It then takes the text (16) and the Latin key (4, for shortcuts on other layouts) to make sense of what comes.
"""

KITTY_RELEASES = 0b01010
"""The flags that must be active for the release of a text key to be reported: event types and all keys."""

FOCUS_ON, FOCUS_OFF = "\x1b[?1004h", "\x1b[?1004l"
"""Told when another window takes the keys: the release of a key that is held then goes there."""

KITTY_PUSH, KITTY_POP = f"\x1b[>{KITTY_FLAGS}u{FOCUS_ON}", f"{FOCUS_OFF}\x1b[<u"

ATTRIBUTES_QUERY = "\x1b[c"
"""A question that every terminal answers, in its turn: behind all that it sent before it read the question."""

KITTY_QUERY = f"\x1b[?u{ATTRIBUTES_QUERY}"
"""Which flags are active? Silence on that is an answer too, once the other question is answered."""

DISABLED = b"\0"
"""The control character that is none (``_POSIX_VDISABLE``: 0 on Linux; 255 elsewhere, which is asked for)."""


class TerminalModes:
    """Puts one terminal into one-key mode and back, as often as suspending asks for. Any thread, one at a time.

    ``read_last`` reads what the terminal still sends, until no answer is owed or for as long as it cares to wait.
    """

    def __init__(self, fd: int, read_last: Callable[[], None] = lambda: None) -> None:
        self._fd = fd
        self._read_last = read_last
        self._found = termios.tcgetattr(fd)
        self._out = _writable(fd)
        self._entered = False
        self.left = False
        """The terminal was given back, after it had been taken."""
        self._pushed = False
        self.kitty = False
        """The kitty protocol is to be used; set once the terminal said that it knows it."""
        self.owed_answers = 0
        """Queries not answered yet; answers left unread would appear in the shell."""

    def enter(self) -> bool:
        """No echo, no line editing; may be called again. Ctrl-C comes as a key, other signals from the driver.

        False in a background job, which may not, and when the terminal hung up, of which SIGCONT tells as well.
        """
        if self._in_background():
            return False
        try:
            wanted = termios.tcgetattr(self._fd)
        except termios.error:
            return False
        wanted[3] = wanted[3] & ~(termios.ECHO | termios.ICANON) | termios.ISIG
        wanted[6][termios.VMIN], wanted[6][termios.VTIME] = 1, 0
        wanted[6][termios.VINTR] = self._disabled()
        termios.tcsetattr(self._fd, termios.TCSANOW, wanted)
        self._entered, self.left = True, False
        self.write(PASTE_ON)
        self._push()
        return True

    def ctrl_c_is_signal(self, on: bool) -> None:
        """Whether the terminal's driver makes a signal of Ctrl-C, or leaves it to whoever reads the keys."""
        if not self._entered or self._in_background():
            return
        with contextlib.suppress(termios.error):
            modes = termios.tcgetattr(self._fd)
            modes[6][termios.VINTR] = self._found[6][termios.VINTR] if on else self._disabled()
            termios.tcsetattr(self._fd, termios.TCSANOW, modes)

    def ask(self) -> None:
        """Ask which kitty flags are active."""
        self._ask(KITTY_QUERY)

    def use_kitty(self) -> None:
        """Turn on the kitty protocol, now and after every suspension, and ask what of it the terminal grants."""
        self.kitty = True
        self._push()
        self.ask()

    def leave(self) -> None:
        """Everything as found, and the cursor visible. May be called twice, and when the terminal is gone.

        Where releases of keys were reported, this waits for a round trip: the release of the key that ended the
        program may be on its way, and would appear in the shell.
        """
        if not self._entered or self._in_background():
            return
        self.left = True
        # A terminal that hung up has no state left to restore.
        with contextlib.suppress(OSError, termios.error):
            if self._pushed:
                self._pushed = False
                self._ask(KITTY_POP + ATTRIBUTES_QUERY)
            if self.owed_answers and self._can_write():
                self._read_last()
                termios.tcflush(self._fd, termios.TCIFLUSH)
            self.write(PASTE_OFF + SHOW_CURSOR)
            # TCSANOW: waiting for output to drain would hang on a terminal stopped with Ctrl-S.
            termios.tcsetattr(self._fd, termios.TCSANOW, self._found)
        # Last, so that a signal in the midst of this, whose handler leaves as well, leaves nothing undone.
        self._entered = False

    def close(self) -> None:
        """Leave for good."""
        self.leave()
        if self._out >= 0:
            os.close(self._out)
            self._out = -1

    def write(self, sequences: str) -> None:
        """Send control sequences to the terminal, if it takes them: one that is stopped must not hold up the end."""
        if self._can_write():
            os.write(self._out, sequences.encode("ascii"))

    def _ask(self, sequences: str) -> None:
        if self._can_write():
            self.owed_answers += 1
            self.write(sequences)

    def _can_write(self) -> bool:
        return self._out >= 0 and bool(select.select([], [self._out], [], 0)[1])

    def _push(self) -> None:
        if self.kitty and not self._pushed:
            self._pushed = True
            self.write(KITTY_PUSH)

    def _disabled(self) -> bytes:
        try:
            return bytes([os.fpathconf(self._fd, "PC_VDISABLE")])
        except (OSError, ValueError):
            return DISABLED

    def _in_background(self) -> bool:
        """Another job owns the terminal; touching it would stop us (SIGTTOU)."""
        try:
            return os.tcgetpgrp(self._fd) != os.getpgrp()
        except OSError:
            # Not our controlling terminal: no job control applies.
            return False


def _writable(fd: int) -> int:
    """A descriptor of our own to write to the terminal behind ``fd`` with, or -1 where there is none.

    The ones that are there come first: after ``su``, a terminal cannot be opened by its path, which belongs to another.
    """
    for each in (fd, 1, 2):
        with contextlib.suppress(OSError):
            writable = fcntl.fcntl(each, fcntl.F_GETFL) & os.O_ACCMODE in (os.O_RDWR, os.O_WRONLY)
            if writable and os.path.sameopenfile(each, fd):
                return os.dup(each)
    with contextlib.suppress(OSError):
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NOCTTY)
    return -1
