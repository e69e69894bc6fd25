"""A conversation typed where no key is read by itself: each line of a stream is a turn, a command, or an answer.

The stream is a pipe, a file, or a terminal that edits lines itself, as it does for ``--plain`` and ``TERM=dumb``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import BinaryIO

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import Snapshot
from realtime_cli.conversation.tool_calls import CONSENTS
from realtime_cli.terminal.answering import Answering
from realtime_cli.terminal.slash_commands import SlashCommand, SlashCommands
from realtime_cli.terminal.stdin_lines import LineInput

ENDED = f.InputsEnded()

ASK_AGAIN = "answer y (yes), n (no) or a (always)"


class MuteSwitch:
    """``/mute`` where there is no key for it."""

    def __init__(self, *, on: bool = False) -> None:
        self._on = on

    def command(self) -> SlashCommand:
        """The command."""
        return SlashCommand(name="/mute", help="mute the microphone, or open it again", run=self._run)

    def _run(self, _rest: str) -> list[f.Fact]:
        self._on = not self._on
        return [f.Muted(self._on)]


class _Answering(Answering):
    """What a whole line can be meant for; since when it was typed, nobody knows."""

    def see_now(self, snapshot: Snapshot) -> None:
        """How things stand. Main thread."""
        self.see(snapshot, time.monotonic())

    def asks(self) -> bool:
        """Whether a line that comes now may be an answer."""
        return self.question(time.monotonic()) is not None


def typed_answers(stream: BinaryIO) -> LineInput:
    """The lines of ``stream`` as answers to the question whether a function may run."""

    answering = _Answering()

    def answer(line: str) -> Iterable[f.Fact]:
        known = CONSENTS.get(line.lower()) if answering.asks() else None
        return [f.Decided(known) if known else f.Noted(ASK_AGAIN)]

    return LineInput(stream, answer, see=answering.see_now)


def typed_turns(stream: BinaryIO, commands: Iterable[SlashCommand] = (), *, at_end: f.Fact = ENDED) -> LineInput:
    """The lines of ``stream`` as turns; blank ones are none, and slash commands work as in a chat.

    ``/quit`` in a pipe or a file ends it: what was asked before is still answered. At a terminal it ends at once.
    """
    table = SlashCommands(commands)
    answering = _Answering()
    ended = False

    def told(fact: f.Fact) -> f.Fact:
        nonlocal ended
        if not isinstance(fact, f.Quit) or stream.isatty():
            return fact
        ended = True
        return ENDED

    def facts(line: str) -> Iterable[f.Fact]:
        if not line or ended:
            return []
        return map(told, table.facts(line)) if line.startswith("/") else [turn(line)]

    def turn(line: str) -> f.Fact:
        return f.Typed(line, answers=answering.asks())

    return LineInput(stream, facts, at_end, see=answering.see_now)
