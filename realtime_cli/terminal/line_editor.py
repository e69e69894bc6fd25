"""The line that is being typed: text, cursor, history, completion. Pure: keys in, the line out.

Its keys are those of most shells (GNU Readline's, https://tiswww.case.edu/php/chet/readline/readline.html#Readline-Bare-Essentials).
The cursor and Backspace go by what a person takes for one character: extended grapheme clusters, as in
https://www.unicode.org/reports/tr29/.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Literal

from wcwidth import grapheme_boundary_before, iter_graphemes

from realtime_cli.terminal.keys import Key, is_typed

Outcome = Literal["editing", "entered", "cancelled"]

Complete = Callable[[str], Sequence[str]]
"""What a line that begins like this may become."""

ZERO_WIDTH_NON_JOINER = "\u200c"
"""Persian writes it between two letters of a word: to erase it is not to erase the letter that it clings to."""

MAX_HISTORY = 500

SYNONYMS = {
    "ctrl+a": "home", "ctrl+e": "end", "ctrl+b": "left", "ctrl+f": "right", "ctrl+p": "up", "ctrl+n": "down",
    "ctrl+h": "backspace", "ctrl+d": "delete", "ctrl+g": "escape", "ctrl+j": "alt+enter", "ctrl+i": "tab",
    "alt+b": "word left", "alt+left": "word left", "ctrl+left": "word left",
    "alt+f": "word right", "alt+right": "word right", "ctrl+right": "word right",
    "alt+backspace": "erase word", "ctrl+backspace": "erase word",
    "alt+d": "erase next word", "alt+delete": "erase next word", "ctrl+delete": "erase next word",
}  # fmt: skip
"""Keys that do the same, and names for what several keys do."""


class LineHistory:
    """Lines entered before, the oldest first; the last MAX_HISTORY of them."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self.lines = list(lines)[-MAX_HISTORY:]

    def add(self, line: str) -> bool:
        """Remember a line; False where it is the same as the last."""
        if self.lines and self.lines[-1] == line:
            return False
        self.lines = [*self.lines, line][-MAX_HISTORY:]
        return True


class LineEditor:
    """One line, which may hold line breaks. ``cursor`` counts characters of ``text`` before it."""

    def __init__(
        self, text: str = "", history: LineHistory | None = None, complete: Complete = lambda _text: ()
    ) -> None:
        self.text = text
        self.cursor = len(text)
        self.candidates: tuple[str, ...] = ()
        """What the line may become, where Tab left a choice."""
        self._lines = [*(history.lines if history else ()), text]
        self._line = len(self._lines) - 1
        self._complete = complete
        self._erased = ""

    def press(self, key: Key) -> Outcome:
        """Edit by one key: Enter enters, Escape or Backspace on nothing cancels. Releases change nothing."""
        if key.action == "release":
            return "editing"
        self.candidates = ()
        name = SYNONYMS.get(key.name, key.name)
        match name:
            case "enter":
                return "entered"
            case "escape":
                return "cancelled"
            case "backspace" if not self.text:
                return "cancelled"
            case "up" | "down":
                self._recall(-1 if name == "up" else 1)
            case "tab":
                self._complete_text()
            case "ctrl+y":
                self._insert(self._erased)
            case "alt+enter":
                self._insert("\n")
            case "left" | "right" | "home" | "end" | "word left" | "word right":
                self.cursor = self._moved(name)
            case "backspace" | "delete" | "ctrl+u" | "ctrl+k" | "ctrl+w" | "erase word" | "erase next word":
                self._erase(name)
            case _:
                self._insert(as_typed(key.text))
        return "editing"

    def _insert(self, text: str) -> None:
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor += len(text)

    def _moved(self, name: str) -> int:
        """Where the cursor goes."""
        text, at = self.text, self.cursor
        match name:
            case "left":
                return grapheme_boundary_before(text, at) if at else 0
            case "right":
                return at + len(next(iter_graphemes(text, at), ""))
            case "home":
                return text.rfind("\n", 0, at) + 1
            case "end":
                end = text.find("\n", at)
                return end if end >= 0 else len(text)
            case "word left":
                while at and not text[at - 1].isalnum():
                    at -= 1
                while at and text[at - 1].isalnum():
                    at -= 1
                return at
        while at < len(text) and not text[at].isalnum():
            at += 1
        while at < len(text) and text[at].isalnum():
            at += 1
        return at

    def _erase(self, name: str) -> None:
        text, at = self.text, self.cursor
        start, end = at, at
        match name:
            case "backspace":
                start = at - 1 if text[:at].endswith(ZERO_WIDTH_NON_JOINER) else self._moved("left")
            case "delete":
                end = self._moved("right")
            case "ctrl+u":
                start = self._moved("home")
            case "ctrl+k":
                end = self._moved("end")
            case "ctrl+w":
                kept = text[:at].rstrip()
                start = max(kept.rfind(" "), kept.rfind("\n")) + 1
            case "erase word":
                start = self._moved("word left")
            case "erase next word":
                end = self._moved("word right")
        if end - start > 1:
            self._erased = text[start:end]
        self.text, self.cursor = text[:start] + text[end:], start

    def _recall(self, step: int) -> None:
        """Go to an earlier line or back; what was typed or changed there is kept until the line is entered."""
        line = self._line + step
        if 0 <= line < len(self._lines):
            self._lines[self._line] = self.text
            self._line = line
            self.text = self._lines[line]
            self.cursor = len(self.text)

    def _complete_text(self) -> None:
        """Complete what stands before the cursor, as far as there is no choice; else show the choice."""
        candidates = tuple(self._complete(self.text[: self.cursor]))
        if not candidates:
            return
        rest = self.text[self.cursor :]
        first, last = min(candidates), max(candidates)
        same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
        common = first[: sum(1 for _ in same)]
        if len(common) > self.cursor:
            self.text, self.cursor = common + rest, len(common)
        if len(candidates) > 1:
            self.candidates = candidates


def as_typed(text: str) -> str:
    """What of a text can be typed or pasted: line breaks as line feeds, tabs as spaces, other controls not at all."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return "".join(char for char in lines.replace("\t", " ") if char == "\n" or is_typed(char))
