"""Text in rows of a terminal: how wide it is, and where its lines break. Pure; widths are in cells of the screen.

Breaks after blanks and between ideographs, as https://www.unicode.org/reports/tr14/ has it in the main; a word that is
longer than a row is cut between what a person takes for characters. Text is safe to print already.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from wcwidth import iter_graphemes, wcswidth

BLANKS = " \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a\u200b\u205f\u3000"
"""Blanks that a line may break after."""

IDEOGRAPHS = "\u2e80-\u2fff\u3003-\u3007\u3012\u3013\u3021-\u30fa\u30fc-\ua4cf\uf900-\ufaff\U00020000-\U0003ffff"
"""A line may break between any two of them."""

MARKS = "\u3001\u3002\u3009\u300b\u300d\u300f\u3011\uff01\uff09\uff0c\uff1a\uff1b\uff1f"
"""Marks that must not begin a row."""

_TOKEN = re.compile(
    rf"\n|[{BLANKS}]+|[{IDEOGRAPHS}][\ufe00-\ufe0f\U000e0100-\U000e01ef]*[{MARKS}]*|[{MARKS}]+"
    rf"|[^\n{BLANKS}{IDEOGRAPHS}{MARKS}]+[{MARKS}]*"
)
"""A line break; blanks; an ideograph; marks; or a word."""


class Span(NamedTuple):
    """Text in one style, in rich's words for styles."""

    text: str
    style: str = ""


Spans = list[Span]
"""One row, or one paragraph."""


@lru_cache(maxsize=8192)
def cells(text: str) -> int:
    """How many cells a text without line breaks takes."""
    if text.isascii():
        return len(text)
    width = wcswidth(text)
    # Negative where it holds a control character, which was to be made safe before: then one cell each.
    return width if width >= 0 else sum(max(1, wcswidth(char)) for char in text)


def spans_cells(spans: Spans) -> int:
    """How many cells a row takes."""
    return sum(cells(span.text) for span in spans)


def plain(spans: Spans) -> str:
    """The text alone."""
    return "".join(span.text for span in spans)


def clusters(text: str) -> Iterator[str]:
    """What a person takes for characters."""
    return iter(text) if text.isascii() else iter_graphemes(text)


def fitted(spans: Spans, width: int) -> Spans:
    """As much of a row as fits."""
    left, fit = width, []
    for span in spans:
        if cells(span.text) <= left:
            fit.append(span)
            left -= cells(span.text)
            continue
        kept = ""
        for cluster in clusters(span.text):
            if cells(cluster) > left:
                break
            kept, left = kept + cluster, left - cells(cluster)
        return [*fit, Span(kept, span.style)]
    return fit


class Rows:
    """Where the rows of a text that grows begin and end; what is whole is not looked at again."""

    def __init__(self, width: int) -> None:
        self._width = max(1, width)
        self._text = ""
        self._rows: list[tuple[int, int]] = []

    def of(self, text: str) -> list[tuple[int, int]]:
        """(start, end) of each row in ``text``, blanks at the row's end left out."""
        if text == self._text and self._rows:
            return self._rows
        kept: list[tuple[int, int]] = []
        start = 0
        if len(self._rows) > 1 and text.startswith(self._text):
            # The last row becomes another one with what follows it; so does the one before, if that begins with a mark.
            kept, start = self._rows[:-2], self._rows[-2][0]
        self._text = text
        self._rows = kept + _broken(text, start, self._width)
        return self._rows


def _broken(text: str, start: int, width: int) -> list[tuple[int, int]]:
    rows: list[tuple[int, int]] = []
    row_start = row_end = start
    used = 0
    at = start
    while match := _TOKEN.match(text, at):
        piece, at = match[0], match.end()
        if piece == "\n":
            rows.append((row_start, row_end))
            row_start = row_end = at
            used = 0
            continue
        if piece[0] in BLANKS:
            # Blanks at the end of a row take no room; at its beginning they indent.
            used += cells(piece)
            if row_end == row_start and row_start and text[row_start - 1] != "\n":
                row_start = row_end = at
                used = 0
            continue
        if used + cells(piece) > width:
            if row_end > row_start:
                rows.append((row_start, row_end))
            row_start = match.start()
            used = 0
        if cells(piece) <= width - used:
            used += cells(piece)
            row_end = at
            continue
        # Longer than a row.
        here = match.start()
        for cluster in clusters(piece):
            if used + cells(cluster) > width and here > row_start:
                rows.append((row_start, here))
                row_start, used = here, 0
            used += cells(cluster)
            here += len(cluster)
        row_end = at
    if row_end > row_start or not rows or text.endswith("\n"):
        rows.append((row_start, row_end))
    return rows
