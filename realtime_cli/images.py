"""Images in a turn: read from a file, checked, and made part of a message."""

from __future__ import annotations

import base64
from pathlib import Path

from realtime_cli.errors import InputError
from realtime_cli.protocol.client_events import MAX_EVENT_BYTES
from realtime_cli.protocol.items import Content

_KINDS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))
"""How the two kinds begin that the interface takes
(https://platform.openai.com/docs/api-reference/realtime-client-events/conversation/item/create)."""

MAX_BYTES = (MAX_EVENT_BYTES - 64 * 1024) // 4 * 3
"""What fits into one event in base64, beside some words."""


def image_part(path: Path) -> Content:
    """The image as part of a message. Blocks for the disk. Raises InputError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}", error.strerror or str(error)) from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB", "scale it down")
    kind = next((kind for start, kind in _KINDS if data.startswith(start)), None)
    if kind is None:
        raise InputError(f"{path} is no PNG and no JPEG", "convert it")
    return Content(type="input_image", image_url=f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}")
