"""A program under a real terminal: keys go in, the screen comes out as a person would see it.

The driver is the terminal. It can answer the kitty keyboard query, or stay silent, as terminals do.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import pyte

from tests.waiting import PATIENCE_S

ENVIRON = {
    "TERM": "xterm-256color",
    "PYTHONIOENCODING": "utf-8",
    # A script elsewhere finds the package that is being tested, installed or not.
    "PYTHONPATH": str(Path(__file__).parent.parent),
}

Answers: TypeAlias = Mapping[bytes, Callable[[], bytes]]
"""What the terminal says when it reads certain control sequences."""


class Terminal:
    """Runs ``command`` as the session leader of a pseudo-terminal of its own."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        lines: int = 24,
        environ: Mapping[str, str] | None = None,
        answers: Answers | None = None,
    ) -> None:
        self._answers = dict(answers or {})
        self.raw = b""
        self._screen = pyte.HistoryScreen(columns, lines, history=1000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self._fd, self.slave = pty.openpty()
        self.resize(columns, lines)
        self.found = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            command,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={**os.environ, **ENVIRON, **(environ or {})},
            start_new_session=True,
            preexec_fn=_take_the_terminal,  # noqa: PLW1509 -- one system call, and no lock is taken
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()

    def send(self, keys: str | bytes) -> None:
        """Type."""
        os.write(self._fd, keys.encode() if isinstance(keys, str) else keys)

    def resize(self, columns: int, lines: int) -> None:
        """Change the window's size, and tell the program as a terminal does."""
        self._screen.resize(lines, columns)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def screen(self) -> list[str]:
        """The rows of the screen, without blanks at their ends and without empty rows at the bottom."""
        rows = [row.rstrip() for row in self._screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def cells(self, row: int) -> list[pyte.screens.Char]:
        """The cells of a row of the screen: characters, their colours and styles."""
        return [self._screen.buffer[row][column] for column in range(self._screen.columns)]

    def everything(self) -> list[str]:
        """What scrolled off the top, then the screen."""
        history = [
            "".join(row[x].data for x in range(self._screen.columns)).rstrip() for row in self._screen.history.top
        ]
        return history + self.screen()

    @property
    def cursor_hidden(self) -> bool:
        """Whether the program hid the cursor and did not show it again."""
        return bool(self._screen.cursor.hidden)

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column of the cursor, from 0."""
        return int(self._screen.cursor.y), int(self._screen.cursor.x)

    @property
    def title(self) -> str:
        """The window's title, if the program set one."""
        return str(self._screen.title)

    def modes(self) -> list[object]:
        """The terminal's settings now."""
        return list(termios.tcgetattr(self.slave))

    def wait_for(self, text: str) -> list[str]:
        """Wait until ``text`` is on the screen, and return the screen."""
        self.wait_until(lambda: any(text in row for row in self.screen()), f"{text!r} on the screen")
        return self.screen()

    def wait_until(self, met: Callable[[], bool], what: str) -> None:
        """Read what the program writes until ``met``; fail when it ends or the deadline passes before."""
        deadline = time.monotonic() + PATIENCE_S
        while self._mid_drawing() or not met():
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain for {what}; the screen:\n" + "\n".join(self.screen())
            self._read(min(left, 0.05))

    def wait_for_end(self) -> int:
        """Wait until the program has ended, and return its exit code."""
        self.wait_until(lambda: self.process.poll() is not None, "the program's end")
        while self._read(0):
            pass
        return self.process.wait()

    def unread(self) -> bytes:
        """What was typed and not read by any program: what a shell would get next."""
        modes = termios.tcgetattr(self.slave)
        modes[3] &= ~termios.ICANON
        modes[6][termios.VMIN] = 0
        termios.tcsetattr(self.slave, termios.TCSANOW, modes)
        return os.read(self.slave, 4096)

    def signal(self, signum: signal.Signals) -> None:
        """Send the program a signal."""
        self.process.send_signal(signum)

    def hang_up(self) -> None:
        """The terminal is gone. May be called twice."""
        for fd in (self._fd, self.slave):
            if fd >= 0:
                os.close(fd)
        self._fd = self.slave = -1

    def _mid_drawing(self) -> bool:
        """A synchronized drawing has begun; a terminal shows it when it is complete."""
        return self.raw.rfind(b"\x1b[?2026h") > self.raw.rfind(b"\x1b[?2026l")

    def _read(self, timeout: float) -> bool:
        if not select.select([self._fd], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            # EIO: nobody has the other end open any more.
            return False
        start = len(self.raw)
        self.raw += data
        self._stream.feed(data)
        for question, answer in self._answers.items():
            # A question may have been cut in two.
            for _ in range(self.raw.count(question) - self.raw.count(question, 0, start)):
                self.send(answer())
        return True


XTERM: Answers = {b"\x1b[c": lambda: b"\x1b[?64;1;2c"}
"""A terminal that knows no kitty protocol, as tmux: it answers the question about its attributes only."""


class KittyTerminal(Terminal):
    """One that knows the kitty protocol, or the ``known`` part of it.

    ``late`` is what it was about to send when the protocol is given up.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        known: int = 31,
        late: bytes = b"",
        columns: int = 80,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._known = known
        answers = {b"\x1b[<u": lambda: late, b"\x1b[?u": self._flags, b"\x1b[c": lambda: b"\x1b[?62c"}
        super().__init__(command, columns=columns, environ=environ, answers=answers)

    def _flags(self) -> bytes:
        pushed = self.raw.count(b"\x1b[>31u") > self.raw.count(b"\x1b[<u")
        return b"\x1b[?%du" % (self._known if pushed else 0)


def _take_the_terminal() -> None:
    """In the child, a session leader without a terminal: make the pseudo-terminal its own."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
