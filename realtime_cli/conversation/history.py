"""The items of the conversation that are not told yet, in their order, and the one place where an item is told.

The user's transcript is asynchronous: it may come before, during or after the reply. So an item's place is reserved
when its id is first heard of, and its text is filled in by id. An item is told once, when it is whole, in the
conversation's order; what comes behind an item that is not whole waits for it, but only for so long. What is told is
forgotten here but for its id.
"""

from __future__ import annotations

import msgspec

from realtime_cli.audio.core.pcm import FRAME_BYTES, frames_to_ms, ms_to_frames
from realtime_cli.conversation.effects import Effect, Show
from realtime_cli.conversation.records import AssistantSaid, Line, UserSaid
from realtime_cli.conversation.states import Recent

UNNAMED = "unnamed "
"""Before an id of our own making, in the place of one that the server left out."""

SPOKEN_CHARS_PER_S = 18
"""An upper bound for speech: about 150 words a minute is usual in English, some 14 characters a second."""

HELD_BACK_S = 5.0
"""How long what is whole waits for something earlier: for a transcript, from the end of that speech. Transcripts come
within a second or two, or not at all."""

TRANSCRIPT_S = 30.0
"""How long after its speech a transcript may come; then the turn is told as far as it came."""


class PartAudio(msgspec.Struct):
    """The audio of one content part: bytes received, milliseconds heard, and whether each is all there is."""

    received_bytes: int = 0
    heard_ms: int = 0
    complete: bool = False
    finished: bool = False
    elsewhere: bool = False
    """Another client plays it: its length is not known here."""

    @property
    def received_frames(self) -> int:
        """Whole frames received."""
        return self.received_bytes // FRAME_BYTES

    @property
    def received_ms(self) -> int:
        """Milliseconds received, rounded down."""
        return frames_to_ms(self.received_frames)


class Entry(msgspec.Struct, eq=False):
    """One item that is not told yet. ``final`` means that its text will not change; times are the core's clock."""

    item_id: str
    role: str
    began_at: float
    server_id: str = ""
    """The server's id; empty where it left that out."""
    ended_at: float | None = None
    """When the speech was over, or the response."""
    whole_at: float | None = None
    """Since when it could be told."""
    text: str = ""
    final: bool = False
    interrupted: bool = False
    voiced: bool = False
    """The text is the transcript of a voice that is to be played: without sound nothing of it was heard."""
    overtaken: bool = False
    """Something later was told already."""
    parts: dict[int, PartAudio] = msgspec.field(default_factory=dict)
    marks: list[tuple[int, int]] = msgspec.field(default_factory=list)
    """(characters before this piece of text, frames received before it): it can't have been heard earlier than that."""

    def add_text(self, delta: str) -> None:
        """Append a piece of transcript, remembering how much audio had come before it."""
        self.marks.append((len(self.text), sum(part.received_frames for part in self.parts.values())))
        self.text += delta

    @property
    def spoken(self) -> bool:
        """Whether the item has audio, or would have had some if it had not been interrupted."""
        return bool(self.parts) or (self.voiced and self.interrupted)

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
            pending=not self.final or self.audible,
            heard_chars=self.heard_chars,
            interrupted=self.interrupted,
        )


class History:
    """The entries that are open, in the conversation's order, never the order of arrival."""

    def __init__(self) -> None:
        self._open: list[Entry] = []
        self._by_id: dict[str, Entry] = {}
        self._told = Recent()
        self._connections = 1
        self._earlier = Recent()
        """Names of items of earlier connections; those of them that are open are in the next."""
        self._of_earlier: dict[str, Entry] = {}
        self.due: float | None = None
        """When something is to be told that waits for something earlier."""

    def entry(self, item_id: str, role: str, now: float, previous_item_id: str | None = None) -> Entry | None:
        """The entry of this id, made if need be: behind ``previous_item_id`` where that is known, else at the end.

        None for one that was told already, or is the other side's.
        """
        known = self._by_id.get(item_id)
        if known is not None or item_id in self._told:
            return known if known is not None and known.role == role else None
        server_id = "" if item_id.startswith(UNNAMED) else item_id
        # Another server may count from the beginning again; who shows or plays items knows nothing of servers.
        name = f"{item_id} ({self._connections})" if item_id in self._earlier else item_id
        entry = Entry(name, role, now, server_id)
        previous = self._by_id.get(previous_item_id or "")
        if previous is not None:
            at = self._open.index(previous) + 1
        else:
            at = 0 if previous_item_id and previous_item_id in self._told else len(self._open)
        self._open.insert(at, entry)
        self._by_id[item_id] = self._by_id[name] = entry
        return entry

    def played(self, name: str) -> Entry | None:
        """The open entry of which something was played, on whatever connection it came."""
        return self._of_earlier.get(name) or self._by_id.get(name)

    def find(self, item_id: str) -> Entry | None:
        """The open entry of this id, if there is one."""
        return self._by_id.get(item_id)

    def knows(self, item_id: str) -> bool:
        """Whether there is, or was, an entry of this id."""
        return item_id in self._by_id or item_id in self._told

    def name(self, entry: Entry, item_id: str) -> None:
        """The server told the id of an entry that it had left out before."""
        entry.server_id = item_id
        self._by_id[item_id] = entry

    def new_connection(self) -> None:
        """Another server knows none of these items, and may use their ids for others."""
        self._connections += 1
        for name in (*self._told, *self._by_id):
            self._earlier.add(name)
        self._of_earlier |= {entry.item_id: entry for entry in self._open}
        self._told = Recent()
        self._by_id.clear()

    def drop(self, entry: Entry) -> None:
        """What was taken for a turn was none: it is not told."""
        self._remove(entry)

    @property
    def open(self) -> tuple[Entry, ...]:
        """The open entries, in order."""
        return tuple(self._open)

    def of(self, role: str) -> list[Entry]:
        """The open entries of one side."""
        return [entry for entry in self._open if entry.role == role]

    def lines(self) -> tuple[Line, ...]:
        """What the live view draws. An assistant's line appears with its first word."""
        return tuple(entry.line() for entry in self._open if entry.text or (entry.role == "user" and not entry.final))

    def release(self, now: float, *, everything: bool = False) -> list[Effect]:
        """Tell what is whole, in order; at the end of all ``everything`` that is whole, without waiting."""
        effects: list[Effect] = []
        waiting: list[Entry] = []
        self.due = None
        for entry in list(self._open):
            self._give_up_transcript(entry, now)
            if not entry.final or entry.audible:
                waiting.append(entry)
                continue
            if entry.whole_at is None:
                entry.whole_at = now
            until = max((_holds_until(earlier, entry.whole_at) for earlier in waiting), default=now)
            if until > now and not everything:
                self._wait_until(until)
                waiting.append(entry)
                continue
            for earlier in waiting:
                earlier.overtaken = True
            effects.append(self._tell(entry, now))
        return effects

    def _give_up_transcript(self, entry: Entry, now: float) -> None:
        if entry.role != "user" or entry.final or entry.ended_at is None:
            return
        if now >= entry.ended_at + TRANSCRIPT_S:
            entry.final = True
        else:
            self._wait_until(entry.ended_at + TRANSCRIPT_S)

    def _wait_until(self, until: float) -> None:
        self.due = until if self.due is None else min(self.due, until)

    def _tell(self, entry: Entry, now: float) -> Effect:
        """The one place where an item is told: it is whole, and what was heard of it will not change."""
        self._close(entry)
        ago = round((now - entry.began_at) * 1000)
        if entry.role == "user":
            said = UserSaid(item_id=entry.item_id, text=entry.text, late=entry.overtaken, began_ms_ago=ago)
            return Show(said)
        reply = AssistantSaid(
            item_id=entry.item_id,
            text=entry.heard_text,
            heard_ms=entry.heard_ms if entry.spoken else None,
            interrupted=entry.interrupted,
            began_ms_ago=ago,
        )
        return Show(reply)

    def _close(self, entry: Entry) -> None:
        earlier = entry.item_id in self._of_earlier
        self._remove(entry)
        if not earlier:
            self._told.add(entry.item_id)
            if entry.server_id:
                self._told.add(entry.server_id)

    def _remove(self, entry: Entry) -> None:
        self._open.remove(entry)
        self._of_earlier.pop(entry.item_id, None)
        self._by_id = {name: known for name, known in self._by_id.items() if known is not entry}


def _holds_until(earlier: Entry, whole_at: float) -> float:
    """Until when something that is whole waits for ``earlier``."""
    if earlier.final or earlier.role == "assistant":
        return whole_at + HELD_BACK_S
    return (earlier.began_at if earlier.ended_at is None else earlier.ended_at) + HELD_BACK_S
