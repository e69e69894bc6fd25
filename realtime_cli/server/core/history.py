"""The conversation as the server remembers it: items in order, what of each was heard, and what a model reads of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from realtime_cli.protocol.items import Content, InputTokens, Item
from realtime_cli.server.core.refusal import Refusal, invalid
from realtime_cli.server.engines.interface import Message

ROOT = "root"
"""As ``previous_item_id``: before all others."""

INPUT_TOKENS_PER_S = 10
"""What the remote service counts for a second of the user's audio."""

CHARS_PER_TOKEN = 4
"""The usual rule of thumb for English text; the engines count no tokens."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One spoken sentence of a reply, and where in the item's audio it lies."""

    text: str
    start_ms: int
    end_ms: int

    def heard(self, until_ms: int) -> str:
        """The whole words that lie before ``until_ms``, in proportion to the sentence's length."""
        if until_ms >= self.end_ms:
            return self.text
        if until_ms <= self.start_ms:
            return ""
        letters = len(self.text) * (until_ms - self.start_ms) // (self.end_ms - self.start_ms)
        cut = self.text[: letters + 1]
        return cut[: cut.rfind(" ") + 1]


@dataclass(slots=True, eq=False)
class Entry:
    """An item and what the wire does not show of it."""

    item: Item
    speech_ms: int = 0
    """Length of the user's audio."""
    waiting: bool = False
    """The user's audio has not been recognised yet."""
    committed: bool = False
    """Made of the input buffer: the client may want to see what was recognised."""
    ends_turn: bool = False
    """The user was heard to stop speaking: an answer is due."""
    sentences: list[Sentence] = field(default_factory=list)
    """What the assistant said aloud."""
    cut: bool = False
    """The client truncated it; what is still being made of it does not count."""

    @property
    def id(self) -> str:
        """The item's id."""
        return self.item.id or ""

    @property
    def audio_ms(self) -> int:
        """Length of the assistant's audio."""
        return self.sentences[-1].end_ms if self.sentences else 0

    def recognised(self, text: str) -> None:
        """The user's audio said ``text``."""
        self.waiting = False
        parts = self.item.content or ()
        heard = tuple(replace(part, transcript=text) if part.type == "input_audio" else part for part in parts)
        self.item = replace(self.item, content=heard)


class History:
    """Items in conversation order. Raises Refusal for what the client asks in vain."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def add(self, entry: Entry, previous_item_id: str | None = None) -> str | None:
        """Put an item after another, first (``root``) or last (None). Returns the id of the item before it."""
        if any(known.id == entry.id for known in self._entries):
            raise invalid("item.id", f"an item with id '{entry.id}' already exists.")
        at = len(self._entries)
        if previous_item_id == ROOT:
            at = 0
        elif previous_item_id is not None:
            at = self._entries.index(self.find(previous_item_id, "item_not_found", "previous_item_id")) + 1
        self._entries.insert(at, entry)
        return self._entries[at - 1].id if at else None

    def find(self, item_id: str, code: str = "item_not_found", param: str = "item_id") -> Entry:
        """The entry of an item. Raises Refusal with ``code`` and ``param``."""
        for entry in self._entries:
            if entry.id == item_id:
                return entry
        raise Refusal(code, f"Item with item_id '{item_id}' not found.", param)

    def previous_id(self, entry: Entry) -> str | None:
        """The id of the item before this one."""
        at = self._entries.index(entry)
        return self._entries[at - 1].id if at else None

    def entries(self) -> tuple[Entry, ...]:
        """All of them as they are now."""
        return tuple(self._entries)

    def delete(self, item_id: str) -> None:
        """Remove an item."""
        self._entries.remove(self.find(item_id, "item_delete_invalid_item_id"))

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Forget what of an assistant's audio lies after ``audio_end_ms``."""
        entry = self.find(item_id, "item_truncate_invalid_item_id")
        part = (entry.item.content or (Content(),))[0]
        if part.type != "output_audio":
            raise invalid("item_id", "only assistant audio items can be truncated.")
        if content_index != 0:
            raise invalid("content_index", "the item has one content part, with index 0.")
        if audio_end_ms < 0:
            raise Refusal("integer_below_min_value", "Invalid 'audio_end_ms': expected >= 0.", "audio_end_ms")
        if audio_end_ms > entry.audio_ms:
            message = f"Audio content of {entry.audio_ms}ms is already shorter than {audio_end_ms}ms"
            raise Refusal("invalid_value", message, "audio_end_ms")
        entry.sentences = [
            Sentence(heard, one.start_ms, min(one.end_ms, audio_end_ms))
            for one in entry.sentences
            if (heard := one.heard(audio_end_ms)) or one.start_ms < audio_end_ms
        ]
        heard = "".join(one.text for one in entry.sentences).rstrip()
        entry.item = replace(entry.item, content=(replace(part, transcript=heard),))
        entry.cut = True


def messages(instructions: str, entries: Iterable[Entry]) -> tuple[Message, ...]:
    """What a model reads: the instructions, then whatever the items say. Shortening it is the model's affair."""
    said = [_message(entry.item) for entry in entries]
    system = [Message("system", instructions)] if instructions else []
    return (*system, *(message for message in said if message.text))


def tokens(instructions: str, entries: Sequence[Entry]) -> InputTokens:
    """What reading these costs: the user's speech by its length, all else by its letters."""
    letters = len(instructions) + sum(len(words(entry.item)) for entry in entries if not entry.speech_ms)
    speech_ms = sum(entry.speech_ms for entry in entries)
    return InputTokens(
        text_tokens=-(-letters // CHARS_PER_TOKEN),
        audio_tokens=speech_ms * INPUT_TOKENS_PER_S // 1000,
        cached_tokens=0,
    )


def _message(item: Item) -> Message:
    if item.type == "message":
        role = item.role if item.role in ("user", "assistant") else "system"
        return Message(role, words(item))  # type: ignore[arg-type]  # mypy does not narrow by membership
    return Message("system", words(item))


def words(item: Item) -> str:
    """An item in words; the embedded models read nothing else."""
    if item.type == "function_call":
        return f"The function {item.name} was called with {item.arguments}."
    if item.type == "function_call_output":
        return f"The function returned: {item.output}"
    parts = ("(a picture, which you cannot see)" if part.image_url else part.words for part in item.content or ())
    return " ".join(part.strip() for part in parts if part.strip())
