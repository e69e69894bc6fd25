"""The events a server sends, of the GA interface, and JSON in both directions.

Source: https://platform.openai.com/docs/api-reference/realtime-server-events. Beta names are translated before they
come here (:mod:`realtime_cli.protocol.dialects`). An event that is not listed is kept as UnknownEvent and passed by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_cli.protocol import conversation_events, response_events
from realtime_cli.protocol.codec import JsonObject, ServerEvent, UnknownEvent, decode, encode, to_json
from realtime_cli.protocol.conversation_events import ErrorEvent
from realtime_cli.protocol.items import ErrorDetail

SERVER_EVENTS: Mapping[str, type[ServerEvent]] = {
    cls.type: cls
    for module in (conversation_events, response_events)
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, ServerEvent) and cls.type
}


_NULLS: Mapping[str, tuple[str, ...]] = {
    "error": ("code", "param"),
    "response": ("status_details", "conversation_id", "metadata", "usage"),
}
"""Fields that the remote service sends as null where they have no value, by the record that holds them."""

_FOLLOWS = frozenset({"conversation.item.added", "conversation.item.done", "input_audio_buffer.committed"})
"""Events that say which item comes before, and null for the first one."""


def server_event_to_object(event: ServerEvent) -> dict[str, Any]:
    """The event as a JSON object in GA shape, with the explicit nulls of the remote service.

    Clients rely on them: the schema of @openai/agents-realtime wants ``transcript`` in a user's audio, string or null.
    """
    body = {"type": event.type, **encode(event)}
    for name, fields in _NULLS.items():
        if name in body:
            body[name] = dict.fromkeys(fields) | body[name]
    if event.type == "error":
        body["error"].setdefault("event_id", None)
    if event.type in _FOLLOWS:
        body.setdefault("previous_item_id", None)
    for part in body.get("item", {}).get("content", ()):
        if part["type"] == "input_audio":
            part.setdefault("transcript", None)
    return body


def server_event_to_json(event: ServerEvent) -> str:
    """The event as one text message in GA shape."""
    return to_json(server_event_to_object(event))


def server_event_from_object(body: JsonObject) -> ServerEvent | UnknownEvent:
    """A server event from a GA object; never fails."""
    name = str(body.get("type"))
    cls = SERVER_EVENTS.get(name)
    if cls is None:
        return UnknownEvent(name=name, body=dict(body))
    if cls is ErrorEvent and isinstance(body.get("error"), str):
        # vLLM sends the error as a plain string.
        detail = decode(ErrorDetail, {"message": body["error"], "code": body.get("code")})
        return ErrorEvent(
            event_id=body.get("event_id") if isinstance(body.get("event_id"), str) else None, error=detail
        )
    return decode(cls, body)
