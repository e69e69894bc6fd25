"""The events a client sends: all eleven of the GA interface (https://platform.openai.com/docs/api-reference/realtime-client-events).

``output_audio_buffer.clear`` is missing on purpose: it exists for WebRTC and SIP only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from realtime_cli.protocol.codec import JsonObject, Wire, decode, encode, to_json
from realtime_cli.protocol.items import Item

MAX_EVENT_BYTES = 15 * 1024 * 1024
"""The most that the audio of one event may be, and what is taken for the limit of a whole event."""


class ClientEvent(Wire, frozen=True, kw_only=True):
    """Root of the client events. The server repeats ``event_id`` in an error that this event caused."""

    type: ClassVar[str] = ""
    event_id: str | None = None


class SessionUpdate(ClientEvent, frozen=True, kw_only=True):
    """Change the session; what ``session`` leaves out keeps its value, an explicit null clears it."""

    type: ClassVar[str] = "session.update"
    session: Mapping[str, Any]


class InputAudioBufferAppend(ClientEvent, frozen=True, kw_only=True):
    """Base64 audio for the input buffer, at most 15 MiB an event; never acknowledged."""

    type: ClassVar[str] = "input_audio_buffer.append"
    audio: str


class InputAudioBufferCommit(ClientEvent, frozen=True, kw_only=True):
    """Make a user item of the input buffer, which must hold at least 100 ms."""

    type: ClassVar[str] = "input_audio_buffer.commit"


class InputAudioBufferClear(ClientEvent, frozen=True, kw_only=True):
    """Forget the input buffer."""

    type: ClassVar[str] = "input_audio_buffer.clear"


class ConversationItemCreate(ClientEvent, frozen=True, kw_only=True):
    """Add an item: after ``previous_item_id``, first for ``"root"``, last without one."""

    type: ClassVar[str] = "conversation.item.create"
    item: Item
    previous_item_id: str | None = None


class ConversationItemRetrieve(ClientEvent, frozen=True, kw_only=True):
    """Ask for the server's view of an item."""

    type: ClassVar[str] = "conversation.item.retrieve"
    item_id: str


class ConversationItemTruncate(ClientEvent, frozen=True, kw_only=True):
    """Cut an assistant item's audio to what was heard; the server drops its transcript too."""

    type: ClassVar[str] = "conversation.item.truncate"
    item_id: str
    content_index: int = 0
    audio_end_ms: int


class ConversationItemDelete(ClientEvent, frozen=True, kw_only=True):
    """Remove an item from the history."""

    type: ClassVar[str] = "conversation.item.delete"
    item_id: str


class ResponseCreate(ClientEvent, frozen=True, kw_only=True):
    """Ask for a response; ``response`` overrides the session's settings for this one."""

    type: ClassVar[str] = "response.create"
    response: Mapping[str, Any] | None = None


class ResponseCancel(ClientEvent, frozen=True, kw_only=True):
    """Stop the response in progress."""

    type: ClassVar[str] = "response.cancel"
    response_id: str | None = None


_CLASSES: tuple[type[ClientEvent], ...] = (
    SessionUpdate,
    InputAudioBufferAppend,
    InputAudioBufferCommit,
    InputAudioBufferClear,
    ConversationItemCreate,
    ConversationItemRetrieve,
    ConversationItemTruncate,
    ConversationItemDelete,
    ResponseCreate,
    ResponseCancel,
)
CLIENT_EVENTS: Mapping[str, type[ClientEvent]] = {cls.type: cls for cls in _CLASSES}


def client_event_to_object(event: ClientEvent) -> dict[str, Any]:
    """The event as a JSON object in GA shape."""
    return {"type": event.type, **encode(event)}


def client_event_to_json(event: ClientEvent) -> str:
    """The event as one text message in GA shape."""
    return to_json(client_event_to_object(event))


def client_event_from_object(body: JsonObject) -> ClientEvent:
    """A client event from a GA object, for the server's side.

    Raises KeyError with the ``type`` for an unknown one, and msgspec.ValidationError when a required field is missing.
    """
    return decode(CLIENT_EVENTS[str(body.get("type"))], body)
