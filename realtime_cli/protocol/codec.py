"""Frozen records to JSON and back, liberal in what it accepts.

Servers that speak the protocol differ in detail (nulls, missing ids, extra fields), so decoding never fails for a
detail: an unknown field is passed by, and a missing or misshapen one becomes the field's default. What is left out on
encoding is exactly what is ``None``; where the protocol wants an explicit null, the field is a plain mapping.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn, TypeVar

import msgspec

JsonObject = Mapping[str, Any]
W = TypeVar("W", bound="Wire")


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Root of all that goes over the wire."""


class ServerEvent(Wire, frozen=True, kw_only=True):
    """Root of the server events."""

    type: ClassVar[str] = ""
    event_id: str | None = None


class UnknownEvent(Wire, frozen=True, kw_only=True):
    """An event this program has no use for; ``name`` is its type."""

    name: str
    body: Mapping[str, Any]


def encode(value: Any) -> Any:
    """Plain JSON values for a record, with its ``None`` fields left out."""
    if isinstance(value, Wire):
        fields = type(value).__struct_fields__
        return {name: encode(inner) for name in fields if (inner := getattr(value, name)) is not None}
    if isinstance(value, tuple | list):
        return [encode(inner) for inner in value]
    if isinstance(value, Mapping):
        return {key: encode(inner) for key, inner in value.items()}
    return value


def decode(cls: type[W], body: JsonObject) -> W:
    """A ``cls`` from a JSON object. Raises msgspec.ValidationError only when a field without a default is missing."""
    try:
        return msgspec.convert(body, cls)
    except msgspec.ValidationError:
        return msgspec.convert(_well_shaped(cls, body), cls)


def to_json(body: JsonObject) -> str:
    """One text message."""
    return msgspec.json.encode(body).decode()


def from_json(text: str | bytes) -> JsonObject:
    """The JSON object in a text message. Raises ValueError when it is something else.

    Half a character (a UTF-16 surrogate without its other half, which servers send where they cut a text in two) stays
    as it is where it ends or begins a string, because its other half may come in the next message; see
    :class:`realtime_cli.protocol.split_characters.SplitCharacters`.
    """
    try:
        body = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        # It refuses half a character, and numbers too large for 64 bits.
        body = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(body, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 -- callers treat both failures as one
    return body


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _well_shaped(cls: type[Wire], body: JsonObject) -> dict[str, Any]:
    """The fields of ``body`` that have the shape ``cls`` asks for, records inside it mended likewise."""
    kept: dict[str, Any] = {}
    for field in msgspec.structs.fields(cls):
        if field.name not in body:
            continue
        value = body[field.name]
        record = _record_in(field.type)
        if record is not None and isinstance(value, Mapping):
            value = _well_shaped(record, value)
        elif record is not None and isinstance(value, list):
            value = [_well_shaped(record, inner) for inner in value if isinstance(inner, Mapping)]
        try:
            kept[field.name] = msgspec.convert(value, field.type)
        except msgspec.ValidationError:
            continue
    return kept


def _record_in(hint: Any) -> type[Wire] | None:
    """The record type inside ``Record``, ``Record | None`` or ``tuple[Record, ...]``."""
    if isinstance(hint, type) and issubclass(hint, Wire):
        return hint
    inner = (_record_in(arg) for arg in getattr(hint, "__args__", ()))
    return next((found for found in inner if found is not None), None)
