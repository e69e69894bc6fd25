"""Text from a model, a server or a file, made safe to print."""

from __future__ import annotations

import re
from typing import TextIO

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def neutralise(text: str) -> str:
    """Control characters as visible symbols, so that no text can move the cursor, set a title or hide a line.

    Line feeds and tabs stay; carriage returns become line feeds. Works on any piece of a text by itself.
    """
    return _CONTROL.sub(_symbol, text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """Neutralised, and all runs of white space as one space."""
    return neutralise(" ".join(text.split()))


def printable(text: str, stream: TextIO) -> str:
    """``text`` as ``stream`` can take it: neutralised if it is a terminal, ``?`` for what its encoding lacks."""
    if stream.isatty():
        text = neutralise(text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _symbol(match: re.Match[str]) -> str:
    """Unicode's pictures of the ASCII controls (U+2400…); the rarer 8-bit ones have none."""
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"
