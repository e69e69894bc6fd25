"""What the websocket library raised, in words for the user, and whether another try may help."""

from __future__ import annotations

import msgspec
import websocket

from realtime_cli.errors import ConnectionFailed
from realtime_cli.protocol.codec import from_json
from realtime_cli.protocol.error_codes import closed, detail_in, refused
from realtime_cli.protocol.items import ErrorDetail
from realtime_cli.protocol.redaction import redact
from realtime_cli.providers.endpoint import Endpoint


def secrets_of(endpoint: Endpoint) -> tuple[str, ...]:
    """What must never be shown of a connection to there."""
    return (endpoint.key,) if endpoint.key else ()


def failed_handshake(error: Exception | None, endpoint: Endpoint) -> ConnectionFailed:
    """Why the connection did not open."""
    where = endpoint.where
    if isinstance(error, websocket.WebSocketBadStatusException) and error.status_code:
        detail = _detail(error.resp_body, secrets_of(endpoint))
        return refused(error.status_code, detail, endpoint.target)
    if isinstance(error, websocket.WebSocketTimeoutException | TimeoutError):
        return ConnectionFailed(
            f"{where} took the connection but does not answer",
            "is this a Realtime endpoint? check --base-url",
            recoverable=True,
        )
    if isinstance(error, websocket.WebSocketProxyException):
        return ConnectionFailed(f"{where} redirects elsewhere", "find out where it is now and use --base-url")
    if isinstance(error, websocket.WebSocketConnectionClosedException | OSError):
        return ConnectionFailed(
            f"{where} closes the connection at once",
            "is this a Realtime endpoint? ws:// or wss://?",
            recoverable=True,
        )
    return ConnectionFailed(f"{where} is no websocket server", "check --base-url: is this a Realtime endpoint?")


def lost(error: Exception | None, endpoint: Endpoint) -> ConnectionFailed:
    """Why the open connection ended; the library's own error for a close included."""
    where = endpoint.where
    if isinstance(error, websocket.WebSocketConnectionClosedException) and hasattr(error, "status_code"):
        reason = redact(getattr(error, "reason", None) or "", secrets_of(endpoint))
        return closed(error.status_code, reason, endpoint.target)
    if isinstance(error, websocket.WebSocketTimeoutException | TimeoutError):
        return ConnectionFailed(f"{where} does not answer any more", "check the network", recoverable=True)
    if isinstance(error, websocket.WebSocketProtocolException | websocket.WebSocketPayloadException):
        return ConnectionFailed(f"{where} breaks the websocket protocol", "check --base-url")
    why = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
    return ConnectionFailed(f"the connection to {where} was lost{why}", "check the network", recoverable=True)


def _detail(body: bytes | None, secrets: tuple[str, ...]) -> ErrorDetail:
    """What the body of an HTTP answer says went wrong, if it says so in JSON."""
    try:
        detail = detail_in(from_json(body or b""))
    except (ValueError, RecursionError):
        return ErrorDetail()
    return msgspec.structs.replace(detail, message=redact(detail.message, secrets))
