"""The line that is being typed, as one row of the screen. Pure."""

from __future__ import annotations

from typing import NamedTuple

from realtime_cli.printable import neutralise
from realtime_cli.view.layout import Span, Spans, cells, clusters

PROMPT = "❯ "
PROMPT_CELLS = 2
CUT = "…"
AT_CURSOR = "none"
"""A style that changes nothing, of the character before which the cursor stands."""

BREAK = "⏎"
"""Stands for a line break."""

CHARS_PER_CELL = 8
"""More characters than this on one cell are not looked at: pasted text may be long, and a row is short."""


class InputLine(NamedTuple):
    """The row, and how many cells of it are before the cursor."""

    row: Spans
    cursor_cells: int


def input_line(text: str, cursor: int, width: int) -> InputLine:
    """As much of ``text`` around the cursor as fits, which stands before the character at ``cursor``."""
    room = max(4, width - PROMPT_CELLS - 1)
    near = room * CHARS_PER_CELL
    before = _shown(text[max(0, cursor - near) : cursor])
    after = _shown(text[cursor : cursor + near])
    after_room = min(_total(after), max(1, room // 4))
    before = _last(before, room - after_room, more=cursor > near)
    used = _total(before)
    after = _first(after, room - used, more=len(text) - cursor > near)
    at_cursor, behind = after[:1], after[1:]
    row = [Span(PROMPT, "bold cyan"), Span(_text(before)), Span(_text(at_cursor), AT_CURSOR), Span(_text(behind))]
    return InputLine([span for span in row if span.text], PROMPT_CELLS + used)


Clusters = list[tuple[str, int]]
"""What a person takes for characters, and the cells that each takes."""


def _shown(text: str) -> Clusters:
    safe = neutralise(text.replace("\n", BREAK).replace("\t", " "))
    return [(cluster, cells(cluster)) for cluster in clusters(safe)]


def _text(row: Clusters) -> str:
    return "".join(shown for shown, _ in row)


def _total(row: Clusters) -> int:
    return sum(width for _, width in row)


def _last(row: Clusters, room: int, *, more: bool) -> Clusters:
    """The last of them that fit, with a mark where some are left out."""
    if not more and _total(row) <= room:
        return row
    return [(CUT, 1), *_fitting(row[::-1], room - 1)[::-1]]


def _first(row: Clusters, room: int, *, more: bool) -> Clusters:
    if not more and _total(row) <= room:
        return row
    return [*_fitting(row, room - 1), (CUT, 1)]


def _fitting(row: Clusters, room: int) -> Clusters:
    taken = 0
    for number, (_, width) in enumerate(row):
        taken += width
        if taken > room:
            return row[:number]
    return row
