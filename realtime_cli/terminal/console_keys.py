"""From what a Windows console gives, one UTF-16 unit at a time, to keys. Pure; the console is handed in."""

from __future__ import annotations

from collections.abc import Callable

from realtime_cli.terminal.key_parser import KeyParser
from realtime_cli.terminal.keys import Key

PREFIXES = ("\x00", "\xe0")
"""What ``getwch`` gives before the code of a key that types nothing; the second is also the letter à.

https://learn.microsoft.com/en-us/cpp/c-runtime-library/reference/getch-getwch
"""

CODES = {code: f"f{number}" for number, code in enumerate(";<=>?@ABCD\x85\x86", 1)} | {
    "H": "up", "P": "down", "K": "left", "M": "right", "G": "home", "O": "end", "S": "delete",
    "s": "ctrl+left", "t": "ctrl+right", "\x93": "ctrl+delete",
}  # fmt: skip
"""The codes (the scan codes of a PC keyboard) of the keys that a chat knows."""

OTHER_CODES = "IQR\x84\x8d\x91\x92uvw" + "".join(map(chr, (*range(0x54, 0x72), *range(0x87, 0x8D))))
"""Codes of keys that mean nothing here: Page Up and Down, Insert, function keys with Shift, Ctrl or Alt."""

HIGH, LOW = range(0xD800, 0xDC00), range(0xDC00, 0xE000)
"""The two halves of a character that UTF-16 writes in two."""


class ConsoleKeys:
    """``next_unit`` waits for the next unit; ``more`` says whether there is one by now."""

    def __init__(self, next_unit: Callable[[], str], more: Callable[[], bool]) -> None:
        self._next_unit = next_unit
        self._more = more
        self._parser = KeyParser()
        self._pending = ""

    def read(self) -> list[Key]:
        """The keys in the next unit or two. Blocks while there is none."""
        unit = self._pending or self._next_unit()
        self._pending = ""
        if unit in PREFIXES and self._more():
            code = self._next_unit()
            if unit == "\x00" or code in CODES or code in OTHER_CODES:
                return [Key(CODES[code])] if code in CODES else []
            # It was the letter, and what followed is the next key.
            self._pending = code
        if ord(unit) in HIGH:
            low = self._next_unit()
            if ord(low) in LOW:
                return self._typed((unit + low).encode("utf-16-le", "surrogatepass").decode("utf-16-le"))
            self._pending = low
            return self._typed("\ufffd")
        if unit == "\x1b":
            return [Key("escape")]
        return self._typed(unit)

    @property
    def pending(self) -> bool:
        """A unit was read ahead: :meth:`read` does not block."""
        return bool(self._pending)

    def _typed(self, text: str) -> list[Key]:
        return [item for item in self._parser.feed(text.encode("utf-8", "replace")) if isinstance(item, Key)]
