"""Commands of a program that drives a chat through ``--json``: one JSON object a line of standard input.

``{"type": "say", "text": "…"}`` is a written turn, ``{"type": "respond", "instructions": "…"}`` asks for a reply now
(the instructions are optional, and for this reply only), ``{"type": "quit"}`` ends. The end of the input does nothing.
"""

from __future__ import annotations

from typing import BinaryIO, TypeAlias

import msgspec

from realtime_cli.conversation import facts as f
from realtime_cli.terminal.stdin_lines import LineInput


class Say(msgspec.Struct, frozen=True, tag="say", forbid_unknown_fields=True):
    """A written turn."""

    text: str


class Respond(msgspec.Struct, frozen=True, tag="respond", forbid_unknown_fields=True):
    """A reply to what was said so far."""

    instructions: str | None = None


class Quit(msgspec.Struct, frozen=True, tag="quit", forbid_unknown_fields=True):
    """The end."""


Command: TypeAlias = Say | Respond | Quit


def json_commands(stream: BinaryIO) -> LineInput:
    """The commands in ``stream``."""
    return LineInput(stream, lambda line: [fact_of_command(line)] if line else [])


def fact_of_command(line: str) -> f.Fact:
    """What the conversation is told of a line; of one that is no command, the user is told."""
    try:
        command = msgspec.json.decode(line, type=Command)
    except msgspec.MsgspecError as error:
        return f.Noted(f"standard input: no command: {error}")
    match command:
        case Quit():
            return f.Quit()
        case Respond():
            return f.Wanted(command.instructions)
        case Say() if command.text.strip():
            return f.Typed(command.text.strip())
    return f.Noted("standard input: no command: the text is empty")
