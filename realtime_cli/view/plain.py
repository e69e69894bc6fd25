"""The plain view: line by line and without control codes, for logs, pipes and screen readers.

Standard output holds the replies and nothing else. Standard error holds ``you: …``, notices, ``error: …``, and
``[interrupted]`` under a reply that was cut short; such a reply is printed as far as it was heard, unless it was
streaming, when all that came is there already.
"""

from __future__ import annotations

from typing import TextIO

from realtime_cli.conversation.records import (
    AssistantDelta,
    AssistantSaid,
    ConnectionChanged,
    MicChanged,
    Notice,
    Record,
    SessionStarted,
    SideChannelSaid,
    ToolAsked,
    ToolCalled,
    ToolFinished,
    Trouble,
    UserSaid,
)
from realtime_cli.printable import one_line, printable
from realtime_cli.view.line_view import LineView, ReplyWriter
from realtime_cli.view.tool_lines import always_text, call_text, question_text, result_text


class PlainView(LineView):
    """``streaming``: print replies as they come. ``echo_user``: print what the user said, if not typed just now."""

    def __init__(self, out: TextIO, err: TextIO, *, streaming: bool, echo_user: bool = True) -> None:
        self._out, self._err = out, err
        self._replies = ReplyWriter(out, streaming=streaming)
        self._streaming = streaming
        self._echo_user = echo_user
        self._held: list[str] = []

    def show(self, record: Record, _t: float) -> None:
        """Print a line of a record, if it has one. Raises BrokenPipeError."""
        match record:
            case AssistantDelta():
                self._replies.add(record)
            case AssistantSaid():
                self._replies.finish(record)
                if record.interrupted:
                    self._note(f"[interrupted{_after(record.heard_ms)}]")
            case UserSaid() if self._echo_user and record.text:
                self._note(f"you: {record.text}")
            case SessionStarted() if not self._streaming:
                self._note(f"connected to {' · '.join(filter(None, (record.provider, record.model)))}")
            case Notice():
                self._note(record.text)
            case ConnectionChanged() if record.words:
                self._note(record.words)
            case SideChannelSaid():
                self._note(f"[{record.name}] {record.text}")
            case ToolCalled():
                self._note(f"tool: {call_text(record)}")
            case ToolAsked():
                for line in question_text(record).split("\n"):
                    self._hold(line)
                self._note(f"y, n or a ({always_text(record)}), then Enter")
            case ToolFinished():
                self._note(f"tool: {record.name} {result_text(record)}")
            case MicChanged(state="open" | "closed" | "muted" | "unmuted"):
                self._note(f"[microphone {record.state}]")
            case Trouble():
                self._note(f"error: {record.message}")
        self._release()

    def close(self) -> None:
        """End an open line. Raises BrokenPipeError."""
        self._replies.end_line()
        self._release()

    def _note(self, text: str) -> None:
        self._hold(one_line(text))

    def _hold(self, line: str) -> None:
        """A line that is safe to print."""
        self._held.append(printable(line, self._err))

    def _release(self) -> None:
        """On a terminal both streams share the screen: what is to be told waits until the reply's line is over."""
        if self._held and not (self._replies.mid_line and self._out.isatty()):
            lines, self._held = self._held, []
            self._err.write("".join(f"{line}\n" for line in lines))
            self._err.flush()


def _after(heard_ms: int | None) -> str:
    return "" if heard_ms is None else f" after {heard_ms / 1000:.1f} s"
