"""Commands of a program that drives a chat through ``--json``: one JSON object a line of standard input.

``{"type": "say", "text": "…"}`` is a written turn, ``{"type": "respond", "instructions": "…"}`` asks for a reply now
(the instructions are optional, and for this reply only), ``{"type": "quit"}`` ends. The end of the input does nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import BinaryIO, TypeAlias

import msgspec

from realtime_cli.conversation import facts as f
from realtime_cli.terminal.lines import read_lines


class Say(msgspec.Struct, frozen=True, tag="say", forbid_unknown_fields=True):
    """A written turn."""

    text: str


class Respond(msgspec.Struct, frozen=True, tag="respond", forbid_unknown_fields=True):
    """A reply to what was said so far."""

    instructions: str | None = None


class Quit(msgspec.Struct, frozen=True, tag="quit", forbid_unknown_fields=True):
    """The end."""


Command: TypeAlias = Say | Respond | Quit


class JsonCommands:
    """The commands in ``stream``. A session's input."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def open(self) -> None:
        """Nothing to prepare."""

    def run(self, post: Callable[[f.Fact], None], stopping: threading.Event) -> None:
        """Post the commands until the stream ends. Own thread. Raises InputError for a line that is not UTF-8."""

        def take(line: str) -> None:
            if line.strip():
                post(fact_of_command(line))

        read_lines(self._stream, take, lambda: None, stopping)

    def close(self) -> None:
        """Nothing to give back."""


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
