"""The live view: finished lines scroll up into the terminal's history; below them what is going on, and a status line.

It has no thread and no timer: nothing is written unless something that is shown has changed.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import TextIO, cast

from rich.console import Console
from rich.text import Text

from realtime_cli.controls import Controls
from realtime_cli.conversation.records import (
    AssistantSaid,
    ConnectionChanged,
    Line,
    Notice,
    Record,
    SideChannelSaid,
    Snapshot,
    ToolCalled,
    ToolFinished,
    Trouble,
    UserSaid,
)
from realtime_cli.view.input_line import input_line
from realtime_cli.view.paragraph import UNHEARD, Paragraph, finished, in_progress, note, unfinished, wrapped
from realtime_cli.view.region import Region, Row, reflows
from realtime_cli.view.status import question_line, status_line
from realtime_cli.view.tool_lines import call_text, result_text

SETTLE_S = 0.3
"""How long the window's width must stay the same before it is drawn on.

A window that is being dragged changes faster than programs hear of it: tmux tells of a change up to 250 ms late.
"""

DEFAULT_SIZE = os.terminal_size((80, 24))

REMEMBERED_LINES = 64
"""How many printed lines are told from lines in progress; a snapshot is never that far behind the records."""

SPARE_ROWS = 4
"""Rows of the window that lines in progress leave free: for status, the line being typed, a question, and one above."""


class LiveView:
    """Draws on ``console``'s stream, which must be a terminal. ``controls`` says what the keys have set."""

    def __init__(
        self, console: Console, environ: Mapping[str, str], controls: Callable[[], Controls] = Controls
    ) -> None:
        self._console = console
        self._stream = cast(TextIO, console.file)
        self._controls = controls
        self._region = Region(self._stream, reflows=reflows(environ))
        self._told: dict[str, None] = {}
        self._snapshot = Snapshot()
        self._finished: list[Paragraph] = []
        self._calls: dict[str, str] = {}
        self._talking_since: float | None = None
        self._shown: object = None
        self._columns, self._columns_since = 0, 0.0
        self._resumed = 0

    def open(self) -> None:
        """Nothing to prepare: the first drawing does it."""

    def show(self, record: Record, _t: float) -> None:
        """Keep what is to be printed for good for the next drawing; what is still open is in the snapshots."""
        match record:
            case UserSaid() | AssistantSaid():
                self._told[record.item_id] = None
                if len(self._told) > REMEMBERED_LINES:
                    del self._told[next(iter(self._told))]
                if record.text or (isinstance(record, AssistantSaid) and record.interrupted):
                    self._finished.append(finished(record))
            case Notice() | Trouble():
                self._finished.append(note(record))
            case ConnectionChanged() if record.words:
                self._finished.append(note(Notice(text=record.words)))
            case SideChannelSaid():
                self._finished.append(note(Notice(text=f"[{record.name}] {record.text}")))
            case ToolCalled():
                self._calls[record.call_id] = call_text(record)
            case ToolFinished():
                call = self._calls.pop(record.call_id, record.name)
                self._finished.append(note(Notice(text=f"⚙ {call} {result_text(record)}")))

    def draw(self, snapshot: Snapshot) -> None:
        """Draw what has changed: the snapshot, the keys' settings, the window. Writes nothing when nothing has.

        To be called regularly, also with a snapshot that was drawn before. Raises BrokenPipeError.
        """
        self._snapshot = snapshot
        size, controls, talking_s = self._size(), self._controls(), self._talking_s()
        if controls.resumed != self._resumed:
            self._resumed = controls.resumed
            self._region.forget()
        shown = (snapshot, controls, size, talking_s)
        if self._being_dragged(size.columns) or (shown == self._shown and not self._finished):
            return
        self._shown = shown
        # The last cell of a row stays free: a cursor that waits behind it moves differently from terminal to terminal.
        width = size.columns - 1
        above = self._above(width)
        rows = self._in_progress(snapshot, width, max(0, size.lines - SPARE_ROWS))
        if snapshot.question:
            rows.append(question_line(snapshot.question, width))
        if controls.typing is not None:
            typed = input_line(controls.typing, controls.cursor, width)
            typed.row.append(" ", "reverse")
            rows.append(typed.row)
        rows.append(status_line(snapshot, controls, width, talking_s))
        self._region.draw(above, [self._row(row) for row in rows], size.columns)

    def close(self) -> None:
        """Print the lines that are left, remove the region and show the cursor. May be called twice."""
        width = self._size().columns
        self._finished += [unfinished(line) for line in self._open(self._snapshot)]
        self._snapshot = Snapshot()
        above = self._above(width - 1)
        # The terminal may be gone, and with it all that would need restoring.
        with contextlib.suppress(OSError):
            self._region.close(above, width)

    def _above(self, width: int) -> list[Row]:
        """Lines and notes to be printed for good."""
        paragraphs, self._finished = self._finished, []
        return [self._row(row) for paragraph in paragraphs for row in wrapped(paragraph, self._console, width)]

    def _in_progress(self, snapshot: Snapshot, width: int, height: int) -> list[Text]:
        """The lines in progress, at most ``height`` rows of them: those where the voice is now."""
        rows = [row for line in self._open(snapshot) for row in wrapped(in_progress(line), self._console, width)]
        unheard = (at for at, row in enumerate(rows) if any(span.style == UNHEARD for span in row.spans))
        # One row of what is still to be said stays in sight.
        end = min(len(rows), max(height, next(unheard, len(rows)) + 2))
        return rows[max(0, end - height) : end]

    def _open(self, snapshot: Snapshot) -> list[Line]:
        """The lines in progress. (A snapshot may be older than the record that tells one of its lines.)"""
        return [line for line in snapshot.lines if (line.text or line.pending) and line.item_id not in self._told]

    def _row(self, text: Text) -> Row:
        with self._console.capture() as capture:
            self._console.print(text, soft_wrap=True, end="")
        return Row(capture.get(), text.cell_len)

    def _talking_s(self) -> int:
        """Whole seconds since the talk key opened the microphone."""
        if not self._snapshot.talking:
            self._talking_since = None
            return 0
        now = time.monotonic()
        if self._talking_since is None:
            self._talking_since = now
        return int(now - self._talking_since)

    def _being_dragged(self, columns: int) -> bool:
        now = time.monotonic()
        if columns != self._columns:
            # The first width of all has nothing to settle from.
            self._columns_since = now if self._columns else -math.inf
            self._columns = columns
        return now - self._columns_since < SETTLE_S

    def _size(self) -> os.terminal_size:
        """The window's size now, which rich would take from the environment, where it outlives a resize."""
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except OSError:
            return DEFAULT_SIZE
        return size if size.columns > 1 and size.lines else DEFAULT_SIZE
