"""What a terminal's bytes mean: the keys of a person, and the terminal's own answers."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal, TypeAlias

from realtime_cli.errors import InputError

KeyAction: TypeAlias = Literal["press", "repeat", "release"]

FUNCTION_KEYS = dict(zip("PQRS", ("f1", "f2", "f3", "f4"), strict=True)) | {
    "11": "f1", "12": "f2", "13": "f3", "14": "f4", "15": "f5", "17": "f6",
    "18": "f7", "19": "f8", "20": "f9", "21": "f10", "23": "f11", "24": "f12",
}  # fmt: skip
"""By the last letter of their sequence, or the number before its tilde (xterm, and the kitty protocol alike)."""


@dataclass(frozen=True, slots=True)
class Key:
    """One thing a key did.

    ``name`` is the character or a word such as ``space``, ``enter``, ``left``, ``ctrl+d``, ``paste``.
    """

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

UNTYPED = ("Cc", "Cs", "Zl", "Zp")
"""General categories of what no key types: controls, lone surrogates, separators of lines and paragraphs.

All else is text, also what is invisible by itself (joiners, no-break spaces) or newer than this Python's tables.
"""


def is_typed(char: str) -> bool:
    """Whether a character can be part of a typed text."""
    return char.isprintable() or unicodedata.category(char) not in UNTYPED


def talk_key_named(name: str) -> str:
    """The name that keys go by, of a key to talk with, as the user wrote it. Raises InputError."""
    key = name.strip().lower() or "space"
    if key in {"space", "tab", *FUNCTION_KEYS.values()} or (len(key) == 1 and key.isprintable() and key not in "/?"):
        return key
    raise InputError(
        f'no key to talk with is called "{name}"', "use space, tab, f1 to f12, or a character other than / and ?"
    )
