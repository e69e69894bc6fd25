"""Items that the client puts into the conversation: checked, completed, and their audio taken out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from msgspec.structs import replace

from realtime_cli.protocol.items import Content, Item
from realtime_cli.server.core.refusal import invalid, missing

_CONTENT_TYPES: Mapping[str, tuple[str, ...]] = {
    "system": ("input_text",),
    "user": ("input_text", "input_audio", "input_image"),
    "assistant": ("output_text",),
}
_CONTENT_FIELD = {
    "input_text": "text",
    "output_text": "text",
    "input_audio": "audio",
}
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "message": ("role", "content"),
    "function_call": ("name", "arguments"),
    "function_call_output": ("call_id", "output"),
}


def decode_audio(encoded: str, path: str) -> bytes:
    """The bytes in a base64 string. Raises Refusal."""
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise invalid(path, "expected base64-encoded audio bytes.") from None


def accept_item(item: Item, new_id: str, path: str = "item") -> tuple[Item, bytes]:
    """The item as it enters the conversation, and the audio that came inside it (empty without any).

    The audio leaves the item: the remote service does not send it back either. Raises Refusal.
    """
    if not item.type:
        raise missing(f"{path}.type")
    if item.type not in _REQUIRED:
        raise invalid(f"{path}.type", f"{item.type!r}. Supported values are: {', '.join(map(repr, _REQUIRED))}.")
    for field in _REQUIRED[item.type]:
        if getattr(item, field) is None:
            raise missing(f"{path}.{field}")
    audio = b""
    content = item.content
    if item.type == "message":
        content, audio = _accept_content(item, path)
    elif item.type == "function_call" and item.call_id is None:
        item = replace(item, call_id=f"call_{new_id.removeprefix('item_')}")
    return replace(item, id=item.id or new_id, object="realtime.item", status="completed", content=content), audio


def _accept_content(item: Item, path: str) -> tuple[tuple[Content, ...], bytes]:
    allowed = _CONTENT_TYPES.get(item.role or "")
    if allowed is None:
        raise invalid(f"{path}.role", f"{item.role!r}. Supported values are: {', '.join(map(repr, _CONTENT_TYPES))}.")
    kept: list[Content] = []
    audio = b""
    for index, part in enumerate(item.content or ()):
        where = f"{path}.content[{index}]"
        if part.type not in allowed:
            raise invalid(f"{where}.type", f"{part.type!r}. Supported values are: {', '.join(map(repr, allowed))}.")
        if part.type == "input_image":
            raise invalid(f"{where}.type", "'input_image'. The local model reads words only, no images.")
        field = _CONTENT_FIELD[part.type]
        if getattr(part, field) is None:
            raise missing(f"{where}.{field}")
        if part.audio is not None:
            audio += decode_audio(part.audio, f"{where}.audio")
        kept.append(replace(part, audio=None))
    return tuple(kept), audio
