"""The sound of replies on its way to a caller: what waits, what was sent, and what is cut off. Pure: no clock, no I/O.

The engines make sound faster than it is heard, so most of it waits here, and what is thrown away was not heard.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec

from realtime_cli.server.core.response_output import BYTES_PER_MS

_BYTES_PER_MS = BYTES_PER_MS["audio/pcm"]


class Notice(msgspec.Struct, frozen=True):
    """What the caller is told of the output: its sound begins, ends, or was thrown away."""

    kind: Literal["started", "stopped", "cleared"]
    response_id: str


class Cut(msgspec.Struct, frozen=True):
    """An item of which only the beginning was sent."""

    item_id: str
    sent_ms: int


_Item: TypeAlias = tuple[str, str]
"""The ids of a response and of an item in it."""


@dataclass(slots=True, eq=False)
class _Sound:
    """Sound of one item that waits."""

    item: _Item
    audio: bytearray = field(default_factory=bytearray)
    taken: int = 0
    """Bytes of it that were sent."""

    @property
    def left(self) -> int:
        return len(self.audio) - self.taken

    def take(self, size: int) -> bytes:
        piece = bytes(self.audio[self.taken : self.taken + size])
        self.taken += len(piece)
        return piece


class Playout:
    """Not for several threads. Sound is PCM16 of 24 kHz, mono."""

    def __init__(self) -> None:
        self._waiting: deque[_Sound] = deque()
        self._sent: dict[_Item, int] = {}
        """Bytes of the items of responses that are not done with."""
        self._playing: str | None = None
        self._last = ""
        self._complete: set[str] = set()
        """Responses whose sound is all here."""
        self._unwanted: set[str] = set()
        """Responses that are being made and were cut off."""

    def add(self, response_id: str, item_id: str, audio: bytes) -> None:
        """More sound of a reply; none of one that was cut off."""
        if response_id in self._unwanted:
            return
        item = (response_id, item_id)
        if not self._waiting or self._waiting[-1].item != item:
            self._waiting.append(_Sound(item))
        self._waiting[-1].audio += audio

    def finish(self, response_id: str) -> None:
        """The response is done: no more sound of it comes."""
        self._unwanted.discard(response_id)
        if response_id == self._playing or any(sound.item[0] == response_id for sound in self._waiting):
            self._complete.add(response_id)

    def take(self, size: int) -> tuple[bytes, tuple[Notice, ...]]:
        """The next ``size`` bytes to send, silence where there is nothing, and what is to be told with them."""
        taken = bytearray()
        notices: list[Notice] = []
        while self._waiting and len(taken) < size:
            sound = self._waiting[0]
            response_id = sound.item[0]
            if response_id != self._playing:
                notices += self._stop("stopped")
                self._playing = self._last = response_id
                notices.append(Notice("started", response_id))
            piece = sound.take(size - len(taken))
            self._sent[sound.item] = self._sent.get(sound.item, 0) + len(piece)
            taken += piece
            if not sound.left:
                self._waiting.popleft()
        if not self._waiting and self._playing in self._complete:
            notices += self._stop("stopped")
        return bytes(taken.ljust(size, b"\0")), tuple(notices)

    def clear(self) -> tuple[tuple[Notice, ...], tuple[Cut, ...]]:
        """Throw away what waits; returns what is to be told, and of which items how much was sent.

        Nothing is told where nothing was on its way.
        """
        items = dict.fromkeys(sound.item for sound in self._waiting)
        cuts = tuple(Cut(item[1], self._sent.get(item, 0) // _BYTES_PER_MS) for item in items)
        responses = dict.fromkeys(item[0] for item in items)
        self._unwanted |= {each for each in responses if each not in self._complete}
        self._waiting.clear()
        if self._playing is not None:
            if self._playing not in self._complete:
                self._unwanted.add(self._playing)
            notices = self._stop("cleared")
        else:
            notices = [Notice("cleared", each) for each in responses][:1]
        self._complete.clear()
        return tuple(notices), cuts

    @property
    def last_response_id(self) -> str:
        """The response whose sound was sent last; empty before the first."""
        return self._last

    def _stop(self, kind: Literal["stopped", "cleared"]) -> list[Notice]:
        """Be done with the response whose sound is being sent."""
        ended, self._playing = self._playing, None
        if ended is None:
            return []
        self._complete.discard(ended)
        self._sent = {item: sent for item, sent in self._sent.items() if item[0] != ended}
        return [Notice(kind, ended)]
