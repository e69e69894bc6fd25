"""Validates events against the official SDK's types, strictly, and against what those types leave open.

The SDK's models take any extra field and know no ranges, no base64 and no order, so four checks work together: the one
model class of the event's ``type`` in strict mode, a walk for extra fields, ranges and base64 of our own, and
:func:`check_order` for the ids of a whole stream. Every failure is an AssertionError of one line.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

import pydantic
from openai.types.beta.realtime import RealtimeClientEvent as BetaClientEvent
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent

ALLOWED_EXTRAS = {"session.id", "session.object", "session.expires_at", "obfuscation", "item.phase"}
"""Seen live but missing in the types."""

_NON_NEGATIVE = {"audio_start_ms", "audio_end_ms", "content_index", "output_index", "prefix_padding_ms"}
_RANGES = {
    "threshold": (0.0, 1.0),
    "speed": (0.25, 1.5),
    "max_output_tokens": (1, 128_000),
    "max_response_output_tokens": (1, 4096),
    "idle_timeout_ms": (5000, 30000),
    "temperature": (0.6, 1.2),
}
_STREAMED = {
    "response.output_text.delta",
    "response.output_audio.delta",
    "response.output_audio_transcript.delta",
    "response.output_text.done",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.added",
    "response.content_part.done",
}


def check_server_event(event: Mapping[str, Any]) -> None:
    """One GA server event as a JSON object."""
    _check(RealtimeServerEvent, event)


def check_client_event(event: Mapping[str, Any]) -> None:
    """One GA client event as a JSON object."""
    _check(RealtimeClientEvent, event)


def check_beta_server_event(event: Mapping[str, Any]) -> None:
    """One server event of the beta dialect as a JSON object."""
    _check(BetaServerEvent, event)


def check_beta_client_event(event: Mapping[str, Any]) -> None:
    """One client event of the beta dialect as a JSON object."""
    _check(BetaClientEvent, event)


def check_order(events: Iterable[Mapping[str, Any]]) -> None:
    """A whole stream of GA server events: session first, unique event ids, and no id used before or after its life."""
    seen: set[str] = set()
    alive: set[str] = set()
    done: set[str] = set()
    open_items: set[str] = set()
    for number, event in enumerate(events):
        kind = event["type"]
        assert (kind == "session.created") == (number == 0), f"event {number} is {kind}"
        assert event["event_id"] not in seen, f"{kind}: event_id {event['event_id']} comes twice"
        seen.add(event["event_id"])
        if kind == "response.created":
            alive.add(event["response"]["id"])
        elif kind == "response.done":
            identifier = event["response"]["id"]
            assert identifier in alive, f"{kind}: {identifier} was never created, or is done already"
            alive.remove(identifier)
            done.add(identifier)
        elif kind.startswith("output_audio_buffer."):
            # A call's sound is sent at the pace of speech, long after it was made.
            assert event["response_id"] in alive | done | {""}, f"{kind}: {event['response_id']} was never created"
        elif "response_id" in event:
            assert event["response_id"] in alive, f"{kind}: response {event['response_id']} is not in progress"
        if kind == "response.output_item.added":
            open_items.add(event["item"]["id"])
        elif kind == "response.output_item.done":
            open_items.remove(event["item"]["id"])
        elif kind in _STREAMED:
            assert event["item_id"] in open_items, f"{kind}: item {event['item_id']} is not in progress"


@cache
def _models(union: Any) -> dict[str, type[pydantic.BaseModel]]:
    """Type literal -> model class."""
    members = get_args(union)[0] if get_origin(union) is not Union else union
    found: dict[str, type[pydantic.BaseModel]] = {}
    for model in get_args(members) or get_args(union):
        literal = model.model_fields["type"].annotation
        assert get_origin(literal) is Literal, model
        found[get_args(literal)[0]] = model
    return found


def _check(union: Any, event: Mapping[str, Any]) -> None:
    kind = event.get("type")
    model = _models(union).get(str(kind))
    assert model is not None, f"unknown event type {kind!r}"
    try:
        parsed = model.model_validate_json(json.dumps(event), strict=True)
    except pydantic.ValidationError as failure:
        first = failure.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise AssertionError(f"{kind}: {where}: {first['msg']}, got {first['input']!r:.80}") from None
    _no_extras(str(kind), "", parsed)
    _ranges(str(kind), "", event)


def _no_extras(kind: str, path: str, value: Any) -> None:
    if isinstance(value, pydantic.BaseModel):
        extras = {f"{path}{name}" for name in value.model_extra or ()}
        short = {".".join(extra.split(".")[-2:]) for extra in extras}
        assert short <= ALLOWED_EXTRAS, f"{kind}: unknown fields {sorted(extras)}"
        for name in type(value).model_fields:
            _no_extras(kind, f"{path}{name}.", getattr(value, name))
    elif isinstance(value, list):
        for inner in value:
            _no_extras(kind, path, inner)


def _ranges(kind: str, path: str, value: Any) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not {"parameters", "metadata"} & set(path.split(".")):
                _range(kind, f"{path}{name}", name, inner)
            _ranges(kind, f"{path}{name}.", inner)
        if value.get("type") == "function":
            assert value.get("name"), f"{kind}: {path}name: a function tool needs one"
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            _ranges(kind, path, inner)


def _range(kind: str, where: str, name: str, value: Any) -> None:
    if name in _NON_NEGATIVE:
        assert value >= 0, f"{kind}: {where}: {value} is negative"
    elif name in _RANGES and isinstance(value, int | float):
        low, high = _RANGES[name]
        assert low <= value <= high, f"{kind}: {where}: {value} is not in {low}..{high}"
    elif name == "output_modalities" and value is not None:
        assert value in (["audio"], ["text"]), f"{kind}: {where}: {value} is neither audio nor text"
    elif name == "metadata" and isinstance(value, Mapping):
        assert len(value) <= 16, f"{kind}: {where}: more than 16 pairs"
        for key, text in value.items():
            assert max(len(key) - 64, len(text) - 512) <= 0, f"{kind}: {where}.{key}: too long"
    elif (name == "audio" and isinstance(value, str)) or (kind == "response.output_audio.delta" and name == "delta"):
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error as failure:
            raise AssertionError(f"{kind}: {where}: {failure}") from None
