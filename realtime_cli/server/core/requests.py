"""A client's text message to a typed client event, or to the refusal that answers it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from realtime_cli.protocol.client_events import CLIENT_EVENTS, ClientEvent
from realtime_cli.protocol.codec import from_json
from realtime_cli.server.core.refusal import Refusal, invalid, missing, unknown

MAX_AUDIO_BYTES = 15 * 1024 * 1024
"""The documented limit of one append."""

_MISSING_FIELD = re.compile(r"missing required field `(\w+)`(?: - at `\$\.?(.*)`)?")
_AT = re.compile(r"^(.*?)(?: - at `\$\.?(.*)`)?$")


def parse(text: str) -> ClientEvent:
    """The event in a text message. Raises BadRequest."""
    try:
        body = from_json(text)
    except (ValueError, msgspec.DecodeError):
        raise BadRequest(Refusal("invalid_json", "The message is not a JSON object."), None) from None
    event_id = body.get("event_id")
    try:
        return _typed(dict(body))
    except Refusal as refusal:
        raise BadRequest(refusal, event_id if isinstance(event_id, str) else None) from None


class BadRequest(Exception):
    """A message that is no client event; ``event_id`` is what the client called it."""

    def __init__(self, refusal: Refusal, event_id: str | None) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.event_id = event_id


def _typed(body: dict[str, Any]) -> ClientEvent:
    name = body.pop("type", None)
    if name is None:
        raise missing("type")
    cls = CLIENT_EVENTS.get(name) if isinstance(name, str) else None
    if cls is None:
        raise invalid("type", f"{name!r}. Supported values are: {', '.join(repr(known) for known in CLIENT_EVENTS)}.")
    for field in body:
        if field not in cls.__struct_fields__:
            raise unknown(field)
    try:
        return msgspec.convert(body, cls)
    except msgspec.ValidationError as failure:
        raise _refused(str(failure)) from None


def _refused(reason: str) -> Refusal:
    """msgspec says ``Object missing required field `audio` - at `$.item` `` or ``Expected `str`, got `int` - at …``."""
    found = _MISSING_FIELD.search(reason)
    if found:
        return missing(".".join(part for part in (found[2], found[1]) if part))
    what, where = _AT.fullmatch(reason).groups()  # type: ignore[union-attr]  # the pattern matches any one line
    return invalid(where or "type", f"{what[0].lower()}{what[1:]}.")
