"""The keys of a voice chat as facts for the conversation."""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from msgspec.structs import replace

from realtime_cli.controls import Controls
from realtime_cli.conversation import facts as f
from realtime_cli.errors import InputError
from realtime_cli.terminal.key_bindings import Action, Answered, Desk, Entered, Mute, Talk
from realtime_cli.terminal.keyboard import Keyboard
from realtime_cli.terminal.keys import Key

QUIT = ("/quit", "/exit", "/q")
IMAGE = "/image"


class TalkKeys:
    """Keyboard and desk together. ``controls`` may be read by any thread: the status line and the microphone do."""

    def __init__(
        self,
        *,
        push_to_talk: bool,
        talk_key: str = "space",
        talk_limit_s: int = 60,
        muted: bool = False,
        stream: TextIO | None = None,
    ) -> None:
        self._keyboard = Keyboard(stream or sys.stdin, self._count_resumption)
        self._resumed = 0
        self._desk = Desk(push_to_talk=push_to_talk, talk_key=talk_key, talk_limit_s=talk_limit_s, muted=muted)
        self._post: Callable[[f.Fact], None] | None = None

    @property
    def controls(self) -> Controls:
        """What the keys have set."""
        return replace(self._desk.controls, resumed=self._resumed)

    def open(self) -> None:
        """Take the terminal; see :meth:`Keyboard.open`. Main thread. Raises InputError."""
        self._keyboard.open()
        self._desk.reports_release(self._keyboard.reports_release)

    def run(self, post: Callable[[f.Fact], None], stopping: threading.Event) -> None:
        """Post what keys ask for until ``stopping`` is set. Own thread.

        A talk key cannot outlive its keyboard, and push-to-talk not either: it ends when the last turn is answered.
        """
        self._post = post

        def press(key: Key) -> None:
            for action in self._desk.press(key, time.monotonic()):
                post(fact_of(action))

        self._keyboard.run(press, stopping)
        if self.controls.push_to_talk and not stopping.is_set():
            post(f.Released())
            post(f.InputsEnded())

    def close(self) -> None:
        """Give the terminal back. Main thread; may be called twice."""
        self._keyboard.close()

    def _count_resumption(self) -> None:
        self._resumed += 1
        if self._post and self.controls.push_to_talk:
            # Whatever was held when the program was suspended was let go of unseen.
            self._post(f.Released())


def fact_of(action: Action) -> f.Fact:
    """What the conversation is told of an action."""
    match action:
        case Talk():
            return f.Pressed() if action.on else f.Released()
        case Mute():
            return f.Muted(action.on)
        case Answered():
            return f.Decided(action.answer)
        case Entered(text) if text in QUIT:
            return f.Quit()
        case Entered(text) if text.split()[0] == IMAGE:
            return _with_image(text)
        case Entered(text) if text.startswith("/"):
            return f.Noted(f"{text.split()[0]} is no command; there are /quit and {IMAGE} FILE")
        case Entered(text):
            return f.Typed(text)


def _with_image(line: str) -> f.Fact:
    """The turn in ``/image FILE words``; a name with blanks is put in quotes. Blocks for the disk."""
    from realtime_cli.images import image_part  # few need it

    try:
        _command, name, *words = shlex.split(line)
        return f.Typed(" ".join(words), parts=(image_part(Path(name).expanduser()),))
    except ValueError:
        return f.Noted(f"write it like: {IMAGE} photo.jpg What is this?")
    except InputError as error:
        return f.Noted(str(error))
