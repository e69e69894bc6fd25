"""A line of the conversation, or a note, as styled text wrapped to the window."""

from __future__ import annotations

from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from realtime_cli.conversation.records import AssistantSaid, Line, Notice, ToolAsked, Trouble, UserSaid
from realtime_cli.printable import neutralise, one_line
from realtime_cli.view.tool_lines import question_text

LABELS = {"user": ("you", "bold cyan"), "assistant": (" ai", "bold magenta")}

MIN_BODY_CELLS = 12
"""A body narrower than this is wrapped under its label instead of beside it."""

UNHEARD = "dim"
"""The style of what of a reply was not heard yet."""


class Paragraph(NamedTuple):
    """A label and what follows it; later rows of ``body`` are indented by the label's width."""

    head: Text
    body: Text


def finished(record: UserSaid | AssistantSaid) -> Paragraph:
    """What was said, for good."""
    if isinstance(record, UserSaid):
        return _whole("user", record.text, late=record.late)
    return _whole("assistant", record.text, interrupted=record.interrupted)


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
    body = Text(_tidy(heard))
    body.append(_tidy(to_come if heard else to_come.lstrip()), UNHEARD)
    if line.role != "assistant" or not body:
        body.append("…", "dim")
    return Paragraph(_label(line.role), body)


def note(record: Notice | Trouble) -> Paragraph:
    """A notice or an error, which is nobody's line."""
    if isinstance(record, Trouble):
        return Paragraph(Text(), Text(f"error: {one_line(record.message)}", "red"))
    return Paragraph(Text(), Text(one_line(record.text), "dim"))


def question(record: ToolAsked) -> Paragraph:
    """What the user is asked to consent to, in as many lines as it takes."""
    return Paragraph(Text(), Text(question_text(record), "yellow"))


def wrapped(paragraph: Paragraph, console: Console, width: int) -> list[Text]:
    """As rows of at most ``width`` cells."""
    head, body = paragraph
    if width - head.cell_len < MIN_BODY_CELLS:
        head, body = Text(), head + body
    rows = body.wrap(console, max(1, width - head.cell_len))
    margin = Text(" " * head.cell_len)
    return [(margin if number else head) + row for number, row in enumerate(rows)]


def _whole(role: str, text: str, *, late: bool = False, interrupted: bool = False, pending: bool = False) -> Paragraph:
    body = Text()
    body.append("(earlier) " if late else "", "dim")
    body.append(_tidy(text.strip()))
    body.append("…" if pending else "", "dim")
    body.append(" — [interrupted]" if interrupted else "", "dim")
    return Paragraph(_label(role), body)


def _label(role: str) -> Text:
    name, style = LABELS.get(role, (one_line(role), "bold"))
    return Text.assemble((name, style), "  ")


def _tidy(text: str) -> str:
    """Safe to print; a tab's width would depend on where it stands."""
    return neutralise(text).replace("\t", "    ")
