"""Lines from standard input that is no keyboard: a pipe, a file, or a terminal that edits lines itself."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import Snapshot
from realtime_cli.errors import InputError

WATCH_S = 0.25
"""How often ``stopping`` is looked at while nothing comes."""

READ_BYTES = 65536


class LineInput:
    """What ``facts_of`` makes of each line of ``stream``, blanks around it left out: a session's input."""

    def __init__(
        self,
        stream: BinaryIO,
        facts_of: Callable[[str], Iterable[f.Fact]],
        at_end: f.Fact | None = None,
        *,
        see: Callable[[Snapshot], None] = lambda _snapshot: None,
    ) -> None:
        """``see`` is told how things stand, on the main thread: what a line means may depend on it."""
        self._stream = stream
        self._facts_of = facts_of
        self._at_end = at_end
        self._see = see

    def open(self) -> None:
        """Nothing to prepare."""

    def see(self, snapshot: Snapshot) -> None:
        """How things stand. Main thread; returns at once."""
        self._see(snapshot)

    def run(self, post: Callable[[f.Fact], None], stopping: threading.Event) -> None:
        """Post facts until the stream ends, then ``at_end``. Own thread. Raises InputError for what is not UTF-8."""

        def tell(facts: Iterable[f.Fact]) -> None:
            for fact in facts:
                post(fact)

        at_end = () if self._at_end is None else (self._at_end,)
        read_lines(self._stream, lambda line: tell(self._facts_of(line.strip())), lambda: tell(at_end), stopping)

    def close(self) -> None:
        """Nothing to give back."""


def read_lines(
    stream: BinaryIO, on_line: Callable[[str], None], on_end: Callable[[], None], stopping: threading.Event
) -> None:
    """Tell ``on_line`` of each line, without its ending, then ``on_end`` once; ends early when ``stopping`` is set.

    Own thread, and the stream's only reader. On Windows, where a pipe cannot be waited for, a blocked read ends only
    with the next line. Raises InputError for a line that is not UTF-8.
    """
    for number, line in enumerate(_lines(stream, stopping), 1):
        if stopping.is_set():
            return
        on_line(_decoded(line, number))
    if not stopping.is_set():
        on_end()


def _decoded(line: bytes, number: int) -> str:
    try:
        # A byte-order mark, as Windows editors write it, is no part of the text.
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"standard input, line {number}, is not UTF-8 (byte {error.start + 1} of the line)", "convert it first"
        ) from error
    return text.rstrip("\r\n")


def _lines(stream: BinaryIO, stopping: threading.Event) -> Iterator[bytes]:
    if sys.platform == "win32":
        yield from stream
        return
    rest = b""
    while not stopping.is_set():
        if not select.select([stream], [], [], WATCH_S)[0]:
            continue
        data = os.read(stream.fileno(), READ_BYTES)
        if not data:
            break
        *whole, rest = (rest + data).split(b"\n")
        yield from whole
    if rest:
        yield rest
