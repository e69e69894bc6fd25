"""A conversation that is typed: each line of a stream is a turn, or an answer to a question."""

from __future__ import annotations

from typing import BinaryIO

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.tool_calls import ANSWERS
from realtime_cli.terminal.chat_keys import fact_of
from realtime_cli.terminal.key_bindings import Entered
from realtime_cli.terminal.stdin_lines import LineInput

ASK_AGAIN = "answer y (yes), n (no) or a (always)"


def typed_answers(stream: BinaryIO) -> LineInput:
    """The lines of ``stream`` as answers to the question whether a function may run."""

    def answer(line: str) -> f.Fact:
        known = ANSWERS.get(line.lower())
        return f.Decided(known) if known else f.Noted(ASK_AGAIN)

    return LineInput(stream, answer)


def typed_turns(stream: BinaryIO) -> LineInput:
    """The lines of ``stream``; blank ones are no turns, and slash commands work as in a chat."""
    return LineInput(stream, lambda line: fact_of(Entered(line)) if line else None, f.InputsEnded())
