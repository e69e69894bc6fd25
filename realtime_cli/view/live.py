"""The live view: finished lines scroll up into the terminal's history as ordinary text; the rest is redrawn in place.

From top to bottom: what is being said, a question, the list of the keys, the status line, the line that is typed. It
has no thread and no timer, and writes only what has changed.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import TextIO, cast

from rich.console import Console

from realtime_cli.audio.core.meters import Meters
from realtime_cli.controls import Controls
from realtime_cli.conversation.records import (
    AssistantDelta,
    AssistantSaid,
    ConnectionChanged,
    Line,
    Notice,
    Phase,
    Record,
    SideChannelSaid,
    Snapshot,
    ToolAsked,
    ToolCalled,
    ToolFinished,
    Trouble,
    UserSaid,
)
from realtime_cli.view.hints import candidates_row, help_rows, hints
from realtime_cli.view.input_line import PROMPT, input_line
from realtime_cli.view.layout import Rows, Span, Spans
from realtime_cli.view.painter import Painter
from realtime_cli.view.paragraph import (
    UNHEARD,
    Paragraph,
    finished,
    in_progress,
    note,
    rows_for,
    said_aside,
    unfinished,
    wrapped,
)
from realtime_cli.view.region import Region, Row, reflows
from realtime_cli.view.right_to_left import ordered, visual_input
from realtime_cli.view.screen import takes_output, write_to
from realtime_cli.view.status import Gauges, meter_cells, status_line
from realtime_cli.view.tool_lines import call_text, question_text, result_text

SETTLE_S = 0.3
"""How long the window's width must stay the same before it is drawn on.

A window that is being dragged changes faster than programs hear of it: tmux tells of a change up to 250 ms late.
"""

TYPING_FRAME_S, FRAME_S = 0.05, 0.125
"""The time between two drawings while somebody types, and else: a person notices more, and each costs a wake-up."""

NO_METERS = Meters(microphone=False, speaker=False)

DEFAULT_SIZE = os.terminal_size((80, 24))

REMEMBERED_LINES = 64
"""How many printed lines are told from lines in progress; a snapshot is never that far behind the records."""

SPARE_ROWS = 4
"""Rows of the window that lines in progress leave free: for status, the line being typed, candidates, and one above."""


class LiveView:
    """Draws on ``console``'s stream, which must be a terminal.

    ``controls`` says what the keys have set; ``meters`` know the levels. ``orders``: right-to-left text
    is put in the order in which it is read here, and not by the terminal.
    """

    def __init__(
        self,
        console: Console,
        environ: Mapping[str, str],
        controls: Callable[[], Controls] = Controls,
        *,
        meters: Meters = NO_METERS,
        orders: bool = False,
    ) -> None:
        self._stream = cast(TextIO, console.file)
        self._controls = controls
        self._meters = meters
        self._orders = orders
        self._painter = Painter(console)
        self._region = Region(write_to(self._stream), reflows=reflows(environ))
        self._told: dict[str, None] = {}
        self._arrived: dict[str, str] = {}
        self._snapshot = Snapshot()
        self._finished: list[Paragraph] = []
        self._calls: dict[str, str] = {}
        self._rows: dict[str, Rows] = {}
        self._talking_since: float | None = None
        self._connected_at: float | None = None
        self._gauges = Gauges()
        self._shown: object = None
        self._columns, self._columns_since = 0, 0.0
        self._resumed = 0

    @property
    def frame_s(self) -> float:
        """The time to the next drawing."""
        return FRAME_S if self._controls().typing is None else TYPING_FRAME_S

    def open(self) -> None:
        """Nothing to prepare: the first drawing does it."""

    def show(self, record: Record, _t: float) -> None:
        """Keep what is to be printed for good for the next drawing; what is still open is in the snapshots."""
        match record:
            case AssistantDelta():
                self._arrived[record.item_id] = self._arrived.get(record.item_id, "") + record.text
            case UserSaid() | AssistantSaid():
                self._tell(record)
            case Notice() | Trouble():
                self._finished.append(note(record))
            case ConnectionChanged() if record.words:
                self._finished.append(note(Notice(text=record.words)))
            case SideChannelSaid():
                self._finished.append(note(Notice(text=f"[{record.name}] {record.text}")))
            case ToolCalled():
                self._calls[record.call_id] = call_text(record)
            case ToolAsked():
                # All of it, to be scrolled back to: what is allowed must have been seen.
                self._finished.append(said_aside(question_text(record), "bold yellow"))
            case ToolFinished():
                call = self._calls.pop(record.call_id, record.name)
                self._finished.append(note(Notice(text=f"⚙ {call} {result_text(record)}")))

    def draw(self, snapshot: Snapshot) -> None:
        """Draw what has changed: the snapshot, the keys' settings, the levels, the window. Writes nothing else.

        To be called regularly, also with a snapshot that was drawn before. Raises BrokenPipeError.
        """
        self._snapshot = snapshot
        size, controls = self._size(), self._controls()
        if controls.away:
            return
        self._gauges = gauges = self._measured(snapshot)
        if controls.resumed != self._resumed:
            self._resumed = controls.resumed
            self._region.forget()
            self._shown = None
        shown = (snapshot, controls, size, gauges)
        if self._is_resizing(size.columns) or (shown == self._shown and not self._finished):
            return
        self._shown = shown
        self._painter.begin()
        # The last cell of a row stays free: a cursor that waits behind it moves differently from terminal to terminal.
        width = size.columns - 1
        above = self._above(width)
        rows = self._in_progress(snapshot, width, max(0, size.lines - SPARE_ROWS))
        if controls.help:
            rows = [self._painter.row(row) for row in help_rows(controls, width, max(0, size.lines - SPARE_ROWS))]
        if controls.candidates:
            rows.append(self._painter.row(candidates_row(controls.candidates, width)))
        rows.append(self._painter.row(status_line(snapshot, controls, width, gauges)))
        cursor = None
        if controls.keyboard:
            row, cursor = self._typed(snapshot, controls, width)
            rows.append(self._painter.row(row))
        self._region.draw(above, rows, size.columns, cursor)

    def close(self) -> None:
        """Print the lines that are left and remove the region. May be called twice."""
        width = self._size().columns
        self._finished += [unfinished(line) for line in self._open(self._snapshot)]
        self._snapshot = Snapshot()
        above = self._above(width - 1)
        # The terminal may be gone, and with it all that would need restoring.
        with contextlib.suppress(OSError, ValueError):
            if takes_output(self._stream):
                self._region.close(above, width)

    def _tell(self, record: UserSaid | AssistantSaid) -> None:
        self._told[record.item_id] = None
        if len(self._told) > REMEMBERED_LINES:
            del self._told[next(iter(self._told))]
        self._rows.pop(record.item_id, None)
        arrived = self._arrived.pop(record.item_id, "")
        unheard = arrived[len(record.text) :] if arrived.startswith(record.text) else ""
        if record.text or (isinstance(record, AssistantSaid) and record.interrupted):
            self._finished.append(finished(record, unheard))

    def _above(self, width: int) -> list[Row]:
        """Lines and notes to be printed for good."""
        paragraphs, self._finished = self._finished, []
        return [self._painted(paragraph, row) for paragraph in paragraphs for row in wrapped(paragraph, width)]

    def _in_progress(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:
        """The lines in progress, at most ``height`` rows of them: those where the voice is now."""
        rows: list[tuple[Paragraph, Spans]] = []
        for line in self._open(snapshot):
            paragraph = in_progress(line)
            if line.item_id not in self._rows:
                self._rows[line.item_id] = rows_for(line, width)
            rows += [(paragraph, row) for row in wrapped(paragraph, width, self._rows[line.item_id])]
        unheard = (at for at, (_, row) in enumerate(rows) if any(span.style == UNHEARD for span in row))
        # One row of what is still to be said stays in sight.
        end = min(len(rows), max(height, next(unheard, len(rows)) + 2))
        return [self._painted(*each) for each in rows[max(0, end - height) : end]]

    def _painted(self, paragraph: Paragraph, row: Spans) -> Row:
        if self._orders:
            row = ordered(paragraph, row)
        return self._painter.row(row)

    def _typed(self, snapshot: Snapshot, controls: Controls, width: int) -> tuple[Spans, int]:
        """The line being typed, or what could be; and where the cursor stands in it."""
        if controls.typing is None:
            return [Span(PROMPT, "bold cyan"), *hints(snapshot, controls, width - len(PROMPT))], len(PROMPT)
        typed = input_line(controls.typing, controls.cursor, width)
        return visual_input(typed) if self._orders else typed

    def _open(self, snapshot: Snapshot) -> list[Line]:
        """The lines in progress. (A snapshot may be older than the record that tells one of its lines.)"""
        return [line for line in snapshot.lines if (line.text or line.pending) and line.item_id not in self._told]

    def _measured(self, snapshot: Snapshot) -> Gauges:
        now = time.monotonic()
        if not snapshot.talking:
            self._talking_since = None
        elif self._talking_since is None:
            self._talking_since = now
        if self._connected_at is None and snapshot.phase is not Phase.CONNECTING:
            self._connected_at = now
        before, meters = self._gauges, self._meters
        return Gauges(
            microphone=_meter(meters.has_microphone, meters.microphone_dbfs, before.microphone),
            speaker=_meter(meters.has_speaker, meters.speaker_dbfs, before.speaker),
            microphone_name=meters.microphone_name,
            speaker_name=meters.speaker_name,
            elapsed_s=int(now - self._connected_at) if self._connected_at is not None else 0,
            talking_s=int(now - self._talking_since) if self._talking_since is not None else 0,
        )

    def _is_resizing(self, columns: int) -> bool:
        now = time.monotonic()
        if columns != self._columns:
            # The first width of all has nothing to settle from.
            self._columns_since = now if self._columns else -math.inf
            self._columns = columns
            self._rows.clear()
        return now - self._columns_since < SETTLE_S

    def _size(self) -> os.terminal_size:
        """The window's size now, which rich would take from the environment, where it outlives a resize."""
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except OSError:
            return DEFAULT_SIZE
        return size if size.columns > 1 and size.lines else DEFAULT_SIZE


def _meter(there: bool, dbfs: Callable[[], float], before: int | None) -> int | None:
    return meter_cells(dbfs(), before or 0) if there else None
