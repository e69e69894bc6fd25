"""Saving a conversation, and what went over the wire for it, while it is held."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue

import msgspec

from realtime_cli.conversation.records import Record
from realtime_cli.journal.entries import KEPT, SPOKEN, Header

SYNC_S = 1.0
"""What a machine that loses its power may take away. A program that is killed loses nothing: its lines are with the
system as soon as they are written."""

MAX_UNSAVED = 10_000
"""Lines that wait for a full disk to have room again: some hours of talk. Older ones then go."""


class LineWriter:
    """Appends lines to a file of its own; ``run`` is the body of its thread.

    What cannot be written is tried again with the next line, and told once each time it begins to fail.
    """

    def __init__(self, path: Path, what: str, on_notice: Callable[[str], None], *, head: bytes = b"") -> None:
        """``on_notice`` is told, on the writer's thread, that ``what`` is not being saved, and that it is again."""
        self.path = path
        self._what = what
        self._on_notice = on_notice
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        # Lines in the order they came. Only the writer's own thread touches these.
        self._unsaved: deque[bytes] = deque([head] if head else [])
        self._lost = 0
        self._descriptor: int | None = None
        self._end = 0
        self._failing = False
        self._worth_saving = True
        self._closed = threading.Event()

    def append(self, line: bytes) -> None:
        """Save a line, which comes without its end. Any thread; returns at once."""
        if not self._closed.is_set():
            self._queue.put(line + b"\n")

    def run(self) -> None:
        """Write what is put, until :meth:`close`. Own thread; blocks."""
        dirty = False
        while True:
            try:
                line = self._queue.get(timeout=SYNC_S if dirty else None)
            except Empty:
                self._sync()
                dirty = False
                continue
            if line is None:
                break
            self._keep(line)
            if self._worth_saving:
                self._write()
                dirty = True
        if self._worth_saving and self._unsaved:
            self._write()
        self._finish()

    def close(self) -> None:
        """Let ``run`` write what is left, and end. Any thread; does not wait; may be called twice."""
        self._closed.set()
        self._queue.put(None)

    def _keep(self, line: bytes) -> None:
        if len(self._unsaved) >= MAX_UNSAVED:
            # A header that waits stays: without it the file would be none.
            del self._unsaved[0 if self._end else 1]
            self._lost += 1
        self._unsaved.append(line)

    def _write(self) -> None:
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            while self._unsaved:
                self._append(self._descriptor, self._unsaved[0])
                self._unsaved.popleft()
        except OSError as error:
            if not self._failing:
                self._failing = True
                self._on_notice(f"{self._what} is not being saved: {self.path}: {error.strerror or error}")
            return
        if self._failing:
            self._failing = False
            lost = f"; {self._lost} lines are lost" if self._lost else ""
            self._on_notice(f"{self._what} is being saved again{lost}")
            self._lost = 0

    def _append(self, descriptor: int, line: bytes) -> None:
        """Write a whole line or none of it. Raises OSError."""
        written = 0
        try:
            while written < len(line):
                written += os.write(descriptor, line[written:])
        except OSError:
            # A full disk takes the beginning of a line.
            os.ftruncate(descriptor, self._end)
            os.lseek(descriptor, self._end, os.SEEK_SET)
            raise
        self._end += written

    def _sync(self) -> None:
        if self._descriptor is not None:
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                self._on_notice(f"{self.path} may be incomplete: {error.strerror or error}")

    def _finish(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class Journal(LineWriter):
    """Saves a conversation's records.

    The file is made when the first thing is said, so that a connection that was refused leaves nothing behind.
    """

    def __init__(self, path: Path, header: Header, on_notice: Callable[[str], None], *, at_once: bool = False) -> None:
        """``at_once``: the file is made although nothing was said yet, as there is a recording beside it."""
        super().__init__(path, "the conversation", on_notice, head=msgspec.json.encode(header) + b"\n")
        self._worth_saving = at_once

    def put(self, record: Record, t: float) -> None:
        """Save a record that was told ``t`` seconds after the start. Any thread; returns at once."""
        fields = msgspec.to_builtins(record)
        kind = fields.pop("type", "")
        if kind in KEPT:
            self._worth_saving = self._worth_saving or kind in SPOKEN
            self.append(msgspec.json.encode({"type": kind, "t": round(t, 3), **fields}))


class WireLog(LineWriter):
    """Saves what goes over the wire beside a recording: a JSON object a line, as it is fit for a log.

    It says nothing of a full disk: the journal, whose file is on the same one, does.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "the wire log", lambda _notice: None)
        self._began = time.monotonic()

    def put(self, direction: str, message: str) -> None:
        """Save a message that was ``sent`` or ``received`` and holds no secret any more. Any thread; at once."""
        t = round(time.monotonic() - self._began, 3)
        try:
            encoded = message.encode()
            msgspec.json.decode(encoded)
            content: object = msgspec.Raw(encoded)
        except (msgspec.DecodeError, UnicodeEncodeError):
            content = message.encode("utf-8", "replace").decode()
        self.append(msgspec.json.encode({"t": t, "direction": direction, "message": content}))
