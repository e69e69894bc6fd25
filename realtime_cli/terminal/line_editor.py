"""One line of typing, end only: enough for a command or a short message. Pure."""

from __future__ import annotations

from typing import Literal

from realtime_cli.terminal.keys import Key

Outcome = Literal["editing", "entered", "cancelled"]


class LineEditor:
    """Holds the line; :attr:`text` is what to show and, once entered, the result."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def press(self, key: Key) -> Outcome:
        """Edit by one key: Enter enters, Escape or Backspace on nothing cancels. Releases change nothing."""
        if key.action == "release":
            return "editing"
        match key.name:
            case "enter":
                return "entered"
            case "escape":
                return "cancelled"
            case "backspace" if not self.text:
                return "cancelled"
            case "backspace":
                self.text = self.text[:-1]
            case "ctrl+w" | "alt+backspace" | "ctrl+backspace":
                self.text = self.text.rstrip().rpartition(" ")[0]
            case "ctrl+u":
                self.text = ""
            case _:
                self.text += one_line(key.text)
        return "editing"


def one_line(text: str) -> str:
    """Pasted text as one line: breaks and tabs become spaces, other control characters go."""
    spaced = "".join(" " if char in "\r\n\t" else char for char in text.replace("\r\n", "\n"))
    return "".join(char for char in spaced if char.isprintable())
