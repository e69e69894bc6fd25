"""A client's text message to a typed client event, or to the refusal that answers it; and the items that it brings."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from realtime_cli.protocol.client_events import CLIENT_EVENTS, ClientEvent
from realtime_cli.protocol.codec import from_json
from realtime_cli.protocol.items import Content, Item
from realtime_cli.server.core.checks import Refusal, invalid, missing, one_of, unknown
from realtime_cli.server.core.items import ROOT

MAX_AUDIO_BYTES = 15 * 1024 * 1024
"""The documented limit of one append."""

MAX_EVENT_ID = 512
"""The documented limit of an ``event_id`` in characters."""

IMAGE_KINDS = tuple(f"data:image/{kind};base64," for kind in ("png", "jpeg", "jpg", "webp", "gif"))
"""How the address of a picture begins. The service documents data URIs of PNG and JPEG. Web addresses are refused: the
language model's server would fetch them, from places that the client itself may not reach."""

_CONTENT_TYPES: Mapping[str, tuple[str, ...]] = {
    "system": ("input_text",),
    "user": ("input_text", "input_audio", "input_image"),
    "assistant": ("output_text",),
}
_CONTENT_FIELD = {"input_text": "text", "output_text": "text", "input_image": "image_url"}
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "message": ("role", "content"),
    "function_call": ("name", "arguments"),
    "function_call_output": ("call_id", "output"),
}
_ITEM_FIELDS: Mapping[str, tuple[str, ...]] = {
    "message": ("id", "type", "role"),
    "function_call": ("id", "type", "name", "arguments", "call_id"),
    "function_call_output": ("id", "type", "call_id", "output"),
}
"""What is kept of an item, besides its content: other fields that clients send along are the server's to set."""

_MISSING_FIELD = re.compile(r"missing required field `(\w+)`(?: - at `\$\.?(.*)`)?")
_AT = re.compile(r"^(.*?)(?: - at `\$\.?(.*)`)?$", re.DOTALL)


class BadRequest(Exception):
    """A message that is no client event; ``event_id`` is what the client called it."""

    def __init__(self, refusal: Refusal, event_id: str | None) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.event_id = event_id


def parse(text: str) -> ClientEvent:
    """The event in a text message. Raises BadRequest."""
    try:
        body = from_json(text)
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise BadRequest(Refusal("invalid_json", "The message is not a JSON object."), None) from None
    event_id = body.get("event_id")
    try:
        return _typed(dict(body))
    except Refusal as refusal:
        raise BadRequest(refusal, event_id if isinstance(event_id, str) else None) from None


def decode_audio(encoded: str, path: str) -> bytes:
    """The bytes in a base64 string. Raises Refusal."""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(path, "expected base64-encoded audio bytes.") from None


def accept_item(item: Item, new_id: str, path: str = "item") -> tuple[Item, bytes]:
    """The item as it enters the conversation, and the audio that came inside it (empty without any).

    The audio leaves the item: the remote service does not send it back either. Raises Refusal.
    """
    if not item.type:
        raise missing(f"{path}.type")
    one_of(*_REQUIRED)(item.type, f"{path}.type")
    if item.id == ROOT:
        raise invalid(f"{path}.id", f"{ROOT!r} stands for the beginning of the conversation.")
    for field in _REQUIRED[item.type]:
        if getattr(item, field) is None:
            raise missing(f"{path}.{field}")
    content, audio = _accept_content(item, path) if item.type == "message" else (None, b"")
    kept = {field: getattr(item, field) for field in _ITEM_FIELDS[item.type]}
    if item.type == "function_call" and item.call_id is None:
        kept["call_id"] = f"call_{new_id.removeprefix('item_')}"
    kept["id"] = item.id or new_id
    return Item(**kept, object="realtime.item", status="completed", content=content), audio


def _accept_content(item: Item, path: str) -> tuple[tuple[Content, ...], bytes]:
    allowed = _CONTENT_TYPES[one_of(*_CONTENT_TYPES)(item.role, f"{path}.role")]
    kept: list[Content] = []
    audio = b""
    for index, part in enumerate(item.content or ()):
        where = f"{path}.content[{index}]"
        one_of(*allowed)(part.type, f"{where}.type")
        field = _CONTENT_FIELD.get(part.type)
        if field is not None and getattr(part, field) is None:
            raise missing(f"{where}.{field}")
        if part.type == "input_audio":
            # Clients that bring a past along know its words and have no audio of it any more.
            audio += decode_audio(part.audio or "", f"{where}.audio")
            kept.append(Content(type=part.type, transcript=part.transcript))
        elif part.type == "input_image":
            kept.append(_accept_image(part, where))
        else:
            kept.append(Content(type=part.type, text=part.text))
    return tuple(kept), audio


def _accept_image(part: Content, where: str) -> Content:
    if not (part.image_url or "").startswith(IMAGE_KINDS):
        raise invalid(f"{where}.image_url", "expected a data URI of a PNG, JPEG, WebP or GIF picture in base64.")
    if part.detail is not None:
        one_of("auto", "low", "high")(part.detail, f"{where}.detail")
    return replace(part, text=None, transcript=None, audio=None)


def _typed(body: dict[str, Any]) -> ClientEvent:
    name = body.pop("type", None)
    if name is None:
        raise missing("type")
    cls = CLIENT_EVENTS[one_of(*CLIENT_EVENTS)(name, "type")]
    for field in body:
        if field not in cls.__struct_fields__:
            raise unknown(field)
    if isinstance(body.get("event_id"), str) and len(body["event_id"]) > MAX_EVENT_ID:
        raise invalid("event_id", f"more than {MAX_EVENT_ID} characters.")
    try:
        return msgspec.convert(body, cls)
    except msgspec.ValidationError as failure:
        raise _refused(str(failure)) from None


def _refused(reason: str) -> Refusal:
    """msgspec says ``Object missing required field `audio` - at `$.item` `` or ``Expected `str`, got `int` - at …``."""
    found = _MISSING_FIELD.search(reason)
    if found:
        return missing(".".join(part for part in (found[2], found[1]) if part))
    what, where = _AT.fullmatch(reason).groups()  # type: ignore[union-attr]  # the pattern matches any text
    return invalid(where or "type", f"{what[0].lower()}{what[1:]}.")
