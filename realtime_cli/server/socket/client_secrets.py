"""Ephemeral keys (``ek_…``): a session and when they expire, signed. Nothing is stored, so several servers that share a
token take each other's. Pure: the time is an argument.

Shape of request and answer: https://platform.openai.com/docs/api-reference/realtime-sessions/create-realtime-client-secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from realtime_cli.server.core.checks import integer, invalid, mapping, missing, nullable, one_of, record
from realtime_cli.server.core.session_fields import SessionType
from realtime_cli.server.core.session_state import SessionState

PREFIX = "ek_"
DEFAULT_EXPIRY_S, MIN_EXPIRY_S, MAX_EXPIRY_S = 600, 10, 7200
"""The service's bounds."""

SIGNATURE_BYTES = 32
MOST_SESSION_BYTES = 24_000
"""A key travels in a header, and HTTP servers take lines of 64 KB at most."""

_CHECK = record(
    {
        "expires_after": nullable(
            record(
                {
                    "anchor": one_of("created_at"),
                    "seconds": integer(MIN_EXPIRY_S, MAX_EXPIRY_S),
                }
            )
        ),
        "session": nullable(mapping),
    }
)


class Grant(msgspec.Struct, frozen=True):
    """What a key allows."""

    expires_at: int
    """In seconds since 1970; it limits when sessions may begin, not how long they last."""
    kind: SessionType = "realtime"
    model: str | None = None
    settings: Mapping[str, Any] = {}
    """For :class:`~realtime_cli.server.core.core.SessionPlan`."""
    mark: str = ""
    """Random: no two keys are the same, as a key may join the calls that it began."""


class BadKey(Exception):
    """An ephemeral key that was not made here, or has expired."""


class KeyMaker:
    """Makes and reads keys. Any thread; one for all, and without state."""

    def __init__(self, token: str | None) -> None:
        """Servers of the same ``token`` take each other's keys; without one only this process takes its own."""
        seed = token.encode() if token else secrets.token_bytes(32)
        self._key = hashlib.sha256(b"realtime client secrets\0" + seed).digest()

    def mint(self, body: Any, now: float, model: str) -> dict[str, Any]:
        """The answer to a request for a key. Raises Refusal when what is asked for cannot be had."""
        asked = _CHECK({} if body is None else body, "body")
        seconds = (asked.get("expires_after") or {}).get("seconds", DEFAULT_EXPIRY_S)
        session = asked.get("session")
        session = {"type": "realtime"} if session is None else dict(session)
        if "type" not in session:
            raise missing("session.type")
        kind: SessionType = one_of("realtime", "transcription")(session["type"], "session.type")
        wanted = session.get("model")
        if wanted is not None and not isinstance(wanted, str):
            raise invalid("session.model", "expected a string.")
        expires_at = int(now) + seconds
        state = SessionState(f"sess_{secrets.token_hex(10)}", wanted or model, kind, expires_at)
        state.update(session, voice_used=False)
        settings = {name: value for name, value in session.items() if name not in ("type", "model")}
        grant = Grant(expires_at, kind, wanted, settings, mark=secrets.token_hex(8))
        value = self._signed(zlib.compress(msgspec.json.encode(grant)))
        if len(value) > MOST_SESSION_BYTES:
            message = f"it makes a key of {len(value)} bytes; at most {MOST_SESSION_BYTES} fit a header."
            raise invalid("session", message)
        return {"value": value, "expires_at": expires_at, "session": state.to_object()}

    def read(self, key: str, now: float) -> Grant:
        """What an ephemeral key allows. Raises BadKey."""
        try:
            signed = base64.urlsafe_b64decode(_padded(key.removeprefix(PREFIX)))
        except (binascii.Error, ValueError):
            raise BadKey from None
        signature, packed = signed[:SIGNATURE_BYTES], signed[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(packed)):
            raise BadKey
        grant = msgspec.json.decode(zlib.decompress(packed), type=Grant)
        if now >= grant.expires_at:
            raise BadKey
        return grant

    def _signed(self, packed: bytes) -> str:
        return PREFIX + base64.urlsafe_b64encode(self._signature(packed) + packed).decode().rstrip("=")

    def _signature(self, packed: bytes) -> bytes:
        return hmac.new(self._key, packed, hashlib.sha256).digest()


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)
