"""Ephemeral client secrets: keys that are good for a while, for clients that must not have the real one.

https://platform.openai.com/docs/api-reference/realtime-sessions/create-realtime-client-secret. urllib3 is the client
because it brings nothing else along, verifies certificates as the websocket does, and has a limit for every wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
import urllib3

from realtime_cli.errors import ConnectionFailed
from realtime_cli.network import http_pool
from realtime_cli.protocol.error_codes import detail_in, refused
from realtime_cli.providers.endpoint import Endpoint

MIN_EXPIRY_S, MAX_EXPIRY_S = 10, 7200
"""The limits that the interface sets."""

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 20.0
"""An answer takes less than a second."""

MAX_ANSWER_BYTES = 1_000_000
"""An answer repeats the session: its instructions and tools."""


NO_SECRETS = "few compatible servers do: give its clients a key of the server's own, or name another server"

_NO_SUCH_PLACE = frozenset({404, 405, 426, 501})
"""How servers answer that serve websockets only, or not this."""


class ClientSecret(msgspec.Struct, frozen=True):
    """What the server answered. ``value`` is a secret, and so is ``answer``, which holds it."""

    value: str
    expires_at: int | None
    """Seconds since 1970; after that no session can be started with it."""
    answer: Mapping[str, Any]


def mint(
    place: Endpoint,
    session: Mapping[str, Any],
    expires_in_s: int | None = None,
    *,
    answer_timeout_s: float = ANSWER_TIMEOUT_S,
) -> ClientSecret:
    """A client secret for sessions like ``session``. Blocks for at most half a minute. Raises ConnectionFailed."""
    body: dict[str, Any] = {"session": session}
    if expires_in_s is not None:
        body["expires_after"] = {"anchor": "created_at", "seconds": expires_in_s}
    url = secrets_url(place)
    headers = {**place.headers, "Content-Type": "application/json"}
    status, data = _post(url, headers, msgspec.json.encode(body), answer_timeout_s)
    try:
        answer = msgspec.json.decode(data)
    except msgspec.DecodeError:
        answer = None
    if status != 200:
        raise _no_secret(status, answer, url, place)
    if not isinstance(answer, dict) or not isinstance(answer.get("value"), str) or not answer["value"]:
        raise ConnectionFailed(f"{url} answered with something that is no client secret", NO_SECRETS)
    expires_at = answer.get("expires_at")
    return ClientSecret(answer["value"], expires_at if isinstance(expires_at, int) else None, answer)


def secrets_url(place: Endpoint) -> str:
    """Where the server mints them: beside its Realtime endpoint."""
    return f"{_http_url(place)}/client_secrets"


def calls_url(place: Endpoint) -> str:
    """Where the server takes calls by WebRTC."""
    return f"{_http_url(place)}/calls"


def _http_url(place: Endpoint) -> str:
    scheme, _, rest = place.where.partition("://")
    return f"{'https' if scheme == 'wss' else 'http'}://{rest}"


def _post(url: str, headers: Mapping[str, str], body: bytes, answer_timeout_s: float) -> tuple[int, bytes]:
    """Post JSON; the status, and what was answered. A redirection is not followed: the key is for this host only."""
    host = urlsplit(url).hostname or ""
    timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=answer_timeout_s)
    try:
        with http_pool(url) as pool:
            response = pool.request(
                "POST",
                url,
                headers=headers,
                body=body,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            with response:
                return response.status, response.read(MAX_ANSWER_BYTES)
    except urllib3.exceptions.SSLError as error:
        raise ConnectionFailed(
            f"{host} fails the TLS handshake ({error})", "for an authority of your own set SSL_CERT_FILE"
        ) from error
    except urllib3.exceptions.NameResolutionError as error:
        raise ConnectionFailed(f"the name {host} is unknown", "check --base-url and the network") from error
    except urllib3.exceptions.NewConnectionError as error:
        raise ConnectionFailed(f"{host} refuses the connection", "is the server running? check --base-url") from error
    except urllib3.exceptions.TimeoutError as error:
        raise ConnectionFailed(f"{host} does not answer", "check --base-url and the network") from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        remedy = f"it may mint no client secrets; {NO_SECRETS}"
        raise ConnectionFailed(f"{host} breaks off the connection", remedy) from error


def _no_secret(status: int, answer: Any, url: str, place: Endpoint) -> ConnectionFailed:
    """Why there is none: most compatible servers have no such thing."""
    detail = detail_in(answer)
    if status in _NO_SUCH_PLACE and not detail.code:
        return ConnectionFailed(f"{place.where} mints no client secrets (HTTP {status})", NO_SECRETS)
    return refused(status, detail, msgspec.structs.replace(place.target, where=url))
