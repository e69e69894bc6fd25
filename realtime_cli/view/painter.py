"""Rows as a terminal takes them: styles become control sequences, in the colours that it has."""

from __future__ import annotations

from rich.console import COLOR_SYSTEMS, Console
from rich.style import Style

from realtime_cli.view.layout import Span, Spans, spans_cells
from realtime_cli.view.region import Row


class Painter:
    """Remembers the rows of the last drawing: most are the same in the next."""

    def __init__(self, console: Console) -> None:
        self._system = COLOR_SYSTEMS[console.color_system] if console.color_system else None
        self._no_color = console.no_color
        self._styles: dict[str, Style] = {}
        self._before: dict[tuple[Span, ...], Row] = {}
        self._now: dict[tuple[Span, ...], Row] = {}

    def begin(self) -> None:
        """A drawing begins."""
        self._before, self._now = self._now, {}

    def row(self, spans: Spans) -> Row:
        """One row."""
        key = tuple(spans)
        row = self._before.get(key) or self._now.get(key)
        if row is None:
            row = Row("".join(self._painted(span) for span in spans), spans_cells(spans))
        self._now[key] = row
        return row

    def _painted(self, span: Span) -> str:
        if not span.style:
            return span.text
        style = self._styles.get(span.style)
        if style is None:
            style = Style.parse(span.style)
            style = self._styles[span.style] = style.without_color if self._no_color else style
        return style.render(span.text, color_system=self._system)
