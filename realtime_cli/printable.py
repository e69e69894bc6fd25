"""Text from a server, a model, a file, a folder or a device, made safe to print.

A terminal obeys control characters, and some invisible ones make it show a text in another order than it has
(https://trojansource.codes). Everything of foreign origin passes through here on its way to a stream that a person may
read. Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any, TextIO

import msgspec

_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"
    r"\u2028\u2029"  # line and paragraph separators: a line of output is one line
    r"\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates (Unicode Annex 9)
    r"\u206a-\u206f\ufeff\ufff9-\ufffb"  # deprecated format characters, byte order mark, annotations
    r"\ud800-\udfff]"  # half a character
)
"""C0 (but for tab and line feed), DEL and C1, which some terminals take for escape sequences (U+009B is ``ESC [``), and
what reorders text. Joiners and directional marks stay: Persian and emoji are written with them."""

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""What takes no room on a screen (Unicode's Default_Ignorable_Code_Point): nobody sees that it is there."""


def neutralise(text: str) -> str:
    """Control characters as visible symbols, so that no text can move the cursor, set a title or hide a line.

    Line feeds and tabs stay; carriage returns become line feeds. Works on any piece of a text by itself.
    """
    return _UNSAFE.sub(_symbol, text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """Neutralised, and all runs of white space as one space."""
    return neutralise(" ".join(text.split()))


def printable(text: str, stream: TextIO) -> str:
    """``text`` as ``stream`` can take it: neutralised if it is a terminal, ``?`` for what its encoding lacks."""
    if stream.isatty():
        text = neutralise(text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def clock(seconds: int) -> str:
    """``3:12`` or ``1:03:12``."""
    hours = f"{seconds // 3600}:" if seconds >= 3600 else ""
    return f"{hours}{seconds // 60 % 60:{'02' if hours else ''}}:{seconds % 60:02}"


def spelt_out(text: str) -> str:
    """Characters that cannot be seen, or do something, as codes (``\\u200b``): consent needs all to be seen."""
    return _INVISIBLE.sub(_code, _UNSAFE.sub(_code, text))


def in_ascii(text: str) -> str:
    """All that is not ASCII as codes: a name in which letters of another script would pass for Latin ones."""
    return "".join(char if " " <= char <= "~" else _code_of(char) for char in text)


def json_line(value: Any) -> str:
    """``value`` as JSON in one line: the same to a parser, and codes where a terminal would obey.

    JSON itself demands them for C0 alone (RFC 8259, section 7).
    """
    try:
        text = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        # Half a character somewhere in it, which UTF-8 cannot hold and JSON can.
        text = json.dumps(msgspec.to_builtins(value))
    return json_text(text)


def json_text(written: str) -> str:
    """JSON that is written already, its line feeds kept, with codes where a terminal would obey."""
    return _UNSAFE.sub(_code, written)


def _symbol(match: re.Match[str]) -> str:
    """Unicode's pictures of the ASCII controls (U+2400…); the rarer ones have none."""
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def _code(match: re.Match[str]) -> str:
    return _code_of(match[0])


def _code_of(char: str) -> str:
    """As JSON writes it: above U+FFFF, two halves."""
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
