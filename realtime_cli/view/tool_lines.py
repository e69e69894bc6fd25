"""Function calls in one line each. Pure."""

from __future__ import annotations

import msgspec

from realtime_cli.conversation.records import ToolAsked, ToolCalled, ToolFinished
from realtime_cli.view.stats import duration

MAX_CHARS = 120
"""A call may carry a whole file as its argument."""


def call_text(record: ToolCalled | ToolAsked) -> str:
    """The call, as it would be written in Python."""
    try:
        given = msgspec.json.decode(record.arguments or "{}")
    except msgspec.DecodeError:
        given = None
    if not isinstance(given, dict):
        return _cut(f"{record.name}({record.arguments})")
    values = (f"{name}={msgspec.json.encode(value).decode()}" for name, value in given.items())
    return _cut(f"{record.name}({', '.join(values)})")


def question_text(record: ToolAsked) -> str:
    """What the user is asked."""
    return f"may {call_text(record)} run?"


def result_text(record: ToolFinished) -> str:
    """How the call ended; what it gave is for the model."""
    if not record.failed:
        return f"took {duration(record.duration_ms)}"
    after = f" after {duration(record.duration_ms)}" if record.duration_ms else ""
    return _cut(f"failed{after}: {_reason(record.output)}")


def _reason(output: str) -> str:
    """The message of a failure of ours, or what an MCP server says."""
    try:
        said = msgspec.json.decode(output)
    except msgspec.DecodeError:
        return output
    return str(said["error"]) if isinstance(said, dict) and "error" in said else output


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS - 1]}…"
