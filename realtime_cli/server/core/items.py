"""The conversation's items as the server remembers them, in order.

Nothing grows for ever: what is too old for the model to read loses what only cancelling and truncating need, and beyond
:data:`MOST_ITEMS` or :data:`MOST_CHARS` the oldest items are gone, as if they had been deleted.
"""

from __future__ import annotations

from realtime_cli.protocol.items import Content, Item
from realtime_cli.server.core.checks import Refusal, invalid
from realtime_cli.server.core.entries import Entry, read_chars

ROOT = "root"
"""As ``previous_item_id``: before all others."""

CONTEXT_CHARS = 60_000
"""How much of the conversation a reply is given to read: an hour of talk. What of it helps a small model, or does not
fit another, is that model's affair."""

MOST_ITEMS = 1000
"""Two hours of lively talk."""

MOST_CHARS = 64_000_000
"""Pictures are long: a message may bring 15 MB of them."""

TRUNCATION_SLACK_MS = 20
"""A truncation may lie this far behind the end: clients round up, or count the block that is being played."""


class Items:
    """Entries in conversation order. One reader, no lock. Raises Refusal for what the client asks in vain."""

    def __init__(self, context_chars: int = CONTEXT_CHARS) -> None:
        """``context_chars``: how much of the conversation the model is given to read."""
        self._context_chars = context_chars
        self._by_id: dict[str, Entry] = {}
        self._order: list[Entry] = []
        self._first_read = 0
        """Entries before this one are too old for the model."""
        self._chars = 0

    def add(self, entry: Entry, previous_item_id: str | None = None) -> str | None:
        """Put an item after another, first (``root``) or last (None). Returns the id of the item before it."""
        if entry.id in self._by_id:
            raise invalid("item.id", f"an item with id '{entry.id}' already exists.")
        at = len(self._order)
        if previous_item_id == ROOT:
            at = 0
        elif previous_item_id is not None:
            at = self._at(self.find(previous_item_id, "item_not_found", "previous_item_id")) + 1
        previous = self._order[at - 1].id if at else None
        self._order.insert(at, entry)
        self._by_id[entry.id] = entry
        entry.chars = _size(entry.item)
        self._chars += entry.chars
        if at < self._first_read:
            self._first_read += 1
        while len(self._order) > MOST_ITEMS or (self._chars > MOST_CHARS and len(self._order) > 1):
            self._remove(0)
        return previous

    def find(self, item_id: str, code: str = "item_not_found", param: str = "item_id") -> Entry:
        """The entry of an item. Raises Refusal with ``code`` and ``param``."""
        found = self._by_id.get(item_id)
        if found is None:
            raise Refusal(code, f"Item with item_id '{item_id}' not found.", param)
        return found

    def __contains__(self, item_id: str) -> bool:
        """Whether the conversation has an item of this id."""
        return item_id in self._by_id

    def has(self, entry: Entry) -> bool:
        """Whether it is still part of the conversation."""
        return self._by_id.get(entry.id) is entry

    def __len__(self) -> int:
        return len(self._order)

    def previous_id(self, entry: Entry) -> str | None:
        """The id of the item before this one."""
        at = self._at(entry)
        return self._order[at - 1].id if at else None

    def readable(self) -> tuple[Entry, ...]:
        """Those that a reply reads."""
        return tuple(self._order[self._first_read :])

    def shorten(self) -> bool:
        """When there is too much to read, forget the older half at one stroke; returns whether it was done.

        What a model has read it need not read again as long as the beginning stays the same, so the beginning must
        change seldom, and not while the user waits: reading anew takes about a second.
        """
        kept = self._order[self._first_read :]
        if sum(entry.read_chars for entry in kept) <= self._context_chars:
            return False
        room = self._context_chars // 2
        for at in range(len(kept) - 2, -1, -1):
            room -= kept[at].read_chars
            if room < 0:
                for old in kept[: at + 1]:
                    old.sentences = []
                self._first_read += at + 1
                return True
        return False

    def delete(self, item_id: str) -> None:
        """Remove an item."""
        self._remove(self._at(self.find(item_id, "item_delete_invalid_item_id")))

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> int:
        """Forget what of an assistant's audio lies after ``audio_end_ms``; returns where it ends now."""
        entry = self.find(item_id, "item_truncate_invalid_item_id")
        part = (entry.item.content or (Content(),))[0]
        if part.type != "output_audio":
            raise invalid("item_id", "only assistant audio items can be truncated.")
        if content_index != 0:
            raise invalid("content_index", "the item has one content part, with index 0.")
        if audio_end_ms < 0:
            raise Refusal("integer_below_min_value", "Invalid 'audio_end_ms': expected >= 0.", "audio_end_ms")
        if audio_end_ms > entry.audio_ms + TRUNCATION_SLACK_MS:
            message = f"Audio content of {entry.audio_ms}ms is already shorter than {audio_end_ms}ms"
            raise Refusal("invalid_value", message, "audio_end_ms")
        entry.truncate(min(audio_end_ms, entry.audio_ms))
        return entry.audio_ms

    def _at(self, entry: Entry) -> int:
        """Where it stands; what is asked for is nearly always among the last."""
        for at in range(len(self._order) - 1, -1, -1):
            if self._order[at] is entry:
                return at
        raise ValueError(f"{entry.id} is not part of the conversation")

    def _remove(self, at: int) -> None:
        entry = self._order.pop(at)
        del self._by_id[entry.id]
        self._chars -= entry.chars
        if at < self._first_read:
            self._first_read -= 1


def _size(item: Item) -> int:
    """Letters that it takes in memory. Transcripts come later and are short."""
    return read_chars(item) + sum(len(part.image_url or "") for part in item.content or ())
