"""A few rows at the bottom of the screen that are redrawn in place, below lines that scroll away for good.

Control sequences as in https://invisible-island.net/xterm/ctlseqs/ctlseqs.html; 2026 is synchronized output
(https://github.com/contour-terminal/vt-extensions), which other terminals ignore. The cursor stays in the last row,
where the user types: so input methods find it, and whatever ends the program leaves it visible and below the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
WRAP_OFF, WRAP_ON = "\x1b[?7l", "\x1b[?7h"
SYNC_START, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
ERASE_ROW, ERASE_RIGHT = "\x1b[2K", "\x1b[K"


class Row(str):
    """One row, control sequences for its style included."""

    __slots__ = ("cells",)
    cells: int
    """How many cells of the screen it takes."""

    def __new__(cls, ansi: str, cells: int) -> Row:
        """Join the two."""
        row = super().__new__(cls, ansi)
        row.cells = cells
        return row


class Region:
    """Writes with ``write``, and knows what it drew last. One thread at a time."""

    def __init__(self, write: Callable[[str], None], *, reflows: bool = True) -> None:
        self._write = write
        self._reflows = reflows
        self._drawn: list[Row] = []
        self._width = 0
        self._cursor = 0

    def draw(self, above: Sequence[str], rows: Sequence[Row], width: int, cursor: int | None = None) -> None:
        """Print the lines ``above`` for good and replace the region by ``rows``, each at most ``width`` cells.

        ``cursor``: how many cells of the last row are before the cursor, if not all. Writes what has changed.
        """
        at = rows[-1].cells if cursor is None else cursor
        if above or width != self._width or len(rows) != len(self._drawn):
            text = self._erase(width) + "".join(f"{line}\r\n" for line in above)
            # Should the terminal take a character for wider than we do, the row is cut and does not become two.
            text += WRAP_OFF + "\r\n".join(rows) + WRAP_ON
        else:
            changed = [number for number, row in enumerate(rows) if row != self._drawn[number]]
            if not changed and at == self._cursor:
                return
            text = WRAP_OFF + "".join(self._replaced(rows, number) for number in changed) + WRAP_ON
        self._drawn, self._width, self._cursor = list(rows), width, at
        self._write(f"{SYNC_START}{HIDE_CURSOR}{text}{_to_column(at)}{SHOW_CURSOR}{SYNC_END}")

    def forget(self) -> None:
        """Somebody else wrote to the screen: the next drawing begins in the row of the cursor."""
        self._drawn, self._width = [Row("", 0)], 0

    def close(self, above: Sequence[str], width: int) -> None:
        """Print the last lines and remove the region."""
        if self._drawn or above:
            self._write(self._erase(width) + "".join(f"{line}\r\n" for line in above) + SHOW_CURSOR)
        self._drawn = []

    def _replaced(self, rows: Sequence[Row], number: int) -> str:
        """From the last row to another, and back, with its new text in it."""
        up = len(rows) - 1 - number
        there, back = (f"\x1b[{up}A", f"\x1b[{up}B") if up else ("", "")
        return f"{there}\r{rows[number]}{ERASE_RIGHT}{back}"

    def _erase(self, width: int) -> str:
        """From the row of the cursor to the region's beginning, also after the window became narrower."""
        if not self._drawn:
            return ""
        above = sum(self._height(row.cells, width) for row in self._drawn[:-1])
        # The last row may have become several, and the cursor need not be in the last of them.
        last, cursor = self._height(self._drawn[-1].cells, width), self._height(self._cursor + 1, width)
        below = max(0, last - cursor)
        down = f"\x1b[B{ERASE_ROW}" * below + (f"\x1b[{below}A" if below else "")
        # Row by row: tmux keeps a copy in its history of what is erased from the top of the screen in one go
        # (scroll-on-clear, https://man.openbsd.org/tmux.1).
        return f"\r{ERASE_ROW}{down}" + f"\x1b[A{ERASE_ROW}" * (above + cursor - 1)

    def _height(self, cells: int, width: int) -> int:
        """The rows that a drawn row takes now: most terminals wrap rows that no longer fit, a few cut them off."""
        return max(1, -(-cells // width)) if self._reflows else 1


def reflows(environ: Mapping[str, str]) -> bool:
    """Whether the terminal wraps old rows anew when its width changes: all but xterm, the Linux console, GNU screen."""
    return not ("XTERM_VERSION" in environ or "STY" in environ or environ.get("TERM", "").startswith("linux"))


def _to_column(cells: int) -> str:
    return f"\r\x1b[{cells}C" if cells else "\r"
