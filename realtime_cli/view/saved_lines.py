"""Lines of a saved conversation as the live view would have shown them, for a terminal of some width. Pure."""

from __future__ import annotations

from realtime_cli.view.layout import Span, plain
from realtime_cli.view.paragraph import Paragraph, wrapped
from realtime_cli.view.right_to_left import ordered

LABEL_CHARS = 5
"""What stands before what was said: ``you`` and the like, and the blanks behind it."""


def folded(line: str, width: int, *, orders: bool) -> list[str]:
    """A line as rows of at most ``width`` cells, broken between words under its label.

    ``orders``: the terminal does not put right-to-left text in order by itself.
    """
    paragraph = Paragraph([Span(line[:LABEL_CHARS])], [Span(line[LABEL_CHARS:])])
    rows = wrapped(paragraph, width)
    return [plain(ordered(paragraph, row) if orders else row).rstrip() for row in rows]
