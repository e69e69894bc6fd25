"""A few rows at the bottom of the screen that are redrawn in place, below lines that scroll away for good.

Control sequences as in https://invisible-island.net/xterm/ctlseqs/ctlseqs.html; 2026 is synchronized output
(https://github.com/contour-terminal/vt-extensions), which other terminals ignore.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
WRAP_OFF, WRAP_ON = "\x1b[?7l", "\x1b[?7h"
SYNC_START, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
ERASE_BELOW = "\x1b[J"


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
    """Writes to ``stream``, and knows what it drew last. One thread at a time."""

    def __init__(self, stream: TextIO, *, reflows: bool = True) -> None:
        self._stream = stream
        self._reflows = reflows
        self._drawn: tuple[int, ...] = ()
        self._hidden = False

    def draw(self, above: Sequence[str], rows: Sequence[Row], width: int) -> None:
        """Print the lines ``above`` for good and replace the region by ``rows``, each at most ``width`` cells."""
        parts = [SYNC_START, HIDE_CURSOR, self._erase(width)]
        parts += [f"{line}\r\n" for line in above]
        # Should the terminal take a character for wider than we do, the row is cut and does not become two.
        parts += [WRAP_OFF, "\r\n".join(rows), WRAP_ON, SYNC_END]
        self._drawn = tuple(row.cells for row in rows)
        self._hidden = True
        self._stream.write("".join(parts))
        self._stream.flush()

    def forget(self) -> None:
        """Somebody else wrote to the screen: the next drawing begins in the row of the cursor."""
        self._drawn = (0,)

    def close(self, above: Sequence[str], width: int) -> None:
        """Print the last lines, remove the region, show the cursor."""
        if not (self._hidden or above):
            return
        self._stream.write(self._erase(width) + "".join(f"{line}\r\n" for line in above) + SHOW_CURSOR)
        self._stream.flush()
        self._drawn, self._hidden = (), False

    def _erase(self, width: int) -> str:
        """From the end of the region's last row to its beginning, also after the window became narrower."""
        height = sum(self._height(cells, width) for cells in self._drawn)
        up = f"\x1b[{height - 1}A" if height > 1 else ""
        return f"\r{up}{ERASE_BELOW}" if self._drawn else ""

    def _height(self, cells: int, width: int) -> int:
        """The rows that a drawn row takes now: most terminals wrap rows that no longer fit, a few cut them off."""
        return max(1, -(-cells // width)) if self._reflows else 1


def reflows(environ: Mapping[str, str]) -> bool:
    """Whether the terminal wraps old rows anew when its width changes: all but xterm, the Linux console, GNU screen."""
    return not ("XTERM_VERSION" in environ or "STY" in environ or environ.get("TERM", "").startswith("linux"))
