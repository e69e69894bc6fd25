"""Saving a conversation while it is held."""

from __future__ import annotations

import os
import threading
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


class Journal:
    """Appends a conversation's records to a file of its own; ``run`` is the body of its thread.

    The file is made when the first thing is said, so that a connection that was refused leaves nothing behind. What
    cannot be written is tried again with the next line, and told once each time it begins to fail.
    """

    def __init__(self, path: Path, header: Header, on_notice: Callable[[str], None], *, at_once: bool = False) -> None:
        """``on_notice`` is told, on the journal's thread, that saving fails, and that it works again.

        ``at_once``: the file is made although nothing was said yet, as there is a recording beside it.
        """
        self.path = path
        self._header = header
        self._on_notice = on_notice
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        # Lines in the order they came. Only the journal's own thread touches these.
        self._unsaved: deque[bytes] = deque()
        self._lost = 0
        self._descriptor: int | None = None
        self._end = 0
        self._failing = False
        self._worth_saving = at_once
        self._closed = threading.Event()

    def put(self, record: Record, t: float) -> None:
        """Save a record that was told ``t`` seconds after the start. Any thread; returns at once."""
        fields = msgspec.to_builtins(record)
        kind = fields.pop("type", "")
        if kind in KEPT and not self._closed.is_set():
            self._worth_saving = self._worth_saving or kind in SPOKEN
            self._queue.put(msgspec.json.encode({"type": kind, "t": round(t, 3), **fields}) + b"\n")

    def run(self) -> None:
        """Write what is put, until :meth:`close`. Own thread; blocks."""
        self._unsaved.append(msgspec.json.encode(self._header) + b"\n")
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
                self._on_notice(f"the conversation is not being saved: {self.path}: {error.strerror or error}")
            return
        if self._failing:
            self._failing = False
            lost = f"; {self._lost} lines are lost" if self._lost else ""
            self._on_notice(f"the conversation is being saved again{lost}")
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
