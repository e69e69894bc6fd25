"""From a terminal's bytes to keys: a pure, incremental parser.

It reads plain UTF-8, control characters, pasted text (bracketed paste) and the kitty keyboard protocol's ``CSI u`` with
event types, alternate keys and text (https://sw.kovidgoyal.net/kitty/keyboard-protocol/). Sequences that are no key,
such as mouse reports, are swallowed whole. A terminal's answers to queries come out as :class:`Answer`.
"""

from __future__ import annotations

import codecs
import re

from realtime_cli.terminal.keys import FOCUS_LOST, FUNCTION_KEYS, Answer, Input, Key, KeyAction, is_typed

ACTIONS: dict[str, KeyAction] = {"1": "press", "2": "repeat", "3": "release"}
"""The kitty protocol's event types."""

SHIFT, ALT, CTRL, COMMAND = 1, 2, 4, 8 | 16 | 32
"""The kitty protocol's modifier bits; super, hyper and meta are one to us."""

NAMED = {9: "tab", 13: "enter", 27: "escape", 32: "space", 127: "backspace", 57414: "enter"} | {
    57417: "left", 57418: "right", 57419: "up", 57420: "down", 57423: "home", 57424: "end", 57426: "delete",
}  # fmt: skip
"""Keys that go by a name; from 57414 on they are the keypad's."""

PRIVATE_USE = range(57344, 63744)
"""Where the kitty protocol numbers keys that have no character."""

PASTE_START, PASTE_END = "\x1b[200~", "\x1b[201~"

MOVING_KEYS = {
    "A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end",
    "1": "home", "3": "delete", "4": "end", "7": "home", "8": "end",
}  # fmt: skip
"""Like FUNCTION_KEYS; these keep their modifiers, as a word is skipped with Ctrl or Alt."""

LINUX_FUNCTION_KEYS = "\x1b[["
"""What the Linux console sends before the letters A to E, for F1 to F5."""

MAX_PASTE_CHARS = 100_000
"""Of a longer paste the beginning is taken: no message is that long, and a terminal may lie about its end."""

MAX_SEQUENCE_CHARS = 256

_CSI = re.compile(r"\x1b\[([0-9:;<=>?]*)[ -/]*([@-~])")
_STRING = re.compile(r"\x1b[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)")
_INCOMPLETE = re.compile(r"\x1b(?:\[[0-9:;<=>?]*[ -/]*|O|[]PX^_][^\x07\x1b]*\x1b?)?\Z")


class KeyParser:
    """Bytes in, keys out, however the bytes were cut. Not thread-safe."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._pasted: list[str] | None = None

    @property
    def waiting(self) -> bool:
        """An escape sequence has begun; if nothing follows soon it was the Escape key: call :meth:`settle`."""
        return bool(self._rest) and self._pasted is None

    def feed(self, data: bytes) -> list[Input]:
        """The keys that ``data`` completes."""
        text = self._rest + self._decode(data)
        found: list[Input] = []
        at = 0
        while at < len(text):
            length, item = self._paste(text, at) if self._pasted is not None else self._first(text, at)
            if not length:
                break
            at += length
            if item:
                found.append(item)
        self._rest = text[at:]
        return found

    def settle(self) -> list[Input]:
        """Nothing followed: a lone ESC is the Escape key, any other beginning of a sequence is dropped."""
        if not self.waiting:
            return []
        lone, self._rest = self._rest == "\x1b", ""
        return [Key("escape")] if lone else []

    def _paste(self, text: str, at: int) -> tuple[int, Input | None]:
        """Take what is pasted: all up to its end mark, or up to where that mark may have begun."""
        pasted = self._pasted if self._pasted is not None else []
        end = text.find(PASTE_END, at)
        if end < 0:
            # The mark may have been cut in two.
            begun = text.rfind("\x1b", max(at, len(text) - len(PASTE_END)))
            end = begun if begun >= 0 and PASTE_END.startswith(text[begun:]) else len(text)
            if sum(map(len, pasted)) < MAX_PASTE_CHARS:
                pasted.append(text[at:end])
            return end - at, None
        self._pasted = None
        whole = "".join([*pasted, text[at:end]])[:MAX_PASTE_CHARS]
        return end - at + len(PASTE_END), Key("paste", text=whole)

    def _first(self, text: str, at: int) -> tuple[int, Input | None]:
        """The item that begins ``at`` and how many characters it takes; 0 when more must come first."""
        if text[at] != "\x1b":
            return 1, _character(text[at])
        if text.startswith(PASTE_START, at):
            self._pasted = []
            return len(PASTE_START), None
        if text.startswith(LINUX_FUNCTION_KEYS, at):
            return _linux_function_key(text[at : at + 4])
        if csi := _CSI.match(text, at):
            return csi.end() - at, _csi(csi[1], csi[2])
        if string := _STRING.match(text, at):
            return string.end() - at, None
        if _INCOMPLETE.match(text, at) and len(text) - at < MAX_SEQUENCE_CHARS:
            return 0, None
        follows = text[at + 1]
        if follows == "O":
            name = FUNCTION_KEYS.get(text[at + 2]) or MOVING_KEYS.get(text[at + 2])
            return 3, Key(name) if name else None
        if follows in "\x1b[":
            return 1, Key("escape")
        key = _character(follows)
        return 2, Key(f"alt+{key.name}") if key else None


def _linux_function_key(text: str) -> tuple[int, Input | None]:
    if len(text) == len(LINUX_FUNCTION_KEYS):
        return 0, None
    number = "ABCDE".find(text[3]) + 1
    return 4, Key(f"f{number}") if number else None


def _character(char: str) -> Key | None:
    """What a terminal without the kitty protocol sends for a key."""
    if char in "\r\n":
        return Key("enter")
    if char in "\x7f\x08":
        return Key("backspace")
    if char == " ":
        return Key("space", text=" ")
    if char == "\t":
        return Key("tab")
    if char < " ":
        return Key("ctrl+" + chr(ord(char) + 96)) if "\x01" <= char <= "\x1a" else None
    return Key(char, text=char) if is_typed(char) else None


def _csi(parameters: str, final: str) -> Input | None:
    if parameters.startswith("?"):
        if final == "c":
            return Answer("attributes")
        if final == "u" and parameters[1:].isdecimal():
            return Answer("kitty", int(parameters[1:]))
        return None
    if final == "u":
        return _kitty_key(parameters)
    if final == "O" and not parameters:
        return Key(FOCUS_LOST)
    if final == "Z":
        return Key("shift+tab")
    return _function_key(parameters, final)


def _function_key(parameters: str, final: str) -> Key | None:
    """``number ; modifiers[:event] ~``, or a letter in the place of the tilde and 1, or nothing, as the number."""
    number, modifiers = (*parameters.split(";"), "", "")[:2]
    code = number if final == "~" else final
    name = FUNCTION_KEYS.get(code)
    # With numbers before it, R is an answer about the cursor.
    if final == "R" and parameters:
        return None
    held, event = (*modifiers.split(":"), "1")[:2]
    prefix = _prefix(int(held) - 1 if held.isdecimal() else 0)
    action = ACTIONS.get(event, "press")
    if name:
        return None if prefix else Key(name, action)
    return Key(prefix + MOVING_KEYS[code], action) if code in MOVING_KEYS else None


def _kitty_key(parameters: str) -> Key | None:
    """``code[:shifted[:base]] ; modifiers[:event] ; text codepoints``, each part optional but the first."""
    fields = [field.split(":") for field in parameters.split(";")]
    codes, modifiers, text = (*fields, [""], [""])[:3]
    if not codes[0].isdecimal():
        return None
    code, base = int(codes[0]), int(codes[2]) if len(codes) > 2 and codes[2].isdecimal() else 0
    held = int(modifiers[0]) - 1 if modifiers[0].isdecimal() else 0
    action = ACTIONS.get(modifiers[1] if len(modifiers) > 1 else "1", "press")
    typed = "".join(_char(int(point)) for point in text if point.isdecimal())
    # A digit of the keypad has a number of its own, and the text of the digit.
    name = NAMED.get(code) or (typed if code in PRIVATE_USE else _name(code, base, held))
    if not name:
        return None
    if prefix := _prefix(held):
        return Key(prefix + name, action)
    if name == "tab" and held & SHIFT:
        return Key("shift+tab", action)
    if not typed and (len(name) == 1 or name == "space") and action != "release":
        typed = " " if name == "space" else name
    return Key(name, action, typed)


def _prefix(held: int) -> str:
    return "ctrl+" if held & CTRL else "alt+" if held & ALT else "super+" if held & COMMAND else ""


def _name(code: int, base: int, held: int) -> str:
    """The character on the key; of a layout that is not Latin, what a Latin one has there, for shortcuts to work."""
    char = _char(base if code > 127 and base else code)
    return char.upper() if held & SHIFT and not held & CTRL else char


def _char(code: int) -> str:
    """The character of a code point, or nothing where there is none to be typed."""
    char = chr(code) if code < 0x110000 else ""
    return char if char and is_typed(char) else ""
