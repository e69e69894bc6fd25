"""One item of the conversation as the server remembers it, what was heard of it, and what a model reads of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from realtime_cli.protocol.items import Content, Item
from realtime_cli.server.engines.interface import Message

IMAGE_CHARS = 3000
"""What a picture counts for: models read it as about 765 tokens
(https://platform.openai.com/docs/guides/images-vision#calculating-costs)."""


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
    audio_ms: int = 0
    """Length of the assistant's audio, as far as it was not truncated."""
    cut: bool = False
    """The client truncated it; what is still being made of it does not count."""
    chars: int = 0
    """What it counted for in memory when it was added."""
    _read: tuple[Item, Message, int] | None = None
    """What the model reads of the item, and how long that is; kept, as every reply reads hundreds of items."""

    @property
    def id(self) -> str:
        """The item's id."""
        return self.item.id or ""

    @property
    def message(self) -> Message:
        """What the model reads of a message."""
        return self._reading()[1]

    @property
    def read_chars(self) -> int:
        """How much there is to read."""
        return self._reading()[2]

    def recognised(self, text: str) -> None:
        """The user's audio said ``text``."""
        self.waiting = False
        parts = self.item.content or ()
        heard = tuple(replace(part, transcript=text) if part.type == "input_audio" else part for part in parts)
        self.item = replace(self.item, content=heard)

    def say(self, sentence: Sentence) -> None:
        """The assistant's audio got longer; without words it is more of the sentence before."""
        if self.sentences and not sentence.text:
            sentence = Sentence(self.sentences[-1].text, self.sentences.pop().start_ms, sentence.end_ms)
        self.sentences.append(sentence)
        self.audio_ms = sentence.end_ms

    def truncate(self, audio_end_ms: int) -> None:
        """Forget what of the assistant's audio lies after ``audio_end_ms``."""
        self.sentences = [
            Sentence(heard, one.start_ms, min(one.end_ms, audio_end_ms))
            for one in self.sentences
            if (heard := one.heard(audio_end_ms)) or one.start_ms < audio_end_ms
        ]
        self.audio_ms = min(self.audio_ms, audio_end_ms)
        transcript = "".join(one.text for one in self.sentences).rstrip()
        self.item = replace(self.item, content=(Content(type="output_audio", transcript=transcript),))
        self.cut = True

    def _reading(self) -> tuple[Item, Message, int]:
        if self._read is None or self._read[0] is not self.item:
            self._read = (self.item, message_of(self.item), read_chars(self.item))
        return self._read


def words(item: Item) -> str:
    """What a message says."""
    return " ".join(part.words.strip() for part in item.content or () if part.words.strip())


def message_of(item: Item) -> Message:
    """A message as the model reads it."""
    images = tuple(part.image_url for part in item.content or () if part.image_url)
    role = item.role if item.role in ("user", "assistant") else "system"
    return Message(role, words(item), images)  # type: ignore[arg-type]  # mypy does not narrow by membership


def read_chars(item: Item) -> int:
    """How much there is to read of an item."""
    pictures = sum(IMAGE_CHARS for part in item.content or () if part.image_url)
    return pictures + len(words(item)) + sum(len(text or "") for text in (item.name, item.arguments, item.output))
