"""Ends a reply that has begun to go in circles. Pure.

A sentence that was said before in the same reply is not said again: its words are held back until it is another one.
A word or a phrase that comes again and again ends the reply, too.
"""

from __future__ import annotations

import re

MOST_TIMES = 3
"""How often in a row a phrase may be said: "no, no, no" is English, a fourth is a loop."""

LONGEST_PHRASE = 8
"""Words of the longest phrase that is looked for."""

TAIL_LETTERS = 400
"""How far back is looked: the longest phrase three times."""

_SENTENCE_END = re.compile(r"[.!?]+[\"')]*(?=\s)|\n+")
_WORD = re.compile(r"\w+(?:'\w+)?")


class RepetitionGuard:
    """Feed it the text as it is written; it gives back what is to be said."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._sentence = ""
        self._given = 0
        self._tail = ""
        self.looping = False
        """Nothing sensible follows: the reply is over."""

    def feed(self, text: str) -> str:
        """What of the text so far is new and no repetition."""
        if self.looping:
            return ""
        self._sentence += text
        given = ""
        while (end := _SENTENCE_END.search(self._sentence)) is not None:
            sentence, rest = self._sentence[: end.end()], self._sentence[end.end() :]
            if _bare(sentence) in self._said:
                self.looping = True
                return given
            given += sentence[self._given :]
            self._said.append(_bare(sentence))
            self._sentence, self._given = rest, 0
        bare = _bare(self._sentence)
        if not any(said.startswith(bare) for said in self._said):
            given += self._sentence[self._given :]
            self._given = len(self._sentence)
        self._tail = (self._tail + text.casefold())[-TAIL_LETTERS:]
        self.looping = _circles(_WORD.findall(self._tail))
        return given

    def flush(self) -> str:
        """What was held back at the end of the reply, unless it is a repetition."""
        rest = "" if self.looping or _bare(self._sentence) in self._said else self._sentence[self._given :]
        self._sentence, self._given = "", 0
        return rest


def _bare(sentence: str) -> str:
    return " ".join(_WORD.findall(sentence.casefold()))


def _circles(words: list[str]) -> bool:
    """Whether the last words are one phrase said too often."""
    for length in range(1, LONGEST_PHRASE + 1):
        times = MOST_TIMES + 1 if length == 1 else MOST_TIMES
        tail = words[-length * times :]
        if len(tail) == length * times and tail == tail[:length] * times:
            return True
    return False
