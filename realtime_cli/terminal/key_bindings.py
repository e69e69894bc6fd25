"""What the keys of a chat mean: talk, mute, type. Pure: keys and the time in, actions out.

``space`` talks (held where the terminal reports releases, tapped elsewhere), ``m`` mutes, ``/`` begins a command,
Enter or pasted text begins a typed message, ``y``, ``n`` and ``a`` (always) answer a question, Ctrl-D quits. Another
key than ``space`` may be the one to talk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from msgspec.structs import replace

from realtime_cli.controls import Controls
from realtime_cli.conversation.tool_calls import ANSWERS
from realtime_cli.conversation.tool_offers import Answer
from realtime_cli.terminal.keys import FOCUS_LOST, Key
from realtime_cli.terminal.line_editor import LineEditor, one_line

TALK_REPEAT_S = 0.7
"""A talk key that comes again this soon is taken for one held down: terminals without releases repeat it as presses.

Longer than X11's default delay before the first repeat, 660 ms (``xset q``).
"""

MUTE_REPEAT_S = 0.1
"""The same for mute, shorter than a person's second press: muting must never be lost to a guard."""


@dataclass(frozen=True, slots=True)
class Talk:
    """The talk key went down (``on``), which where somebody talks already means to send; or up."""

    on: bool


@dataclass(frozen=True, slots=True)
class Mute:
    """The microphone is to be muted (``on``) or not."""

    on: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """A key that answers the question whether a function may run, if there is one."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Entered:
    """A line was typed: a command if it begins with ``/``, else a message. Never blank."""

    text: str


Action: TypeAlias = Talk | Mute | Answered | Entered


class Desk:
    """Owns the state of the keys; :attr:`controls` may be read by any thread, everything else is one thread's."""

    def __init__(
        self, *, push_to_talk: bool = False, talk_key: str = "space", talk_limit_s: int = 60, muted: bool = False
    ) -> None:
        self.controls = Controls(
            keyboard=True, push_to_talk=push_to_talk, talk_key=talk_key, talk_limit_s=talk_limit_s, muted=muted
        )
        self._editor: LineEditor | None = None
        self._last_seen: dict[str, float] = {}

    def press(self, key: Key, now: float) -> list[Action]:
        """What ``key``, which came at ``now`` seconds of a monotonic clock, asks for."""
        if self._is_talk_key(key) and key.action == "release":
            return self._talk_key_up()
        if key.name == FOCUS_LOST:
            return [Talk(on=False)] if self.controls.hold else []
        if self._editor:
            return self._edit(self._editor, key)
        if key.action == "press":
            return self._command(key, now)
        return []

    def reports_release(self, hold: bool) -> None:
        """Whether the terminal says when a key goes up: then the talk key is held, else tapped."""
        self.controls = replace(self.controls, hold=hold and self.controls.push_to_talk)

    def _is_talk_key(self, key: Key) -> bool:
        return self.controls.push_to_talk and key.name.lower() == self.controls.talk_key

    def _command(self, key: Key, now: float) -> list[Action]:
        if self._is_talk_key(key):
            return self._talk_key_down(now)
        match key.name:
            case "m" | "M" if not self.controls.push_to_talk and not self._repeated("mute", now, MUTE_REPEAT_S):
                self.controls = replace(self.controls, muted=not self.controls.muted)
                return [Mute(self.controls.muted)]
            case "y" | "Y" | "n" | "N" | "a" | "A" if not self._repeated(key.name, now, TALK_REPEAT_S):
                # A key held down must not answer the next question as well.
                return [Answered(ANSWERS[key.name.lower()])]
            case "ctrl+d":
                return [Entered("/quit")]
            case "enter":
                return self._begin("")
            case "/":
                return self._begin("/")
            case "paste":
                return self._begin(one_line(key.text).strip())
        return []

    def _talk_key_down(self, now: float) -> list[Action]:
        if not self.controls.hold and self._repeated("talk", now, TALK_REPEAT_S):
            return []
        return [Talk(on=True)]

    def _talk_key_up(self) -> list[Action]:
        """A release proves that the terminal reports them, whatever it answered when asked."""
        self.reports_release(True)
        return [Talk(on=False)]

    def _repeated(self, what: str, now: float, within_s: float) -> bool:
        before = self._last_seen.get(what)
        self._last_seen[what] = now
        return before is not None and now - before < within_s

    def _begin(self, text: str) -> list[Action]:
        """Begin a line. Whoever types does not talk: a talk key that is held would be typed without end."""
        self._show(LineEditor(text))
        return [Talk(on=False)] if self.controls.push_to_talk else []

    def _edit(self, editor: LineEditor, key: Key) -> list[Action]:
        outcome = editor.press(key)
        if outcome == "editing":
            self._show(editor)
            return []
        self._show(None)
        text = editor.text.strip()
        return [Entered(text)] if outcome == "entered" and text else []

    def _show(self, editor: LineEditor | None) -> None:
        self._editor = editor
        self.controls = replace(self.controls, typing=editor.text if editor else None)
