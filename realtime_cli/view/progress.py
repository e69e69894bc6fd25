"""One line at the bottom of standard error, beside any view that writes whole lines: a bar, or what is being said."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TextIO

from realtime_cli.conversation.records import Phase, Record, Snapshot
from realtime_cli.ports import View
from realtime_cli.printable import clock, one_line
from realtime_cli.view.layout import cells

Status = Callable[[Snapshot, int], str]
"""What the line says: at most so many cells."""

DEFAULT_COLUMNS = 80
BAR_CELLS = 30
FRAME_S = 0.125
"""The time between two drawings."""


class ProgressView:
    """Wraps ``inner``; ``err`` must be a terminal. The line gives way to whatever ``inner`` writes."""

    frame_s = FRAME_S

    def __init__(self, inner: View, err: TextIO, status: Status) -> None:
        self._inner = inner
        self._err = err
        self._status = status
        self._shown = ""

    def open(self) -> None:
        """Open the wrapped view."""
        self._inner.open()

    def show(self, record: Record, t: float) -> None:
        """Show the record where the line was. Raises BrokenPipeError."""
        self._replace("")
        self._inner.show(record, t)

    def draw(self, snapshot: Snapshot) -> None:
        """Draw the line, if it has changed. Raises BrokenPipeError."""
        self._inner.draw(snapshot)
        self._replace("" if snapshot.phase is Phase.ENDED else self._status(snapshot, self._columns() - 1))

    def close(self) -> None:
        """Remove the line and close the wrapped view."""
        self._replace("")
        self._inner.close()

    def _replace(self, line: str) -> None:
        if line != self._shown:
            self._shown = line
            # Carriage return, erase the line (ECMA-48).
            self._err.write(f"\r\x1b[2K{line}")
            self._err.flush()

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._err.fileno()).columns or DEFAULT_COLUMNS
        except OSError:
            return DEFAULT_COLUMNS


def bar(label: str, done_ms: int, total_ms: int, width: int) -> str:
    """``label ━━━━──── 42 % · 1:15 of 3:00``, as much of it as fits."""
    share = min(1.0, done_ms / max(total_ms, 1))
    full = round(share * BAR_CELLS)
    times = f"{clock(done_ms // 1000)} of {clock(total_ms // 1000)}"
    text = f"{label} {'━' * full}{'─' * (BAR_CELLS - full)} {share:4.0%} · {times}"
    return text[:width]


def being_said(snapshot: Snapshot, width: int) -> str:
    """The end of what is being said as far as it is understood, or what is going on."""
    text = one_line(" ".join(line.text for line in snapshot.lines))
    if not text:
        return f"[{snapshot.phase.value}]"[:width]
    text = text[-max(width, 1) :]
    while text and cells(text) + 2 > width:
        text = text[1:]
    return f"… {text}"[:width]
