"""What a terminal can do, and writing to one that may have stopped."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

DUMB = ("dumb", "unknown")
"""What TERM says of a terminal that cannot move its cursor."""

LAST_LINES_S = 0.5
"""How long the last lines wait for a terminal that takes nothing, because of Ctrl-S or a network that is stuck."""


def is_screen(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether the stream is a terminal that moves its cursor, erases, and shows our symbols."""
    encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
    return encoding == "utf8" and stream.isatty() and environ.get("TERM", "") not in DUMB


def write_to(stream: TextIO) -> Callable[[str], None]:
    """Writes to the terminal behind ``stream``, past its buffer. Any thread; blocks while the terminal does.

    A thread that hangs in a buffered stream holds that stream's lock, and the program's end would wait for it.
    """
    if sys.platform == "win32":
        # A console takes Unicode only through Python's own stream.
        return lambda text: (stream.write(text), stream.flush())[1]

    def write(text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(stream.fileno(), data) :]

    return write


def takes_output(stream: TextIO) -> bool:
    """Whether the terminal takes output again within LAST_LINES_S. Blocks so long at most."""
    if sys.platform == "win32":
        return True
    return bool(select.select([], [stream.fileno()], [], LAST_LINES_S)[1])
