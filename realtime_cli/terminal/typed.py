"""A conversation that is typed: each line of a stream is a turn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import BinaryIO

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.calls import ANSWERS
from realtime_cli.terminal.desk import Entered
from realtime_cli.terminal.lines import read_lines
from realtime_cli.terminal.talking import fact_of

ASK_AGAIN = "answer y (yes), n (no) or a (always)"


class TypedAnswers:
    """The lines of ``stream`` as answers to the question whether a function may run. A session's input."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def open(self) -> None:
        """Nothing to prepare."""

    def run(self, post: Callable[[f.Fact], None], stopping: threading.Event) -> None:
        """Post the answers until the stream ends. Own thread. Raises InputError for a line that is not UTF-8."""

        def take(line: str) -> None:
            answer = ANSWERS.get(line.strip().lower())
            post(f.Decided(answer) if answer else f.Noted(ASK_AGAIN))

        read_lines(self._stream, take, lambda: None, stopping)

    def close(self) -> None:
        """Nothing to give back."""


class TypedTurns:
    """The lines of ``stream``; blank ones are no turns, and slash commands work as in a chat. A session's input."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def open(self) -> None:
        """Nothing to prepare."""

    def run(self, post: Callable[[f.Fact], None], stopping: threading.Event) -> None:
        """Post the turns until the stream ends. Own thread. Raises InputError for a line that is not UTF-8."""

        def take(line: str) -> None:
            if line.strip():
                post(fact_of(Entered(line.strip())))

        read_lines(self._stream, take, lambda: post(f.InputsEnded()), stopping)

    def close(self) -> None:
        """Nothing to give back."""
