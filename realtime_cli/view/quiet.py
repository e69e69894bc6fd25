"""The quiet view: replies on standard output, errors and questions on standard error, nothing else."""

from __future__ import annotations

from typing import TextIO

from realtime_cli.conversation.records import AssistantDelta, AssistantSaid, Record, ToolAsked, Trouble
from realtime_cli.printable import one_line, printable
from realtime_cli.view.line_view import LineView, ReplyWriter
from realtime_cli.view.tool_lines import always_text, question_text


class QuietView(LineView):
    """``streaming`` as in :class:`~realtime_cli.view.plain.PlainView`."""

    def __init__(self, out: TextIO, err: TextIO, *, streaming: bool) -> None:
        self._err = err
        self._replies = ReplyWriter(out, streaming=streaming)

    def show(self, record: Record, _t: float) -> None:
        """Print replies, errors and questions, which wait for an answer. Raises BrokenPipeError."""
        match record:
            case AssistantDelta():
                self._replies.add(record)
            case AssistantSaid():
                self._replies.finish(record)
            case Trouble():
                self._say(one_line(f"error: {record.message}"))
            case ToolAsked():
                self._say(f"{question_text(record)}\ny, n or a ({always_text(record)}), then Enter")

    def _say(self, text: str) -> None:
        self._replies.end_line()
        self._err.write(printable(text, self._err) + "\n")
        self._err.flush()

    def close(self) -> None:
        """End an open line. Raises BrokenPipeError."""
        self._replies.end_line()
