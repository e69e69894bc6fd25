"""A line of the conversation, or a note, as styled text, and its rows on the screen. Pure."""

from __future__ import annotations

from typing import NamedTuple

from realtime_cli.conversation.records import AssistantSaid, Line, Notice, Trouble, UserSaid
from realtime_cli.printable import neutralise, one_line
from realtime_cli.view.layout import Rows, Span, Spans, plain, spans_cells

LABELS = {"user": ("you", "bold cyan"), "assistant": (" ai", "bold magenta")}

MIN_BODY_CELLS = 12
"""A body narrower than this is wrapped under its label instead of beside it."""

UNHEARD = "dim"
"""The style of what of a reply was not heard yet."""

CUT_OFF = "dim strike"
"""The style of what of an interrupted reply was never heard."""

CUT_OFF_WORDS = 12
"""How many words of that are shown: enough to see where it would have gone."""


class Paragraph(NamedTuple):
    """A label and what follows it; later rows of ``body`` are indented by the label's width."""

    head: Spans
    body: Spans


def finished(record: UserSaid | AssistantSaid, unheard: str = "") -> Paragraph:
    """What was said, for good. ``unheard`` is the rest of an interrupted reply."""
    if isinstance(record, UserSaid):
        return _whole("user", record.text, late=record.late)
    return _whole("assistant", record.text, interrupted=record.interrupted, unheard=unheard)


def unfinished(line: Line) -> Paragraph:
    """A line for good that was not told: the conversation ended before."""
    return _whole(line.role, line.text, interrupted=line.interrupted, pending=line.pending)


def in_progress(line: Line) -> Paragraph:
    """A line that may still change: what was heard of a reply stands out from what was not."""
    if not line.pending:
        return unfinished(line)
    heard, to_come = line.text.lstrip(), ""
    if line.role == "assistant":
        heard, to_come = line.text[: line.heard_chars].lstrip(), line.text[line.heard_chars :]
    body = [Span(_tidy(heard)), Span(_tidy(to_come if heard else to_come.lstrip()), UNHEARD)]
    if line.role != "assistant" or not line.text:
        body.append(Span("…", "dim"))
    return Paragraph(_label(line.role), _filled(body))


def note(record: Notice | Trouble) -> Paragraph:
    """A notice or an error, which is nobody's line."""
    if isinstance(record, Trouble):
        return Paragraph([], [Span(f"error: {one_line(record.message)}", "red")])
    return said_aside(one_line(record.text), "dim")


def said_aside(text: str, style: str) -> Paragraph:
    """A line that belongs to neither side."""
    return Paragraph([], [Span(_tidy(text), style)])


def wrapped(paragraph: Paragraph, width: int, rows: Rows | None = None) -> list[Spans]:
    """As rows of at most ``width`` cells. ``rows`` knows them already, of a text that grows (see :func:`rows_for`)."""
    head, body = paragraph
    head_cells = spans_cells(head)
    if width - head_cells < MIN_BODY_CELLS:
        head, body, head_cells = [], head + body, 0
    margin = [Span(" " * head_cells)] if head_cells else []
    found = (rows or Rows(width - head_cells)).of(plain(body))
    return [(margin if number else head) + _cut(body, *row) for number, row in enumerate(found)]


def rows_for(line: Line, width: int) -> Rows:
    """What remembers the rows of a line while it grows."""
    head_cells = spans_cells(_label(line.role))
    return Rows(width if width - head_cells < MIN_BODY_CELLS else width - head_cells)


def _cut(spans: Spans, start: int, end: int) -> Spans:
    """The characters from ``start`` to ``end``."""
    found: Spans = []
    at = 0
    for span in spans:
        piece = span.text[max(0, start - at) : max(0, end - at)]
        if piece:
            found.append(Span(piece, span.style))
        at += len(span.text)
    return found


def _whole(
    role: str, text: str, *, late: bool = False, interrupted: bool = False, pending: bool = False, unheard: str = ""
) -> Paragraph:
    body = [Span("(earlier) " if late else "", "dim"), Span(_tidy(text.strip())), Span("…" if pending else "", "dim")]
    if interrupted:
        rest = _first_words(_tidy(unheard))
        body += [Span(" — [interrupted: " if rest else " — [interrupted", "dim"), Span(rest, CUT_OFF), Span("]", "dim")]
    return Paragraph(_label(role), _filled(body))


def _first_words(text: str) -> str:
    words = text.split()
    return " ".join(words[:CUT_OFF_WORDS]) + ("…" if len(words) > CUT_OFF_WORDS else "")


def _label(role: str) -> Spans:
    name, style = LABELS.get(role, (one_line(role), "bold"))
    return [Span(name, style), Span("  ")]


def _filled(spans: Spans) -> Spans:
    return [span for span in spans if span.text]


def _tidy(text: str) -> str:
    """Safe to print; a tab's width would depend on where it stands."""
    return neutralise(text).replace("\t", "    ")
