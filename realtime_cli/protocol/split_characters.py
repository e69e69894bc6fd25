"""Characters that a server cut in two: half of one at the end of a delta, the other half at the beginning of the next.

JSON writes a character outside the basic plane, an emoji say, as two escapes (RFC 8259, 7), and servers that split a
text by UTF-16 units send them apart. Inside the program there are only whole characters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REPLACEMENT = "\ufffd"
"""What stands for half a character whose other half never comes (Unicode 15, 5.22)."""

MOST_WAITING = 64
"""How many texts may wait for the other half of their last character at once."""

_HALF = re.compile("[\ud800-\udfff]")
_FIRST_HALF_AT_END = re.compile("[\ud800-\udbff]\\Z")
_PLACE = ("type", "response_id", "item_id", "output_index", "content_index", "call_id")


class SplitCharacters:
    """The first halves of one connection that wait for the second. Not for several threads."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[Any, ...], str] = {}

    def mend(self, body: dict[str, Any]) -> dict[str, Any]:
        """The event with whole characters only; half a one at the end of a ``delta`` is kept for the next delta."""
        if not self._waiting and not has_halves(body):
            return body
        delta = body.get("delta")
        if isinstance(delta, str):
            body = {**body, "delta": self._joined(tuple(str(body.get(name)) for name in _PLACE), delta)}
        mended: dict[str, Any] = whole(body)
        return mended

    def _joined(self, place: tuple[str, ...], delta: str) -> str:
        if not delta and place in self._waiting:
            return ""
        text = _together(self._waiting.pop(place, "") + delta)
        found = _FIRST_HALF_AT_END.search(text)
        if found is None:
            return text
        self._waiting[place] = found[0]
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
        return text[:-1]


def has_halves(value: Any) -> bool:
    """Whether a JSON value holds half a character anywhere."""
    if isinstance(value, str):
        return not value.isascii() and _HALF.search(value) is not None
    if isinstance(value, Mapping):
        return any(has_halves(name) or has_halves(inner) for name, inner in value.items())
    return isinstance(value, list) and any(map(has_halves, value))


def whole(value: Any) -> Any:
    """The JSON value with halves joined where they meet, and :data:`REPLACEMENT` for the others."""
    if isinstance(value, str):
        return value if value.isascii() else _HALF.sub(REPLACEMENT, _together(value))
    if isinstance(value, Mapping):
        return {whole(name): whole(inner) for name, inner in value.items()}
    return [whole(inner) for inner in value] if isinstance(value, list) else value


def _together(text: str) -> str:
    """Two halves that stand side by side are one character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
