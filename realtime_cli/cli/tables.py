"""Tables on standard output."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence

from realtime_cli.printable import one_line

LAST_CELLS = 24
"""How much of the last column should be seen of what is longer."""


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, expendable: Sequence[str]) -> None:
    """Columns wide enough for their cells; on a terminal the last one, which may have text, ends with the window.

    ``expendable``: titles of columns that a narrow window does without, the first of them first.
    """
    cells = [tuple(one_line(cell) for cell in row) for row in rows]
    if not cells:
        sys.stderr.write("nothing found\n")
        return
    # Characters that take two columns count as two.
    from rich.cells import cell_len, set_cell_size

    lines = [tuple(titles), *cells]
    widths = [max(cell_len(line[column]) for line in lines) for column in range(len(titles))]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for title in expendable:
        if room is None or sum(widths[:-1]) + 2 * len(widths[:-1]) + min(widths[-1], LAST_CELLS) <= room:
            break
        without = lines[0].index(title)
        lines = [line[:without] + line[without + 1 :] for line in lines]
        del widths[without]
    for line in lines:
        row = "  ".join(set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()
        if room is not None and cell_len(row) > room:
            row = set_cell_size(row, room - 1) + "…"
        sys.stdout.write(row + os.linesep.replace("\r", ""))
