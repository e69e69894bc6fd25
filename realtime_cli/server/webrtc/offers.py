"""What a client asks for when it calls: its offer, and the session that it wants. Pure: no I/O.

Shapes: https://platform.openai.com/docs/guides/realtime-webrtc. Either the body is the SDP, or a form of ``sdp`` and
``session``.
"""

from __future__ import annotations

from collections.abc import Mapping
from email import message_from_bytes
from email.policy import HTTP
from typing import Any

import msgspec
from msgspec.structs import replace

from realtime_cli.server.core.checks import Refusal, invalid, missing, one_of
from realtime_cli.server.core.session_fields import SessionType
from realtime_cli.server.core.session_state import SessionState
from realtime_cli.server.socket.admission import Wanted
from realtime_cli.server.socket.client_secrets import Grant
from realtime_cli.server.socket.http_routes import HttpRequest


class Offer(msgspec.Struct, frozen=True):
    """A call as it is asked for."""

    sdp: str
    session: Mapping[str, Any] | None = None
    """Not checked yet."""


def read_offer(request: HttpRequest) -> Offer:
    """The offer in a request. Raises Refusal."""
    content_type = request.asked.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/sdp":
        return Offer(_text(request.body))
    if kind != "multipart/form-data":
        raise Refusal("invalid_content_type", "The body is application/sdp, or multipart/form-data of sdp and session.")
    form = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + request.body, policy=HTTP)
    parts = {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)
        for part in (form.iter_parts() if form.is_multipart() else ())
    }
    sdp, session = parts.get("sdp"), parts.get("session")
    if not isinstance(sdp, bytes):
        raise missing("sdp")
    if not isinstance(session, bytes):
        return Offer(_text(sdp))
    try:
        body = msgspec.json.decode(session)
    except (ValueError, RecursionError):
        raise Refusal("invalid_json", "session is not JSON.", "session") from None
    if not isinstance(body, dict):
        raise invalid("session", "expected an object.")
    return Offer(_text(sdp), body)


def with_session(wanted: Wanted, session: Mapping[str, Any] | None) -> Wanted:
    """What is wanted, with the session that the call itself brings. Raises Refusal for what cannot be had."""
    settings = dict(wanted.grant.settings) if wanted.grant else {}
    kind, model = wanted.kind, wanted.model
    if session is not None:
        if "type" not in session:
            raise missing("session.type")
        asked: SessionType = one_of("realtime", "transcription")(session["type"], "session.type")
        settings = settings if asked == kind else {}
        kind = asked
        named = session.get("model")
        model = named if isinstance(named, str) else model
        settings |= {name: value for name, value in session.items() if name not in ("type", "model")}
    settings = dict(without_formats({"type": kind, **settings}))
    SessionState("", model or "", kind, None).update(settings, voice_used=False)
    del settings["type"]
    grant = Grant(wanted.grant.expires_at if wanted.grant else 0, kind, model, settings)
    return replace(wanted, kind=kind, model=model, grant=grant)


def without_formats(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """A session's or a response's settings without formats of sound: over WebRTC the call has agreed on one."""
    audio = settings.get("audio")
    if not isinstance(audio, dict):
        return settings
    sides = {
        side: {name: value for name, value in fields.items() if name != "format"}
        if isinstance(fields, dict)
        else fields
        for side, fields in audio.items()
    }
    return {**settings, "audio": sides}


def _text(sdp: bytes) -> str:
    try:
        text = sdp.decode()
    except UnicodeDecodeError:
        raise invalid("sdp", "not UTF-8.") from None
    if not text.lstrip().startswith("v=0") or "m=audio" not in text:
        raise invalid("sdp", "expected the offer of a call with sound.")
    return text
