"""The keyboard of a chat as an input of the session: keys in, facts for the conversation out."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

from msgspec.structs import replace

from realtime_cli.controls import Controls
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import Snapshot
from realtime_cli.terminal.answering import Answering
from realtime_cli.terminal.history_file import append_line, read_lines_of
from realtime_cli.terminal.key_bindings import Action, Answered, Entered, KeyBindings, Left, Mute, Stop, Talk
from realtime_cli.terminal.keys import Key
from realtime_cli.terminal.line_editor import LineHistory
from realtime_cli.terminal.slash_commands import SlashCommand, SlashCommands

if sys.platform == "win32":
    from realtime_cli.terminal.windows import Keyboard
else:
    from realtime_cli.terminal.posix import Keyboard

__all__ = ["ChatKeyboard", "Keyboard"]
"""``Keyboard`` is this platform's; it has the same methods on each."""


class ChatKeyboard:
    """``controls`` may be read by any thread: the status line and the microphone do.

    ``commands`` are added to those that every chat has. ``history_path`` is a file that keeps what was typed.
    """

    def __init__(
        self,
        controls: Controls,
        *,
        commands: Iterable[SlashCommand] = (),
        history_path: Path | None = None,
        stream: TextIO | None = None,
        echo: Callable[[Controls, Controls], None] | None = None,
    ) -> None:
        """``echo`` is told what the keys had set before a key and after it, on the keyboard's thread."""
        self._echo = echo
        self._keyboard = Keyboard(stream or sys.stdin, self._count_resumption, self._claims)
        self._resumed = 0
        mute = SlashCommand(name="/mute", help="mute the microphone, or open it again", run=self._mute)
        self._commands = SlashCommands([*commands, *([mute] if controls.mutes else [])])
        self._history_path = history_path
        self._history = LineHistory(read_lines_of(history_path) if history_path else ())
        self._bindings = KeyBindings(controls, history=self._history, complete=self._commands.complete)
        self._post: Callable[[f.Fact], None] | None = None
        self._snapshot = Snapshot()
        self._answering = Answering()
        self._stop_asked = False
        """A reply that is under way was to be stopped: where nothing comes of that, Ctrl-C is the signal again."""

    @property
    def controls(self) -> Controls:
        """What the keys have set."""
        return replace(self._bindings.controls, resumed=self._resumed, away=self._keyboard.away)

    def open(self) -> None:
        """Take the terminal; see :meth:`Keyboard.open`. Main thread. Raises InputError."""
        self._keyboard.open()
        self._bindings.reports_release(self._keyboard.reports_release)

    def see(self, snapshot: Snapshot) -> None:
        """How things stand: what a key means depends on it. Main thread; returns at once."""
        self._snapshot = snapshot
        self._stop_asked = self._stop_asked and snapshot.phase.replying
        if self._answering.see(snapshot, time.monotonic()):
            self._keyboard.wake()

    def run(self, post: Callable[[f.Fact], None], stopping: threading.Event) -> None:
        """Post what keys ask for until ``stopping`` is set. Own thread.

        A talk key cannot outlive its keyboard, and push-to-talk not either: it ends when the last turn is answered.
        """
        self._post = post

        def press(key: Key) -> None:
            now = time.monotonic()
            self._bindings.ask(self._answering.question(now))
            before = self._bindings.controls
            actions = self._bindings.press(key, now)
            if self._echo:
                self._echo(before, self._bindings.controls)
            for action in actions:
                self._tell(action, post)

        def idle() -> float | None:
            now = time.monotonic()
            self._bindings.ask(self._answering.question(now))
            for action in self._bindings.time_passed(now):
                self._tell(action, post)
            due = [at for at in (self._bindings.due, self._answering.due(now)) if at is not None]
            return max(0.0, min(due) - now) if due else None

        self._keyboard.run(press, stopping, idle)
        if self.controls.push_to_talk and not stopping.is_set():
            post(f.Released())
            post(f.InputsEnded())

    def close(self) -> None:
        """Give the terminal back. Main thread; may be called twice."""
        self._keyboard.close()

    def _tell(self, action: Action, post: Callable[[f.Fact], None]) -> None:
        match action:
            case Talk():
                post(f.Pressed() if action.on else f.Released())
            case Mute():
                post(f.Muted(action.on))
            case Answered():
                post(f.Decided(action.answer))
            case Left():
                post(f.Quit())
            case Stop():
                self._stop_asked = True
                post(f.StopReply())
            case Entered(text, answers):
                self._remember(text)
                typed = (f.Typed(text, answers=answers),)
                for fact in self._commands.facts(text) if text.startswith("/") else typed:
                    post(fact)

    def _remember(self, line: str) -> None:
        if self._history.add(line) and self._history_path:
            append_line(self._history_path, line)

    def _mute(self, _rest: str) -> list[f.Fact]:
        return [f.Muted(action.on) for action in self._bindings.toggle_mute() if isinstance(action, Mute)]

    def _claims(self, key: Key) -> bool:
        """Whether a key that is a signal elsewhere is for the chat: Ctrl-C clears a line, and stops a written reply."""
        if key.name != "ctrl+c":
            return False
        stops = not self.controls.listens and self._snapshot.phase.replying and not self._stop_asked
        return self._bindings.claims_ctrl_c() or stops

    def _count_resumption(self) -> None:
        self._resumed += 1
        if self._post and self.controls.push_to_talk:
            # Whatever was held when the program was suspended was let go of unseen.
            self._post(f.Released())
