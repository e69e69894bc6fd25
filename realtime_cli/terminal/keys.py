"""From a terminal's bytes to keys: a pure, incremental parser.

It reads plain UTF-8, control characters, pasted text (bracketed paste) and the kitty keyboard protocol's ``CSI u`` with
event types, alternate keys and text (https://sw.kovidgoyal.net/kitty/keyboard-protocol/). Other escape sequences, such
as arrows and mouse reports, are swallowed whole. A terminal's answers to queries come out as :class:`Answer`.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from realtime_cli.errors import InputError

KeyAction: TypeAlias = Literal["press", "repeat", "release"]

ACTIONS: dict[str, KeyAction] = {"1": "press", "2": "repeat", "3": "release"}
"""The kitty protocol's event types."""

SHIFT, ALT, CTRL, COMMAND = 1, 2, 4, 8 | 16 | 32
"""The kitty protocol's modifier bits; super, hyper and meta are one to us."""

NAMED = {9: "tab", 13: "enter", 27: "escape", 32: "space", 127: "backspace", 57414: "enter"}
"""Keys that go by a name; 57414 is the keypad's Enter."""

PRIVATE_USE = range(57344, 63744)
"""Where the kitty protocol numbers keys that have no character."""

PASTE_START, PASTE_END = "\x1b[200~", "\x1b[201~"
FUNCTION_KEYS = dict(zip("PQRS", ("f1", "f2", "f3", "f4"), strict=True)) | {
    "11": "f1", "12": "f2", "13": "f3", "14": "f4", "15": "f5", "17": "f6",
    "18": "f7", "19": "f8", "20": "f9", "21": "f10", "23": "f11", "24": "f12",
}  # fmt: skip
"""By the last letter of their sequence, or the number before its tilde (xterm, and the kitty protocol alike)."""

LINUX_FUNCTION_KEYS = "\x1b[["
"""What the Linux console sends before the letters A to E, for F1 to F5."""

MAX_PASTE_CHARS = 100_000
MAX_SEQUENCE_CHARS = 256

_CSI = re.compile(r"\x1b\[([0-9:;<=>?]*)[ -/]*([@-~])")
_STRING = re.compile(r"\x1b[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)")
_INCOMPLETE = re.compile(r"\x1b(?:\[[0-9:;<=>?]*[ -/]*|O|[]PX^_][^\x07\x1b]*\x1b?)?\Z")


@dataclass(frozen=True, slots=True)
class Key:
    """One thing a key did. ``name`` is the character or a word such as ``space``, ``enter``, ``ctrl+d``, ``paste``."""

    name: str
    action: KeyAction = "press"
    text: str = ""
    """What it types, if anything; for ``paste`` the whole of it, control characters and all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The terminal answers a query: ``kind`` is ``kitty`` (``value``: its active flags) or ``attributes`` (DA1)."""

    kind: Literal["kitty", "attributes"]
    value: int = 0


Input: TypeAlias = Key | Answer

FOCUS_LOST = "focus-lost"
"""The name under which it is told that another window gets the keys from now on, releases included."""


def talk_key_named(name: str) -> str:
    """The name that keys go by, of a key to talk with, as the user wrote it. Raises InputError."""
    key = name.strip().lower() or "space"
    if key in {"space", "tab", *FUNCTION_KEYS.values()} or (len(key) == 1 and key.isprintable() and key != "/"):
        return key
    raise InputError(
        f'no key to talk with is called "{name}"', "use space, tab, f1 to f12, or a character other than /"
    )


class KeyParser:
    """Bytes in, keys out, however the bytes were cut. Not thread-safe."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    @property
    def waiting(self) -> bool:
        """An escape sequence has begun; if nothing follows soon it was the Escape key: call :meth:`settle`."""
        return bool(self._rest) and not self._rest.startswith(PASTE_START)

    def feed(self, data: bytes) -> list[Input]:
        """The keys that ``data`` completes."""
        self._rest += self._decode(data)
        found: list[Input] = []
        while self._rest:
            length, item = self._first(self._rest)
            if not length:
                break
            self._rest = self._rest[length:]
            if item:
                found.append(item)
        return found

    def settle(self) -> list[Input]:
        """Nothing followed: a lone ESC is the Escape key, any other beginning of a sequence is dropped."""
        if not self.waiting:
            return []
        lone, self._rest = self._rest == "\x1b", ""
        return [Key("escape")] if lone else []

    def _first(self, text: str) -> tuple[int, Input | None]:
        """The first item of ``text`` and how many characters it takes; 0 when more must come first."""
        if text[0] != "\x1b":
            return 1, _character(text[0])
        if text.startswith(PASTE_START):
            return _paste(text)
        if text.startswith(LINUX_FUNCTION_KEYS):
            return _linux_function_key(text)
        if csi := _CSI.match(text):
            return csi.end(), _csi(csi[1], csi[2])
        if string := _STRING.match(text):
            return string.end(), None
        if _INCOMPLETE.match(text) and len(text) < MAX_SEQUENCE_CHARS:
            return 0, None
        if text[1] == "O":
            return 3, Key(FUNCTION_KEYS[text[2]]) if text[2] in FUNCTION_KEYS else None
        if text[1] in "\x1b[":
            return 1, Key("escape")
        return 2, Key(f"alt+{text[1]}") if text[1].isprintable() else None


def _paste(text: str) -> tuple[int, Input | None]:
    end = text.find(PASTE_END)
    if end < 0:
        return (0, None) if len(text) < MAX_PASTE_CHARS else (len(text), None)
    return end + len(PASTE_END), Key("paste", text=text[len(PASTE_START) : end])


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
    return Key(char, text=char) if char.isprintable() else None


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
    return _function_key(parameters, final)


def _function_key(parameters: str, final: str) -> Key | None:
    """``number ; modifiers[:event] ~``, or a letter in the place of the tilde and 1, or nothing, as the number."""
    number, modifiers = (*parameters.split(";"), "", "")[:2]
    name = FUNCTION_KEYS.get(number if final == "~" else final)
    # With numbers before it, R is an answer about the cursor.
    if not name or (final == "R" and parameters):
        return None
    held, event = (*modifiers.split(":"), "1")[:2]
    if held.isdecimal() and (int(held) - 1) & (CTRL | ALT | COMMAND):
        return None
    return Key(name, ACTIONS.get(event, "press"))


def _kitty_key(parameters: str) -> Key | None:
    """``code[:shifted[:base]] ; modifiers[:event] ; text codepoints``, each part optional but the first."""
    fields = [field.split(":") for field in parameters.split(";")]
    codes, modifiers, text = (*fields, [""], [""])[:3]
    if not codes[0].isdecimal():
        return None
    code, base = int(codes[0]), int(codes[2]) if len(codes) > 2 and codes[2].isdecimal() else 0
    held = int(modifiers[0]) - 1 if modifiers[0].isdecimal() else 0
    action = ACTIONS.get(modifiers[1] if len(modifiers) > 1 else "1", "press")
    name = NAMED.get(code) or _name(code, base, held)
    if not name:
        return None
    if prefix := ("ctrl+" if held & CTRL else "alt+" if held & ALT else "super+" if held & COMMAND else ""):
        return Key(prefix + name, action)
    typed = "".join(_char(int(point)) for point in text if point.isdecimal())
    if not typed and (len(name) == 1 or name == "space") and action != "release":
        typed = " " if name == "space" else name
    return Key(name, action, typed)


def _name(code: int, base: int, held: int) -> str:
    """The character on the key; of a layout that is not Latin, what a Latin one has there, for shortcuts to work."""
    if code in PRIVATE_USE:
        return ""
    char = _char(base if code > 127 and base else code)
    return char.upper() if held & SHIFT and not held & CTRL else char


def _char(code: int) -> str:
    """The character of a code point, or nothing where there is none to be shown."""
    char = chr(code) if code < 0x110000 else ""
    return char if char.isprintable() else ""
