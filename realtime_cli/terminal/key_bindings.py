"""What the keys of a chat mean. Pure: keys and the time in, actions out.

============================ ==========================================================================================
key                          what it does
============================ ==========================================================================================
any character, pasted text   begins a message; ``/`` begins a command
Enter                        begins an empty line; sends the line that is typed
Up                           brings back what was typed before
F2, Alt-M                    mutes the microphone, or opens it again
Esc                          stops what is being said; throws a push-to-talk recording away; leaves a line
``?``                        lists the keys
Ctrl-C                       clears the line that is typed; else ends (a signal, which is not seen here)
Ctrl-D                       ends
the talk key (space)         with push-to-talk: held where the terminal reports releases, tapped elsewhere
``y``, ``n``, ``a``, Esc     answer a question: yes, no, always, no
============================ ==========================================================================================

A question that has just appeared is not answered yet, as the key may be the first of a line; see :mod:`.answering`.
While a line is typed all keys but Ctrl-C belong to it; see :mod:`.line_editor`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from msgspec.structs import replace

from realtime_cli.controls import Controls
from realtime_cli.conversation.records import ToolAsked
from realtime_cli.conversation.tool_calls import CONSENTS
from realtime_cli.conversation.tool_definitions import Consent
from realtime_cli.terminal.keys import FOCUS_LOST, Key
from realtime_cli.terminal.line_editor import Complete, LineEditor, LineHistory, as_typed
from realtime_cli.terminal.push_to_talk import FIRST_REPEAT_S, TalkKey

ANSWER_KEYS = ("y", "n", "a")

MUTE_REPEAT_S = 0.1
"""A mute key that comes again this soon repeats itself; a person's second press takes longer and must not be lost."""


@dataclass(frozen=True, slots=True)
class Talk:
    """The talk key went down (``on``), which where somebody talks already means to send; or up."""

    on: bool


@dataclass(frozen=True, slots=True)
class Mute:
    """The microphone is to be muted (``on``) or not."""

    on: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """What is being said, or recorded by push-to-talk, is not wanted."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A key that answers the question whether a function may run."""

    answer: Consent


@dataclass(frozen=True, slots=True)
class Entered:
    """A line was typed: a command if it begins with ``/``, else a message. Never blank.

    ``answers``: the question that is asked was there before the line was begun.
    """

    text: str
    answers: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """The user wants the end."""


Action: TypeAlias = Talk | Mute | Stop | Answered | Entered | Left


class KeyBindings:
    """Owns the state of the keys; :attr:`controls` may be read by any thread, everything else is one thread's."""

    def __init__(
        self,
        controls: Controls = Controls(),  # noqa: B008 -- immutable
        *,
        history: LineHistory | None = None,
        complete: Complete = lambda _text: (),
    ) -> None:
        self.controls = replace(controls, keyboard=True)
        self._history = history or LineHistory()
        self._complete = complete
        self._editor: LineEditor | None = None
        self._question: ToolAsked | None = None
        self._line_answers: ToolAsked | None = None
        self._talk_key = TalkKey()
        self._last_seen: dict[str, float] = {}

    def ask(self, question: ToolAsked | None) -> None:
        """The question that keys answer from now on."""
        if question != self._question:
            self._question = question
            self.controls = replace(self.controls, answers=question is not None)

    def press(self, key: Key, now: float) -> list[Action]:
        """What ``key``, which came at ``now`` seconds of a monotonic clock, asks for as things stand."""
        if self._is_talk_key(key) and key.action == "release":
            return self._talk_key_up()
        if key.name == FOCUS_LOST:
            return [Talk(on=False)] if self.controls.hold else []
        if self.controls.help and key.action == "press":
            self.controls = replace(self.controls, help=False)
            if key.name in ("?", "escape"):
                return []
        answers = self._question is not None and key.name.lower() in ANSWER_KEYS
        if self._editor and (self._editor.text or not answers):
            return self._edit(self._editor, key)
        if key.action == "press":
            return self._command(key, now)
        return []

    def time_passed(self, now: float) -> list[Action]:
        """What is meant, now that nothing more came: call it at :attr:`due`."""
        return [Talk(on=True)] if self._talk_key.time_passed(now) else []

    @property
    def due(self) -> float | None:
        """When :meth:`time_passed` is to be called, if no key comes before."""
        return self._talk_key.due

    def claims_ctrl_c(self) -> bool:
        """Whether Ctrl-C is for the line that is typed, and not the end of the program."""
        return self._editor is not None and bool(self._editor.text)

    def reports_release(self, hold: bool) -> None:
        """Whether the terminal says when a key goes up: then the talk key is held, else tapped."""
        self.controls = replace(self.controls, hold=hold and self.controls.push_to_talk)

    def toggle_mute(self) -> list[Action]:
        """Mute the microphone, or open it again."""
        if not self.controls.mutes:
            return []
        self.controls = replace(self.controls, muted=not self.controls.muted)
        return [Mute(self.controls.muted)]

    def _is_talk_key(self, key: Key) -> bool:
        return self.controls.push_to_talk and key.name.lower() == self.controls.talk_key

    def _command(self, key: Key, now: float) -> list[Action]:
        if self._is_talk_key(key):
            return [Talk(on=True)] if self.controls.hold or self._talk_key.press(now) else []
        name = key.name.lower()
        if name in ANSWER_KEYS:
            # A key held down must not answer the next question as well, nor be typed when there is none.
            if self._repeated(name, now, FIRST_REPEAT_S):
                return []
            if self._question:
                return [Answered(CONSENTS[name])]
            self._last_seen.pop(name)
        match name:
            case "ctrl+c":
                # It came here because it is no signal now: what is being said is stopped.
                return [Stop()]
            case "f2" | "alt+m":
                return [] if self._repeated("mute", now, MUTE_REPEAT_S) else self.toggle_mute()
            case "escape":
                return [Answered("no")] if self._question else [Stop()]
            case "ctrl+d":
                return [Left()]
            case "?":
                self.controls = replace(self.controls, help=True)
                return []
            case "enter":
                return self._begin("")
            case "up" | "ctrl+p":
                begun = self._begin("")
                return begun + (self._edit(self._editor, key) if self._editor else [])
            case "paste":
                return self._begin(as_typed(key.text).strip())
            case "space":
                return []
        return self._begin(key.text) if key.text else []

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
        self._line_answers = self._question
        self._show(LineEditor(text, self._history, self._complete))
        return [Talk(on=False)] if self.controls.push_to_talk else []

    def _edit(self, editor: LineEditor, key: Key) -> list[Action]:
        if key.name == "ctrl+c" or (key.name == "ctrl+d" and not editor.text):
            self._show(None)
            return [Left()] if key.name == "ctrl+d" else []
        outcome = editor.press(key)
        if outcome == "editing":
            self._show(editor)
            return []
        self._show(None)
        text = editor.text.strip()
        answers = self._question is not None and self._line_answers == self._question
        return [Entered(text, answers)] if outcome == "entered" and text else []

    def _show(self, editor: LineEditor | None) -> None:
        self._editor = editor
        self.controls = replace(
            self.controls,
            typing=editor.text if editor else None,
            cursor=editor.cursor if editor else 0,
            candidates=editor.candidates if editor else (),
        )
