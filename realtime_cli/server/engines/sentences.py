"""Cuts a reply that comes token by token into pieces that can be spoken. Pure.

A piece is a sentence, except the first, which may be a clause: the user waits for it. The pieces joined are the text.
"""

from __future__ import annotations

import re

FIRST_CLAUSE_CHARS = 14
"""A first piece may end at a comma from here on: it is heard for about a second, and the next takes half of one."""

FIRST_CHARS = 60
"""A first piece without any mark is cut at the last space before this."""

LONGEST_CHARS = 220
"""A later one before this, at a comma if there is one: the longest that is synthesized in well under the time it is
heard."""

_END = re.compile(r"[.!?…]+[\"'”’)\]*_]*\s+|\n+")
_CLAUSE = re.compile(r"[,;:—–]\s+|\s[-—–]\s+")
_LAST_WORD = re.compile(r"([\w.]+)[.]$")
_ABBREVIATIONS = frozenset(
    (
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "jr",
        "sr",
        "vs",
        "etc",
        "e.g",
        "i.e",
        "no",
        "approx",
        "fig",
        "a.m",
        "p.m",
        "u.s",
        "inc",
        "ltd",
        "co",
        "jan",
        "feb",
        "aug",
        "sept",
        "oct",
        "nov",
        "dec",
    )
)


class SentenceSplitter:
    """Feed it tokens, then flush it once."""

    def __init__(self) -> None:
        self._text = ""
        self._first = True

    def feed(self, token: str) -> list[str]:
        """The pieces that are complete with this token."""
        self._text += token
        pieces: list[str] = []
        while (end := self._end()) is not None:
            pieces.append(self._text[:end])
            self._text = self._text[end:]
            self._first = False
        return pieces

    def flush(self) -> str:
        """What is left at the end of the reply."""
        rest, self._text = self._text, ""
        return rest

    def _end(self) -> int | None:
        ends = [match.end() for match in _END.finditer(self._text) if _is_sentence(self._text[: match.end()])]
        if self._first:
            ends += [match.end() for match in _CLAUSE.finditer(self._text) if match.end() >= FIRST_CLAUSE_CHARS]
        if ends:
            return min(ends)
        limit = FIRST_CHARS if self._first else LONGEST_CHARS
        if len(self._text) <= limit:
            return None
        clauses = [match.end() for match in _CLAUSE.finditer(self._text, 0, limit)]
        return clauses[-1] if clauses else self._text.rfind(" ", 1, limit) + 1 or limit


def _is_sentence(piece: str) -> bool:
    """Not an abbreviation, an initial or the number of a list's entry."""
    bare = piece.strip()
    if "\n" in piece[len(piece.rstrip()) :]:
        return bool(bare) and not bare.rstrip(".").isdigit()
    found = _LAST_WORD.search(bare)
    if found is None:
        return True
    word = found[1]
    initial = len(word) == 1 and word.isupper() and word != "I"
    return not (initial or bare[:-1].isdigit() or word.casefold() in _ABBREVIATIONS)
