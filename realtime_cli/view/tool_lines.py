"""Function calls in one line each, and the question whether one may run, with all that it would be run with. Pure."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from realtime_cli.conversation.records import ToolAsked, ToolCalled, ToolFinished
from realtime_cli.printable import in_ascii, one_line, spelt_out
from realtime_cli.view.stats import duration

MAX_CHARS = 120
"""A call may carry a whole file as its argument."""

LONG_LINES, LONG_CHARS = 10, 800
"""What has more may not fit into a window of 80 columns and 24 rows, in which there is more than the question."""


def call_text(record: ToolCalled | ToolAsked) -> str:
    """The call, as it would be written in Python."""
    try:
        given = msgspec.json.decode(record.arguments or "{}")
    except msgspec.DecodeError:
        given = None
    if not isinstance(given, dict):
        return _cut(f"{in_ascii(record.name)}({record.arguments})")
    values = (f"{name}={msgspec.json.encode(value).decode()}" for name, value in given.items())
    return _cut(f"{in_ascii(record.name)}({', '.join(values)})")


def question_text(record: ToolAsked) -> str:
    """What the user is asked, with every argument in full, one a line: nobody can consent to what is not shown.

    What cannot be seen is spelt out. Arguments that two readers could read differently are shown as they were written.
    Behind arguments that may have scrolled the question off the screen it stands again.
    """
    question = f"may {_whose(record)} run?"
    lines = [question, *(f"  {line}" for line in _arguments(record.arguments))]
    if len(lines) > LONG_LINES or sum(map(len, lines)) > LONG_CHARS:
        lines.append(question)
    return "\n".join(lines)


def always_text(record: ToolAsked) -> str:
    """What "always" would hold for."""
    return f"always for {_whose(record)}"


def _whose(record: ToolAsked) -> str:
    """The name and its server; a letter that only looks like a Latin one is shown as a code.

    Names are ASCII by the protocols' own rules (https://platform.openai.com/docs/guides/function-calling,
    https://modelcontextprotocol.io/specification/draft/server/tools#tool-names), and what a server that keeps to none
    calls its tools must not pass for the name of another tool.
    """
    name = one_line(in_ascii(record.name))
    return f"{name} of the MCP server {one_line(in_ascii(record.server))}" if record.server else name


def _arguments(written: str) -> list[str]:
    try:
        given = json.loads(written or "{}", object_pairs_hook=_named_once)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return [f"with {one_line(spelt_out(written))}"]
    lines = [f"{_name(name)} = {json.dumps(value, ensure_ascii=False)}" for name, value in given.items()]
    return list(map(spelt_out, lines)) or ["without arguments"]


def _name(name: str) -> str:
    return name if name.isascii() and name.isidentifier() else json.dumps(name)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; of a name that stands twice in it some readers take the first value, and some the last."""
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError("a name stands twice")
    return named


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
