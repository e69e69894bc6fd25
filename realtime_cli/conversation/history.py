"""The items of the conversation in their order, with their transcripts and how much of their audio was heard.

The user's transcript is asynchronous: it may come before, during or after the reply. So an item's place is reserved
when its id is first heard of, and its text is filled in by id.
"""

from __future__ import annotations

import msgspec

from realtime_cli.audio.core.pcm import FRAME_BYTES, frames_to_ms, ms_to_frames
from realtime_cli.conversation.records import Line

UNNAMED = "unnamed "
"""Before an id of our own making, in the place of one that the server left out."""

SPOKEN_CHARS_PER_S = 18
"""An upper bound for speech: about 150 words a minute is usual in English, some 14 characters a second."""


class PartAudio(msgspec.Struct):
    """The audio of one content part: bytes received, milliseconds heard, and whether each is all there is."""

    received_bytes: int = 0
    heard_ms: int = 0
    complete: bool = False
    finished: bool = False

    @property
    def received_frames(self) -> int:
        """Whole frames received."""
        return self.received_bytes // FRAME_BYTES

    @property
    def received_ms(self) -> int:
        """Milliseconds received, rounded down."""
        return frames_to_ms(self.received_frames)


class Entry(msgspec.Struct):
    """One item. ``final`` means that its text will not change; ``told`` that its record was shown."""

    item_id: str
    role: str
    response_id: str = ""
    text: str = ""
    final: bool = False
    told: bool = False
    interrupted: bool = False
    parts: dict[int, PartAudio] = msgspec.field(default_factory=dict)
    marks: list[tuple[int, int]] = msgspec.field(default_factory=list)
    """(characters before this piece of text, frames received before it): it can't have been heard earlier than that."""

    def add_text(self, delta: str) -> None:
        """Append a piece of transcript, remembering how much audio had come before it."""
        self.marks.append((len(self.text), sum(part.received_frames for part in self.parts.values())))
        self.text += delta

    @property
    def spoken(self) -> bool:
        """Whether the item has audio."""
        return bool(self.parts)

    @property
    def heard_ms(self) -> int:
        """Milliseconds heard, over all parts."""
        return sum(part.heard_ms for part in self.parts.values())

    @property
    def audible(self) -> bool:
        """Whether some of the item's audio is still to be heard."""
        return any(not part.finished for part in self.parts.values())

    @property
    def heard_chars(self) -> int:
        """How many characters of the text were heard: an estimate that rather claims too little, cut between words."""
        if not self.spoken or (not self.audible and not self.interrupted):
            return len(self.text)
        received_ms = sum(part.received_ms for part in self.parts.values())
        share = len(self.text) * self.heard_ms // max(received_ms, 1)
        if not all(part.complete for part in self.parts.values()):
            share = min(share, self.heard_ms * SPOKEN_CHARS_PER_S // 1000)
        heard_frames = ms_to_frames(self.heard_ms)
        unheard = (chars for chars, frames in self.marks if frames > 0 and frames >= heard_frames)
        limit = min(share, len(self.text), next(unheard, len(self.text)))
        return limit if limit == len(self.text) else self.text.rfind(" ", 0, limit + 1) + 1

    @property
    def heard_text(self) -> str:
        """The text that was heard."""
        return self.text[: self.heard_chars].rstrip()

    def line(self) -> Line:
        """The entry as the live view draws it."""
        return Line(
            item_id=self.item_id,
            role=self.role,
            text=self.heard_text if self.interrupted else self.text,
            pending=not self.told,
            heard_chars=self.heard_chars,
            interrupted=self.interrupted,
        )


class History:
    """The entries in the conversation's order, never the order of arrival."""

    def __init__(self) -> None:
        self._order: list[Entry] = []
        self._by_id: dict[str, Entry] = {}

    def entry(self, item_id: str, role: str, previous_item_id: str | None = None) -> Entry:
        """The entry of this id, made if need be: behind ``previous_item_id`` where that is known, else at the end."""
        known = self._by_id.get(item_id)
        if known is not None:
            return known
        entry = Entry(item_id, role)
        previous = self._by_id.get(previous_item_id or "")
        at = self._order.index(previous) + 1 if previous else len(self._order)
        self._order.insert(at, entry)
        self._by_id[item_id] = entry
        return entry

    def find(self, item_id: str) -> Entry | None:
        """The entry of this id, if there is one."""
        return self._by_id.get(item_id)

    def of_response(self, response_id: str) -> list[Entry]:
        """The entries that a response made."""
        return [entry for entry in self._order if entry.response_id == response_id]

    def untold(self, role: str) -> list[Entry]:
        """The entries of one side whose record is still to be shown."""
        return [entry for entry in self._order if entry.role == role and not entry.told]

    def lines(self) -> tuple[Line, ...]:
        """What the live view draws. An assistant's line appears with its first word."""
        return tuple(entry.line() for entry in self._order if entry.text or (entry.role == "user" and not entry.told))
