"""The line that is being typed, as one row of the screen. Pure."""

from __future__ import annotations

from typing import NamedTuple

from rich.text import Text
from wcwidth import iter_graphemes, wcswidth

from realtime_cli.printable import neutralise

PROMPT = "❯ "
PROMPT_CELLS = 2
CUT = "…"
BREAK = "⏎"
"""Stands for a line break."""

CHARS_PER_CELL = 8
"""More characters than this on one cell are not looked at: pasted text may be long, and a row is short."""


class InputLine(NamedTuple):
    """The row, and how many cells of it are before the cursor."""

    row: Text
    cursor_cells: int


def input_line(text: str, cursor: int, width: int) -> InputLine:
    """As much of ``text`` around the cursor as fits, which stands before the character at ``cursor``."""
    room = max(4, width - PROMPT_CELLS - 1)
    near = room * CHARS_PER_CELL
    before = _shown(text[max(0, cursor - near) : cursor])
    after = _shown(text[cursor : cursor + near])
    after_room = min(sum(cells for _, cells in after), max(1, room // 4))
    before = _last(before, room - after_room, more=cursor > near)
    used = sum(cells for _, cells in before)
    after = _first(after, room - used, more=len(text) - cursor > near)
    row = Text(no_wrap=True, end="")
    row.append(PROMPT, "bold cyan")
    row.append("".join(shown for shown, _ in (*before, *after)))
    return InputLine(row, PROMPT_CELLS + used)


Clusters = list[tuple[str, int]]
"""What a person takes for characters, and the cells that each takes."""


def _shown(text: str) -> Clusters:
    safe = neutralise(text.replace("\n", BREAK).replace("\t", " "))
    return [(cluster, max(0, wcswidth(cluster))) for cluster in iter_graphemes(safe)]


def _last(clusters: Clusters, room: int, *, more: bool) -> Clusters:
    """The last of them that fit, with a mark where some are left out."""
    if not more and sum(cells for _, cells in clusters) <= room:
        return clusters
    return [(CUT, 1), *_fitting(clusters[::-1], room - 1)[::-1]]


def _first(clusters: Clusters, room: int, *, more: bool) -> Clusters:
    if not more and sum(cells for _, cells in clusters) <= room:
        return clusters
    return [*_fitting(clusters, room - 1), (CUT, 1)]


def _fitting(clusters: Clusters, room: int) -> Clusters:
    taken = 0
    for number, (_, cells) in enumerate(clusters):
        taken += cells
        if taken > room:
            return clusters[:number]
    return clusters
