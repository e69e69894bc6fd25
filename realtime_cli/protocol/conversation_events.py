"""Server events about the session, the conversation's items, and the user's audio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import field

from realtime_cli.protocol.codec import ServerEvent
from realtime_cli.protocol.items import ErrorDetail, Item, RateLimit, Usage


class ErrorEvent(ServerEvent, frozen=True, kw_only=True):
    """Something went wrong; most errors leave the session open."""

    type: ClassVar[str] = "error"
    error: ErrorDetail = ErrorDetail()


class SessionCreated(ServerEvent, frozen=True, kw_only=True):
    """The first event of a session."""

    type: ClassVar[str] = "session.created"
    session: Mapping[str, Any] = field(default_factory=dict)


class SessionUpdated(ServerEvent, frozen=True, kw_only=True):
    """The whole effective session after an update."""

    type: ClassVar[str] = "session.updated"
    session: Mapping[str, Any] = field(default_factory=dict)


class ConversationCreated(ServerEvent, frozen=True, kw_only=True):
    """There is a conversation; xAI's first event, in the place of ``session.created``."""

    type: ClassVar[str] = "conversation.created"


class ConversationItemAdded(ServerEvent, frozen=True, kw_only=True):
    """An item entered the conversation; its content may still grow."""

    type: ClassVar[str] = "conversation.item.added"
    item: Item = Item()
    previous_item_id: str | None = None


class ConversationItemCreated(ServerEvent, frozen=True, kw_only=True):
    """An item entered the conversation: the name that beta servers use."""

    type: ClassVar[str] = "conversation.item.created"
    item: Item = Item()
    previous_item_id: str | None = None


class ConversationItemDone(ServerEvent, frozen=True, kw_only=True):
    """An item is final."""

    type: ClassVar[str] = "conversation.item.done"
    item: Item = Item()
    previous_item_id: str | None = None


class ConversationItemRetrieved(ServerEvent, frozen=True, kw_only=True):
    """The answer to a retrieve."""

    type: ClassVar[str] = "conversation.item.retrieved"
    item: Item = Item()


class ConversationItemTruncated(ServerEvent, frozen=True, kw_only=True):
    """The answer to a truncate."""

    type: ClassVar[str] = "conversation.item.truncated"
    item_id: str = ""
    content_index: int = 0
    audio_end_ms: int = 0


class OutputAudioBufferStarted(ServerEvent, frozen=True, kw_only=True):
    """The server begins to send a reply's sound; in calls only (WebRTC, SIP)."""

    type: ClassVar[str] = "output_audio_buffer.started"
    response_id: str = ""


class OutputAudioBufferStopped(ServerEvent, frozen=True, kw_only=True):
    """All of a reply's sound was sent; in calls only."""

    type: ClassVar[str] = "output_audio_buffer.stopped"
    response_id: str = ""


class OutputAudioBufferCleared(ServerEvent, frozen=True, kw_only=True):
    """The rest of a reply's sound is not sent, as it was interrupted; in calls only."""

    type: ClassVar[str] = "output_audio_buffer.cleared"
    response_id: str = ""


class ConversationItemDeleted(ServerEvent, frozen=True, kw_only=True):
    """The answer to a delete."""

    type: ClassVar[str] = "conversation.item.deleted"
    item_id: str = ""


class TranscriptionDelta(ServerEvent, frozen=True, kw_only=True):
    """A piece of what the user said; it may come before, during or after the reply."""

    type: ClassVar[str] = "conversation.item.input_audio_transcription.delta"
    item_id: str = ""
    content_index: int = 0
    delta: str = ""


class TranscriptionCompleted(ServerEvent, frozen=True, kw_only=True):
    """All of what the user said."""

    type: ClassVar[str] = "conversation.item.input_audio_transcription.completed"
    item_id: str = ""
    content_index: int = 0
    transcript: str = ""
    usage: Usage | None = None


class TranscriptionSegment(ServerEvent, frozen=True, kw_only=True):
    """One speaker's stretch of what was said; ``start`` and ``end`` in seconds."""

    type: ClassVar[str] = "conversation.item.input_audio_transcription.segment"
    id: str = ""
    item_id: str = ""
    content_index: int = 0
    text: str = ""
    speaker: str | None = None
    start: float | None = None
    end: float | None = None


class TranscriptionFailed(ServerEvent, frozen=True, kw_only=True):
    """The user's speech could not be transcribed."""

    type: ClassVar[str] = "conversation.item.input_audio_transcription.failed"
    item_id: str = ""
    content_index: int = 0
    error: ErrorDetail = ErrorDetail()


class InputAudioBufferCommitted(ServerEvent, frozen=True, kw_only=True):
    """The input buffer became a user item."""

    type: ClassVar[str] = "input_audio_buffer.committed"
    item_id: str = ""
    previous_item_id: str | None = None


class InputAudioBufferCleared(ServerEvent, frozen=True, kw_only=True):
    """The input buffer is empty."""

    type: ClassVar[str] = "input_audio_buffer.cleared"


class SpeechStarted(ServerEvent, frozen=True, kw_only=True):
    """The user began to speak; ``item_id`` is the future user item's."""

    type: ClassVar[str] = "input_audio_buffer.speech_started"
    item_id: str = ""
    audio_start_ms: int = 0


class SpeechStopped(ServerEvent, frozen=True, kw_only=True):
    """The user stopped speaking."""

    type: ClassVar[str] = "input_audio_buffer.speech_stopped"
    item_id: str = ""
    audio_end_ms: int = 0


class InputAudioBufferTimeout(ServerEvent, frozen=True, kw_only=True):
    """Nobody spoke for ``idle_timeout_ms``; a response follows."""

    type: ClassVar[str] = "input_audio_buffer.timeout_triggered"
    item_id: str = ""
    audio_start_ms: int = 0
    audio_end_ms: int = 0


class RateLimitsUpdated(ServerEvent, frozen=True, kw_only=True):
    """What is left of the rate limits."""

    type: ClassVar[str] = "rate_limits.updated"
    rate_limits: tuple[RateLimit, ...] = ()
